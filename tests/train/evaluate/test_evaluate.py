"""What the evaluation counts, by hand, and its command on rendered scenes and own data sets."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from tests.train.squares import ASKED, candidates_of, picture, pipeline, squares
from train.data import Picture, Referred
from train.data.usable import LeftOut
from train.evaluate import __main__ as module
from train.evaluate.__main__ import choose_rows
from train.evaluate.counting import evaluate
from train.evaluate.methods import ROWS, Row
from train.evaluate.tables import gap_closed, markdown


class Data:
    """Pictures in memory."""

    name = "toy"

    def __init__(self, *pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index]


def rows_of(*names):
    return [ROWS[name](pipeline()) for name in names]


def test_counts_by_hand():
    report = evaluate(pipeline(), rows_of("s+s", "oracle"), Data(picture(*ASKED)))
    assert list(report) == ["all"]
    plain, best = report["all"]["rows"]["S+S"], report["all"]["rows"]["Oracle"]
    assert plain["samples"] == best["samples"] == 4
    assert plain["mIoU"] == plain["choice accuracy"] == 0.75  # "unicorn" finds nothing
    assert report["all"]["right candidate found"] == {
        "share": 0.75,
        "S+S choice accuracy": 1.0,
        "chance": pytest.approx(1 / 3),
    }


def test_kinds_are_groups():
    image, masks = squares()
    things = (
        Referred("0", ("red one", "unicorn"), masks[0], ("attribute", "strange")),
        Referred("1", ("green one",), masks[1], ("attribute",)),
    )
    report = evaluate(pipeline(), rows_of("s+s"), Data(Picture("a", image, things, masks)))
    assert list(report) == ["all", "attribute", "strange"]
    scores = {kind: group["rows"]["S+S"]["mIoU"] for kind, group in report.items()}
    assert scores == {"all": pytest.approx(2 / 3), "attribute": 1.0, "strange": 0.0}


def test_truth_decides_what_is_measured():
    image, masks = squares()
    boxes = candidates_of(masks).boxes
    boxed = Referred("0", ("red one", "blue one"), box=boxes[0])
    unknown = Referred("1", ("green one",))
    masked = Referred("2", ("green two",), masks[1])
    report = evaluate(
        pipeline(), rows_of("s+s"), Data(Picture("a", image, (boxed, unknown, masked)))
    )
    row = report["all"]["rows"]["S+S"]
    assert (row["boxes"], row["box P@0.5"]) == (2, 0.5)
    assert (row["samples"], row["mIoU"], row["choice accuracy"]) == (1, 1.0, None)
    table = markdown({"splits": {"toy": report}})
    assert "| toy | all (3) | S+S | 100.0 | 100.0 | 100.0 | 100.0 | 100.0 | – | 50.0 |" in table
    only_boxes = evaluate(pipeline(), rows_of("s+s"), Data(Picture("a", image, (boxed,))))
    assert only_boxes["all"]["rows"]["S+S"]["mIoU"] is None
    with pytest.raises(InputError, match="neither in 1 pictures"):
        evaluate(pipeline(), rows_of("s+s"), Data(Picture("a", image, (unknown,))))


def test_what_is_no_single_instance_has_no_choice():
    image, masks = squares()
    all_three = Referred("0", ("red ones",), masks.any(axis=0))
    nothing = Referred("1", ("unicorn",), np.zeros_like(masks[0]))
    report = evaluate(
        pipeline(), rows_of("s+s"), Data(Picture("a", image, (all_three, nothing), masks))
    )
    row = report["all"]["rows"]["S+S"]
    assert row["mIoU"] == pytest.approx((1 / 3 + 1) / 2)
    assert row["choice accuracy"] is None


def test_the_first_pictures():
    data = Data(*[picture(*ASKED)] * 3)
    rows = rows_of("s+s")
    assert evaluate(pipeline(), rows, data)["all"]["rows"]["S+S"]["samples"] == 12
    assert evaluate(pipeline(), rows, data, pictures=2)["all"]["rows"]["S+S"]["samples"] == 8


def test_rows_are_chosen_by_name(monkeypatch):
    titles = [row.title for row in choose_rows(pipeline(), None, [])]
    assert titles == ["Random", "Oracle", "S+S", "S+S matched"]
    assert [r.title for r in choose_rows(pipeline(), ["s+s", "s+s"], [])] == ["S+S"]
    for wanted, message in (
        (["best"], "got best"),
        (["s+s+c"], "stage 3"),
        (["sam+select"], "SAM"),
    ):
        with pytest.raises(InputError, match=message):
            choose_rows(pipeline(), wanted, [])

    def rows_of_checkpoint(title, folder, together):
        return [Row(f"{title} {folder}", list)] * (1 + together)

    monkeypatch.setattr(module, "checkpoint", rows_of_checkpoint)
    added = choose_rows(pipeline(), ["s+s"], ["supervised=a=b"])
    assert [row.title for row in added] == ["S+S", "supervised a=b"]
    assert len(choose_rows(pipeline(), ["s+s"], ["supervised=a=b"], together=True)) == 3
    for pair, message in (("folder", "NAME=FOLDER"), ("S+S=folder", "twice")):
        with pytest.raises(InputError, match=message):
            choose_rows(pipeline(), ["s+s"], [pair])


def test_the_share_of_the_gap():
    rows = {"S+S": {"mIoU": 0.4}, "S+S+C": {"mIoU": 0.6}}
    assert gap_closed(rows) is None
    assert gap_closed({**rows, "supervised": {"mIoU": 0.65}}) == pytest.approx(0.8)
    nothing = {name: {"mIoU": None} for name in ("S+S", "S+S+C", "supervised")}
    assert gap_closed(nothing) is None


def own_data(folder):
    """A data set of one's own: the squares with masks, as JSONL."""
    image, masks = squares()
    Image.fromarray(image).save(folder / "a.png")
    for k, mask in enumerate(masks):
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{k}.png")
    said = (["red one"], ["green one", "unicorn"])
    objects = [{"expressions": texts, "mask": f"{k}.png"} for k, texts in enumerate(said)]
    path = folder / "own.jsonl"
    path.write_text(json.dumps({"image": "a.png", "objects": objects}) + "\n")
    return path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["evaluate", *map(str, arguments)])
    module.main()


def test_the_command_on_ones_own_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ssc.load", lambda name, correct: pipeline())
    path, out = own_data(tmp_path), tmp_path / "report.json"
    run(monkeypatch, "--data", path, "--rows", "s+s", "best-box", "--json", out)
    report = json.loads(out.read_text())
    assert list(report["splits"]) == [str(path)]
    rows = report["splits"][str(path)]["all"]["rows"]
    assert rows["S+S"]["mIoU"] == pytest.approx(2 / 3)
    assert rows["best box of the class"]["mIoU"] == pytest.approx(1 / 3)
    assert rows["S+S"]["choice accuracy"] is None  # it is not said that these are all
    assert report["command"].startswith("python -m train.evaluate --data")
    printed = capsys.readouterr().out
    assert "| best box of the class | " in printed
    assert "Class projection" not in printed
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "none"], "expected some of random"),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--data", "strange"], "expected refsprites"),
        (["--scenes", "0"], "1 or more"),
        (["--ablations", "--rows", "s+s"], "rows of its own"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr("ssc.load", lambda name, correct: pipeline())
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, *arguments)
    assert stop.value.code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last
    assert "error: " in last


@pytest.mark.long
def test_the_bundled_set_on_scenes_and_its_ablations(tmp_path, monkeypatch, capsys):
    out = tmp_path / "report.json"
    rows = ("random", "oracle", "s+s", "matched", "words", "best-box", "gl-clip")
    run(monkeypatch, "--splits", "val", "--scenes", 2, "--rows", *rows, "--json", out)
    report = json.loads(out.read_text())
    groups = report["splits"]["val"]
    assert len(groups["all"]["rows"]) == len(rows)
    assert report["detector"]["val"].keys() == {"AP50", "recall", "mask IoU in true boxes"}
    best = groups["all"]["rows"]["Oracle"]["mIoU"]
    assert all(row["mIoU"] <= best + 1e-9 for row in groups["all"]["rows"].values())
    assert "Class projection: " in capsys.readouterr().out
    run(monkeypatch, "--ablations", "--scenes", 1, "--json", out)
    tables = json.loads(out.read_text())["tables"]
    printed = capsys.readouterr().out
    for caption, titles in tables.items():
        assert caption in printed
        assert all(f"| {title} | " in printed for title in titles)


def tiny_published():
    """The networks of the published sets, tiny and random: their answers mean nothing."""
    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.segment.grounding import GroundingDetector, TransformersNetwork
    from ssc.segment.sam import SamSegmenter
    from ssc.select import Select
    from ssc.words.nouns import SpacyNouns
    from tests.segment.tiny_grounding import shake, tiny_tokenizer, tiny_transformers
    from tests.segment.tiny_sam import tiny_sam
    from tests.tiny_clip import tiny_clip

    tokenizer = tiny_tokenizer()
    network = TransformersNetwork(shake(tiny_transformers()), tokenizer)
    segment = Segment(
        SpacyNouns(),
        ClassProjection(tiny_clip(resnet=True), ("person", "dog", "car")),
        GroundingDetector(network, tokenizer, threshold=0.5),
        SamSegmenter(tiny_sam()),
    )
    return Pipeline(segment, Select(tiny_clip(resnet=False)))


@pytest.mark.long
def test_published_networks_on_refcocos_layout(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ssc.segment.grounding.SHORT_SIDE", 64)
    parts = tiny_published()
    monkeypatch.setattr("ssc.load", lambda name, correct: parts)
    source, out = f"refer:{root}/refcoco:unc:train", tmp_path / "report.json"
    rows = ("random", "oracle", "s+s", "matched", "words", "best-box", "sam+select", "gl-clip")
    run(monkeypatch, "--models", "paper", "--data", source, "--rows", *rows, "--json", out)
    report = json.loads(out.read_text())
    found = report["splits"][source]["all"]["rows"]
    assert list(found)[5:] == ["G-DINO + SAM", "SAM + Select", "GL CLIP (SAM)"]
    assert {row["samples"] for row in found.values()} == {4}
    assert {row["choice accuracy"] is None for row in found.values()} == {False}
    assert "nouns" not in report
    capsys.readouterr()
    run(monkeypatch, "--models", "paper", "--data", source, "--ablations")
    printed = capsys.readouterr().out
    for title in ("no projection", "red_ellipse, clip-vit-b-32", "red_ellipse, clip-vit-l-14-336"):
        assert f"| {title} | " in printed


def test_case_19_results_are_on_disk_before_they_are_shown(tmp_path, monkeypatch):
    file = tmp_path / "new" / "report.json"
    monkeypatch.setattr(sys, "argv", ["evaluate", "--rows", "s+s", "--json", str(file)])
    monkeypatch.setattr(module, "run", lambda args: {"splits": {}})

    def narrow(report):
        assert json.loads(file.read_text()) == report
        return "± \ud800"

    monkeypatch.setattr(module, "markdown", narrow)
    module.main()
    assert file.exists()


def test_case_11_a_picture_that_cannot_be_used_is_left_out_and_counted():
    class Holed(Data):
        def __getitem__(self, index):
            if index == 1:
                raise OSError(2, "No such file or directory", "b.jpg")
            return super().__getitem__(index)

        def picture_name(self, index):
            return f"picture {index}"

    whole, left_out = Holed(*[picture(*ASKED)] * 4), LeftOut("toy", 4)
    report = evaluate(pipeline(), rows_of("s+s"), whole, left_out=left_out)
    assert report["all"]["rows"]["S+S"]["samples"] == 12
    assert left_out.record()["pictures"] == 1
    assert "b.jpg" in left_out.record()["named"]["picture 1"]
    text = markdown({"splits": {"toy": report}, "left out": {"toy": left_out.record()}})
    assert "toy: 1 of 4 pictures (25.0 %) cannot be used and are left out: picture 1." in text
    with pytest.raises(InputError, match=r"2 of 10 .* --allow-missing"):
        evaluate(
            pipeline(),
            [Row("fails", lambda asked: 1 / 0)],
            Holed(*[picture(*ASKED)] * 10),
        )
