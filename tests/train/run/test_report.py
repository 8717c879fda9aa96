"""The report of a run: its figures are those of the logs."""

import argparse
import json
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.train.pseudo.random_pictures import picture
from train.pseudo.store import begin, write_shard
from train.run import curves as figures
from train.run import report
from train.run.logs import read_rows
from train.run.steps import RECIPES, steps
from train.run.verdict import verdict

pytestmark = pytest.mark.long

SETTINGS = {"data": "a.jsonl", "model set": "mini", "options": ""}


def training(folder, seconds, rows):
    folder.mkdir()
    run = {"updates": 40, "batch": 8}
    state = {"update": 40, "seconds": seconds, "run": run, "model": {"w": torch.zeros(3)}}
    torch.save(state, folder / "state.pt")
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def written(folder):
    """The report's Markdown."""
    return report.write_report(folder).with_suffix(".md").read_text()


def step(update, loss, objects, matched, same):
    return {"update": update, "loss": loss, "objects": objects, "matched": matched} | {
        "as chosen": same
    }


def evaluation(before, after, source="b.jsonl", **others):
    names = ("oIoU", "P@0.5", "P@0.7", "P@0.9")
    rows = {
        title: {"samples": 5, "mIoU": value, "choice accuracy": None, **dict.fromkeys(names, 0.0)}
        for title, value in {"S+S": before, "S+S+C": after, **others}.items()
    }
    found = {"share": 1.0, "S+S choice accuracy": None, "chance": 0.5}
    groups = {"all": {"rows": rows, "right candidate found": found}}
    return {"command": "python …", "splits": {source: groups}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(SETTINGS))
    begin(tmp_path / "pseudo", {"pictures": 2})
    write_shard(tmp_path / "pseudo", 0, [picture(0), picture(1)])
    logs = [{"pictures": 100, "seconds": 50.0, "workers": 2, "device": "CPU"}] * 2
    (tmp_path / "pseudo" / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in logs))
    rows = [step(19, 0.5, 10, 10, 10), {"update": 19, "val mIoU": 0.25}, step(39, 0.2, 8, 6, 3)]
    training(tmp_path / "bootstrap", 160.0, rows)
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation(0.4, 0.5)))
    return tmp_path


def test_figures(folder):
    text = written(folder)
    assert "\n2 pictures, 0 of them unreadable" in text
    assert (
        "On CPU: 2.00 pictures a second; 1,000 pictures take 500 s, 1,000 s of one process." in text
    )
    row = "| bootstrap | 40 | 320 | 160 | 2.00 | 500.0 | 0.5000 | 0.2000 | 75.0 % | 50.0 % | 25.0 |"
    assert row in text
    assert "b.jsonl: S+S+C reaches 50.0. S+S reaches 40.0 (mIoU" in text
    assert "No gain" not in text
    assert "These are the training pictures" not in text
    assert "## Checkpoint" not in text
    assert not list(folder.glob("*.tmp*"))


def test_a_checkpoint_that_is_worse_than_its_start_is_no_gain():
    [said] = verdict(evaluation(0.4, 0.5, Start=0.6))
    expected = (
        "reaches 50.0. S+S reaches 40.0, the checkpoint at the start 60.0 (mIoU, or P@0.5 of "
        "boxes, in per cent)."
    )
    assert f"{expected} No gain" in said
    [said] = verdict(evaluation(0.4, 0.5, Start=0.45))
    assert said.endswith("45.0 (mIoU, or P@0.5 of boxes, in per cent).")


def test_a_gain_may_be_that_of_both_together():
    rows = {"S+S and S+S+C": 0.5, "Start": 0.2, "S+S and Start": 0.45}
    [said] = verdict(evaluation(0.4, 0.3, **rows))
    expected = (
        "S+S+C reaches 30.0, together with S+S 50.0. S+S reaches 40.0, the checkpoint at the "
        "start 20.0, together with S+S 45.0 (mIoU, or P@0.5 of boxes, in per cent)."
    )
    assert said.endswith(expected)
    [said] = verdict(evaluation(0.4, 0.3, **rows | {"S+S and Start": 0.5}))
    assert "No gain" in said


def test_curves_are_drawn(folder):
    text = written(folder)
    for name in ("curves", "evaluation"):
        assert f"![{name}]({name}.png)" in text
        with Image.open(folder / f"{name}.png") as image:
            assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_curves_show_all_rounds_one_after_the_other():
    log = [step(9, 0.5, 10, 9, 8), {"update": 9, "val mIoU": 0.25}, step(19, 0.2, 8, 6, 3)]
    figure = figures.curves(dict.fromkeys(figures.COLOURS, log), {})
    for axes, points in zip(figure.axes[::2], ([10, 20], [10])):  # loss and mIoU
        shown = {line.get_label(): list(line.get_xdata()) for line in axes.get_lines()}
        for number, name in enumerate(figures.COLOURS):
            assert shown[name] == [20 * number + at for at in points]


def test_the_report_knows_the_trainings_of_every_recipe(tmp_path):
    args = argparse.Namespace(
        out=tmp_path, shared=tmp_path, data="a", model="mini", model_set="mini", init=None, val=None
    )
    args.workers, args.processes, args.measured, args.fit, args.seed = 1, 1, [], [], 0
    args.allow_missing = False
    for args.recipe in RECIPES:
        made = [s.output.name for s in steps(args) if s.module == "train.fit"]
        assert made == [name for name in figures.COLOURS if name in made]
        assert len({figures.COLOURS[name] for name in made}) == len(made)


def test_without_matplotlib_the_figures_are_there(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = written(folder)
    assert "pip install matplotlib" in text
    assert "| bootstrap | 40 |" in text
    assert not list(folder.glob("*.png"))


def test_a_loss_of_accuracy_is_said():
    [line] = verdict(evaluation(0.4, 0.4))
    assert "No gain" in line
    assert verdict(evaluation(None, None)) == []


def test_measures_on_the_training_pictures_are_told(folder):
    (folder / "evaluation.json").write_text(json.dumps(evaluation(0.4, 0.5, "a.jsonl")))
    (folder / "checkpoint").mkdir()
    text = written(folder)
    assert "These are the training pictures" in text
    assert f"`python demo_app.py --models mini --correct {folder / 'checkpoint'}`" in text


def test_counts_of_the_store(folder):
    counts = report.store_figures(folder / "pseudo")
    objects = [thing for number in (0, 1) for thing in picture(number).objects]
    assert counts["objects"] == len(objects)
    assert counts["expressions"] == sum(len(thing.expressions) for thing in objects)
    assert counts["candidates"] == sum(len(thing.candidates) for thing in objects)
    assert counts["empty"] == sum(not len(thing.candidates) for thing in objects)
    [shard] = (folder / "pseudo").glob("shard-*")
    assert counts["bytes"] == shard.stat().st_size
    assert report.store_figures(folder) is None


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"error: .*expected a folder of python -m train run"):
        report.main([str(tmp_path)])


def test_a_line_that_a_killed_run_left_is_not_read(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"update": 1}\n{"upd')
    assert read_rows(tmp_path / "log.jsonl") == [{"update": 1}]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
def test_smoothing_stays_among_the_values(values):
    smooth = figures.smooth(values)
    assert len(smooth) == len(values)
    assert smooth[0] == values[0]
    assert all(min(values) - 1e-9 <= value <= max(values) + 1e-9 for value in smooth)
