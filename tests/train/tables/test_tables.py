"""`python -m train tables` from beginning to end, killed on its way."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.train.slice_pictures import pictures
from tests.train.study_figures import study_of
from train.data.export import export
from train.tables import efficiency
from train.tables.__main__ import main

ROOT = Path(__file__).resolve().parents[3]


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.mark.process
def test_tables_killed_on_the_way(tmp_path, capsys):
    scenes = list(pictures(6))
    data = export(scenes[:4], tmp_path / "train.jsonl", masks=True)
    tests = [export([scene], tmp_path / f"{scene.name}.jsonl", masks=True) for scene in scenes[4:]]
    study_of(tmp_path / "study", tests)
    out, tables = tmp_path / "out", tmp_path / "tables"
    command = ["--data", str(data), "--test", *map(str, tests), "--study", str(tmp_path / "study")]
    command += ["--steps", "1", "--batch", "2", "--seeds", "0", "--workers", "1"]
    command += ["--out", str(out), "--figures", str(tables)]
    with subprocess.Popen(
        [sys.executable, "-m", "train", "tables", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not list((out / "figures").glob("tseg-*.json")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = stamps(out / "figures")
    weights = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(weights) == 4  # TSEG, TRIS' two steps, Shatter & Gather
    assert not (tables / "tables.md").exists()

    main(command)
    said = capsys.readouterr().out
    assert said.count("complete, skipped") == 5  # TRIS' maps too
    assert weights == {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    after = stamps(out / "figures")
    assert after.items() >= before.items()
    record = json.loads((tables / "tables.json").read_text())
    captions = [table["caption"].partition(":")[0] for table in record["tables"]]
    assert captions == ["Table 1", "Table 2", "Table 3", "§4.3", "Beyond the paper", "Table 4"]
    for part in record["tables"][0]["parts"]:
        own = {row["title"]: row for row in part["rows"]}
        assert list(own) == [
            *("Whole picture", "Random", "GL CLIP (stage 1's candidates)", "best box of the class"),
            *("S+S", "S+S with words", "TSEG", "TSEG snapped", "TRIS maps", "TRIS maps snapped"),
            *("TRIS", "Shatter & Gather", "Shatter & Gather snapped"),
            "Shatter & Gather best entity",
            *("S+S+C", "S+S+C best", "supervised", "Oracle"),
        ]
        assert own["TSEG"]["seeds"] == [0]
        assert all(0 <= value <= 100 for row in own.values() for value in row["ours"]["mIoU"])
        assert own["S+S+C"]["ours"] == {"oIoU": [50.0], "mIoU": [25.0]}
    assert any("sam+select" in note for note in record["notes"])

    whole = (tables / "tables.md").read_text()
    [lost, *_] = (out / "figures").glob("gather-*.json")
    lost.unlink()
    main(command)  # of all figures the missing one
    now = stamps(out / "figures")
    assert {path for path in now if now[path] != after[path]} == {lost}
    assert (tables / "tables.md").read_text() == whole


@pytest.mark.long
def test_rows_without_a_checkpoint_are_left_out_and_named(tmp_path, capsys):
    [scene] = pictures(1)
    test = export([scene], tmp_path / "test.jsonl", masks=True)
    study_of(tmp_path / "study", [test])
    command = ["--test", str(test), "--study", str(tmp_path / "study"), "--no-training"]
    command += ["--out", str(tmp_path / "out"), "--figures", str(tmp_path / "tables")]
    main([*command, "--seeds", "5", "--no-stages"])
    record = json.loads((tmp_path / "tables" / "tables.json").read_text())
    assert "Left out: TSEG of seed 5: not trained." in record["notes"]
    first, last = record["tables"]
    assert last["caption"].startswith("Table 4")
    titles = [row["title"] for row in first["parts"][0]["rows"]]
    assert "S+S+C" in titles
    assert "TSEG" not in titles
    assert not list((tmp_path / "out").rglob("*.safetensors"))


@pytest.mark.long
def test_seconds_a_sample_are_kept(tmp_path):
    figure = efficiency.measured("base", 1, tmp_path, tiny=True)
    assert list(figure["seconds"]) == ["GL-CLIP", "GL-CLIP (SAM)", "S+S", "S+S+C"]
    assert min(figure["seconds"].values()) > 0
    assert efficiency.measured("base", 1, tmp_path, tiny=True) == figure
    table = efficiency.table("base", figure)
    assert [row[4] for row in table["rows"]] == ["2.4", "14.8", "8.9", "1.0"]
    assert table["rows"][3][2] == "1.0"
