"""A step is complete for what it has read: data, models, options; wherever its folder is."""

import json
import shutil

import pytest
from accelerate.state import AcceleratorState
from PIL import Image

from tests.train.slice_pictures import pictures
from train.data.export import export
from train.run import __main__ as run

DROPPED = "--val changed: its figures in the log are dropped"
QUICK = ["--init", "none", "--precision", "no", "--batch", "2", "--steps", "1"]


@pytest.fixture
def data(tmp_path):
    scenes = list(pictures(7))
    train = export(scenes[:4], tmp_path / "data" / "train.jsonl")
    return train, export(scenes[4:], tmp_path / "data" / "val.jsonl", masks=True)


@pytest.fixture
def again(data, tmp_path, capsys):
    """Gives the same command and returns what each step is said to be."""

    def give(out="out"):
        AcceleratorState._reset_state(reset_partial_state=True)
        files = ["--data", str(data[0]), "--val", str(data[1])]
        run.main([*files, "--out", str(tmp_path / out), *QUICK])
        said = capsys.readouterr().out
        return [
            "skipped" if "complete, skipped" in line else line.split(": ", 2)[-1]
            for line in said.splitlines()
            if line.startswith("Step ")
        ]

    return give


@pytest.mark.long
def test_case_12_a_step_is_done_again_where_its_inputs_changed(data, again, tmp_path):
    out, (train, val) = tmp_path / "out", data
    assert len(again()) == 5
    assert again() == ["skipped"] * 5

    # Moved as a whole, nothing is done again.
    shutil.copytree(out, tmp_path / "copy")
    shutil.rmtree(out)
    (tmp_path / "copy").rename(out)
    assert again() == ["skipped"] * 5

    # Another truth: measured anew; no weight depends on it.
    before = (out / "evaluation.json").read_bytes()
    rows = [json.loads(line) for line in val.read_text().splitlines()]
    rows[0]["objects"] = rows[0]["objects"][:1]
    val.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = again()
    assert [line for line in said if line != "skipped"] == [
        DROPPED,
        DROPPED,
        f"--data {val} changed: done again; the old one is now {out / 'evaluation.json.old-1'}",
        "evaluate",
        "report",
    ]
    assert "val mIoU" not in (out / "correct" / "log.jsonl").read_text()
    assert (out / "evaluation.json").read_bytes() != before
    assert (out / "evaluation.json.old-1").read_bytes() == before
    assert again() == ["skipped"] * 5

    # Pictures swapped under their names: all is made anew, and the checkpoint is the new one.
    one, other = (train.parent / json.loads(x)["image"] for x in train.read_text().splitlines()[:2])
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    weights = (out / "checkpoint" / "model.safetensors").read_bytes()
    said = again()
    assert "skipped" not in said
    assert f"--data {train} changed" in said[0]
    assert (out / "pseudo.old-1").is_dir()
    new = (out / "checkpoint" / "model.safetensors").read_bytes()
    assert new == (out / "correct" / "model.safetensors").read_bytes() != weights
    assert again() == ["skipped"] * 5

    # The same bytes at another time: read, and found to be the same.
    one.write_bytes(contents[1])
    assert again() == ["skipped"] * 5


@pytest.mark.long
def test_case_11_a_missing_picture_is_left_out_by_every_step(data, again, tmp_path, capsys):
    _, val = data
    (val.parent / json.loads(val.read_text().splitlines()[0])["image"]).unlink()
    assert len(again()) == 5
    evaluation = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    [left_out] = evaluation["left out"].values()
    assert (left_out["pictures"], left_out["of"]) == (1, 3)
    assert len(left_out["named"]) == 1
    report = (tmp_path / "out" / "report.md").read_text()
    assert "correct, `val`: 1 of 3 pictures cannot be used and are left out" in report
    assert "1 of 3 pictures (33.3 %) cannot be used and are left out" in report


@pytest.mark.long
def test_more_than_a_tenth_is_a_question(data, again, tmp_path, capsys):
    train, val = data
    for line in train.read_text().splitlines()[:2]:
        Image.new("RGB", (9, 9)).save(tmp_path / "not.png")
        (train.parent / json.loads(line)["image"]).write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"2 of 4 pictures .* --allow-missing"):
        again()
    files = ["--data", str(train), "--val", str(val), "--out", str(tmp_path / "out")]
    run.main([*files, *QUICK, "--allow-missing"])
    assert "4 pictures, 2 of them unreadable" in (tmp_path / "out" / "report.md").read_text()
