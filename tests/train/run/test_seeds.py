"""`python -m train seeds`: what is run, and what comes of it."""

import json

import pytest
from accelerate.state import AcceleratorState

from tests.train.slice_pictures import pictures
from train.data.export import export
from train.run import seeds


@pytest.fixture(autouse=True)
def _another_precision():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def row(miou):
    return {"mIoU": miou, "oIoU": miou / 2, "choice accuracy": None}


ROWS = {
    "S+S": row(0.4),
    "Oracle": row(0.9),
    "best, seed 0": row(0.6),
    "best, seed 7": row(0.7),
    "supervised, seed 0": row(0.8),
    "supervised, seed 7": row(0.7),
}


def test_the_gap_is_that_of_each_seeds_own_upper_bound():
    found = seeds.summary(ROWS, ["best", "supervised"], [0, 7])
    assert list(found["fixed"]) == ["S+S", "Oracle"]
    assert found["recipes"]["best"]["mIoU"] == [0.6, 0.7]
    assert list(found["gap closed"]) == ["best"]
    assert found["gap closed"]["best"] == pytest.approx([0.5, 1.0])


def test_of_no_gap_there_is_no_share():
    rows = ROWS | {"supervised, seed 7": row(0.4)}
    found = seeds.summary(rows, ["best", "supervised"], [0, 7])
    assert found["gap closed"]["best"] == [pytest.approx(0.5), None]


def test_without_an_upper_bound_there_is_no_gap():
    assert seeds.summary(ROWS, ["best"], [0, 7])["gap closed"] == {}


def test_the_table_has_mean_and_spread():
    report = {"splits": {"hard": seeds.summary(ROWS, ["best", "supervised"], [0, 7])}}
    lines = seeds.markdown(report).splitlines()
    assert "| hard | S+S | 40.0 | 20.0 |  | |" in lines
    assert "| hard | best | 65.0 ± 7.1 | 32.5 ± 3.5 |  | 75.0 ± 35.4 |" in lines
    assert "| hard | supervised | 75.0 ± 7.1 | 37.5 ± 3.5 |  |  |" in lines


def test_all_recipes_from_one_command(tmp_path, capsys):
    scenes = list(pictures(5))
    data = export(scenes[:4], tmp_path / "train.jsonl", masks=True)
    test = export(scenes[4:], tmp_path / "test.jsonl", masks=True)
    out, table = tmp_path / "out", tmp_path / "seeds.json"
    command = ["--data", str(data), "--out", str(out), "--test", str(test), "--seeds", "0", "5"]
    command += ["--json", str(table), "--steps", "1", "--batch", "2", "--watch", "0"]
    seeds.main(command)
    report = json.loads(table.read_text())
    found = report["splits"][str(test)]
    assert report["command"] == f"python -m train seeds {' '.join(command)}"
    assert list(found["fixed"]) == ["Random", "Oracle", "S+S", "S+S spatial", "Start"]
    assert list(found["recipes"]) == ["paper", "best", "supervised"]
    assert all(len(own["mIoU"]) == 2 for own in found["recipes"].values())
    assert list(found["gap closed"]) == ["paper", "best"]
    assert "| best | " in capsys.readouterr().out
    # Stages 1 and 2 are looked at once, and every run has a checkpoint of its own.
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == sorted(
        [*(f"{r}-{s}" for r in found["recipes"] for s in (0, 5)), "pseudo", "spatial", "cache"]
    )
    weights = {(out / f"best-{s}/checkpoint/model.safetensors").read_bytes() for s in (0, 5)}
    assert len(weights) == 2
    assert not (out / "supervised-0" / "pseudo").exists()

    seeds.main(command)  # nothing is left to do
    assert "complete, skipped" in capsys.readouterr().out
    assert json.loads(table.read_text()) == report
