"""`python -m ssc bench`: equal work on both sides, honest labels, complete reports."""

import json

import numpy as np
import pytest
import torch

from ssc.__main__ import main
from ssc.bench import measure as module
from ssc.bench.measure import Settings, difference, make_tasks, measure
from ssc.bench.networks import random_pipeline
from ssc.bench.steps import fresh, in_float32
from ssc.cache import Cache
from ssc.segment import grounding

ROW = {"seconds", "reference", "ratio", "gflop", "share"}
STEPS = ["classes", "boxes", "miss", "masks", "select", "correct"]
RANDOM = "random weights: times only, no results"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "SIZE", (48, 64))
    monkeypatch.setattr(grounding, "SHORT_SIDE", 64)


@pytest.fixture(scope="module")
def pipeline():
    return random_pipeline("base", torch.device("cpu"), torch.float32, tiny=True)


@pytest.mark.long
def test_both_ways_give_the_same_answers(pipeline):
    settings = Settings(boxes=3, expressions=2, repeats=2, warmup=1)
    measured = measure(pipeline, settings, peak=0.5)
    assert measured["settings"] == {"boxes": 3, "expressions": 2, "repeats": 2, "warmup": 1}
    rows = measured["steps"]
    assert list(rows) == [*STEPS, "S+S", "S+S+C"]
    for name, row in rows.items():
        assert row.keys() == ROW | ({"difference"} if name in STEPS else set())
        assert row["ratio"] == pytest.approx(row["reference"] / row["seconds"])
        assert row["share"] == pytest.approx(row["gflop"] / 1e3 / row["seconds"] / 0.5)
        assert name == "classes" or row["gflop"] > 0
    assert rows["S+S+C"]["gflop"] == pytest.approx(
        sum(rows[step]["gflop"] for step in STEPS if step != "miss")
    )
    assert rows["S+S+C"]["seconds"] > rows["S+S"]["seconds"]
    # On a processor nothing found costs what something found does.
    assert rows["miss"]["gflop"] <= 1.3 * rows["boxes"]["gflop"]
    limits = {
        "classes": 0,
        "boxes": 1e-3,
        "miss": 0,
        "masks": 1e-3,
        "select": 5e-3,
        "correct": 1e-4,
    }
    for step, limit in limits.items():
        assert rows[step]["difference"] <= limit, step


@pytest.mark.long
def test_a_difference_is_seen(pipeline, monkeypatch):
    one, other = np.zeros(3, np.float32), np.array([0, 0.5, 0], np.float32)
    assert difference([one], [other]) == 0.5
    assert difference(["dog"], ["cat"]) == 1
    assert difference([one > 0], [other > 0]) == pytest.approx(1 / 3)
    assert difference([one], [one[:2]]) is None
    assert difference([one], [one + np.nan]) is None
    monkeypatch.setitem(
        module.REFERENCE, "correct", lambda p, t: [np.zeros((48, 64), np.float32)] * 2
    )
    rows = measure(pipeline, Settings(2, 2, 1, 0), 1.0, ["correct"])["steps"]
    assert list(rows) == ["correct"]
    assert rows["correct"]["difference"] > 0.1


def test_tasks_share_nothing_that_could_be_kept():
    tasks = make_tasks(Settings(boxes=4, expressions=16, repeats=2, warmup=1))
    assert len(tasks) == 4
    assert len({task.image.tobytes() for task in tasks}) == 4
    assert len({text for task in tasks for text in task.expressions}) == 4 * 16
    for task in tasks:
        assert len(task.candidates) == 4
        assert task.candidates.masks.any(axis=(1, 2)).all()


def test_fresh_keeps_nothing_and_shares_networks(pipeline):
    [task, *_] = make_tasks(Settings(2, 1, 1, 0))
    pipeline.segment.segmenter.segment(task.image, task.candidates.boxes)
    other = fresh(pipeline)
    assert other.segment.segmenter.model is pipeline.segment.segmenter.model
    assert other.segment.nouns is not pipeline.segment.nouns
    assert other.segment.nouns.parser is pipeline.segment.nouns.parser  # loaded once
    caches = [pipeline.segment.segmenter._embeddings, other.segment.segmenter._embeddings]
    assert isinstance(caches[1], Cache)
    assert [len(cache._values) for cache in caches] == [1, 0]


@pytest.mark.long
def test_the_reference_is_in_float32():
    half = random_pipeline("base", torch.device("cpu"), torch.bfloat16, tiny=True)
    # As a processor that gains by it has it, whatever this one does.
    half.segment.segmenter.model.image_encoder.to(torch.bfloat16)
    half.segment.segmenter.dtype = torch.bfloat16
    other = in_float32(half)
    assert next(half.segment.segmenter.model.image_encoder.parameters()).dtype == torch.bfloat16
    for part in (
        other.segment.segmenter,
        other.segment.detector.network,
        other.segment.classes.clip,
        other.select.clip,
    ):
        assert part.dtype == torch.float32
        assert {p.dtype for p in part.model.parameters()} == {torch.float32}
    assert other.select.clip.model is half.select.clip.model
    assert half.select.clip.dtype == torch.bfloat16
    rows = measure(half, Settings(2, 1, 1, 0), 1.0, ["select", "correct"])["steps"]
    assert 0 < rows["select"]["difference"] < 0.1


@pytest.mark.long
def test_command(tmp_path, capsys):
    quick = ["--tiny", "--repeats", "1", "--warmup", "0", "--device", "cpu"]
    some = ["--boxes", "2", "--expressions", "1", "--out", str(tmp_path / "out")]
    assert main(["bench", "--models", "base", "--targets", *quick, *some]) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert record.keys() == {"machine", "peak", "sets"}
    assert record["machine"]["device"] == "cpu"
    assert record["machine"]["dtype"] == record["peak"]["dtype"] == "float32"
    assert record["peak"]["tflops"] > 0
    stage_2, lavt, base = record["sets"].values()
    assert (stage_2["settings"]["boxes"], lavt["settings"]["expressions"]) == (8, 4)
    assert list(stage_2["steps"]) == ["select"]
    assert list(lavt["steps"]) == ["correct"]
    assert list(base["steps"]) == [*STEPS, "S+S", "S+S+C"]
    markdown = (tmp_path / "out" / "bench.md").read_text()
    for text in (printed, markdown):  # said wherever such figures stand
        assert text.count(RANDOM) == 2
        assert "| S+S+C |" in text
        assert text.count("*miss*: ") == 1  # what it is, where there is one
        assert "float32" in text
    assert RANDOM in lavt["weights"]
    assert RANDOM in base["weights"]
    assert "Missing: figures of a GPU" in printed
    assert (tmp_path / "out" / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--boxes", "0"], "--boxes: expected 1 to 64, got 0"),
        (["--expressions", "17"], "--expressions: expected 1 to 16, got 17"),
        (["--device", "abacus"], "expected a device of this machine, got abacus"),
    ],
)
def test_bad_options_are_one_line(options, message, capsys):
    assert main(["bench", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
