"""What a run is said to take, reckoned from a sample that is given instead of measured."""

import json
import re

import pytest
from PIL import Image

from train.run import __main__ as run
from train.run import plan
from train.run.plan import Sample

PICTURES = 100
UPDATES = 50  # of each training
SAMPLE = Sample(
    pictures=6,
    objects=12,
    expressions=36,
    look=3.0,
    bootstrap=10.0,
    correct=20.0,
    store=1e6,
    cache=2e6,
    training=300_000_000,
)


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.jsonl"
    rows = ({"image": f"{k}.jpg", "objects": [["left dog"]]} for k in range(PICTURES))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.fixture
def described(data, tmp_path, monkeypatch):
    """Of a recipe and other options: title → (time, size), and the line about all of them."""
    monkeypatch.setattr(plan, "measure", lambda args, folder: SAMPLE)

    def describe(*options):
        command = ["--data", data, "--out", str(tmp_path / "out"), "--init", "none"]
        text = plan.describe(run.parse([*command, "--steps", str(UPDATES), *options]))
        rows = re.findall(r"^Step \d of \d: (.*?)  +.*?(\S+ \S+) +(–|\S+ \S+)$", text, re.M)
        [whole] = re.findall(r"^About (\S+ \S+) in all, .*; (\S+ \S+) of disk in ", text, re.M)
        return {title: (time, size) for title, time, size in rows}, whole

    return describe


def test_the_papers_recipe(described):
    rows, whole = described()
    assert rows == {
        "S1 and S2, stages 1 and 2": ("5.0 min", "100.0 MB"),
        "bootstrap, on the masks of S2": ("8.3 min", "500.0 MB"),  # with the cache
        "correct, by matching over S1": ("16.7 min", "600.0 MB"),  # with its copy
        "report": ("0 s", "–"),
    }
    assert whole == ("30.0 min", "1.2 GB")


def test_the_best_recipe_counts_what_it_adds(described):
    rows, whole = described("--recipe", "best")
    assert rows == {
        "S1 and S2, stages 1 and 2": ("5.0 min", "100.0 MB"),
        "S2 with words counted": ("0 s", "100.0 MB"),  # no network
        "bootstrap, on the masks of S2": ("8.3 min", "500.0 MB"),
        "correct, by matching over S1": ("16.7 min", "300.0 MB"),
        "correct, by matching over S1, round 2": ("16.7 min", "600.0 MB"),
        "report": ("0 s", "–"),
    }
    assert whole == ("46.7 min", "1.6 GB")


def test_processes_share_the_work(described):
    rows, whole = described("--workers", "2", "--processes", "5")
    assert [time for time, _ in rows.values()] == ["2.5 min", "100 s", "3.3 min", "0 s"]
    assert whole == ("7.5 min", "1.2 GB")


def test_another_recipe_does_not_go_on_in_the_folder(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    command = ["--data", data, "--out", str(out)]
    run._begin(run.parse(command))
    run._begin(run.parse([*command, "--recipe", "paper"]))
    with pytest.raises(run.InputError, match=r"go on with recipe = paper, got best"):
        run._begin(run.parse([*command, "--recipe", "best"]))
    note = json.loads((out / "run.json").read_text())
    del note["recipe"]  # a note without a recipe
    (out / "run.json").write_text(json.dumps(note))
    with pytest.raises(run.InputError, match=r"go on with recipe = None, got best"):
        run._begin(run.parse([*command, "--recipe", "best"]))


def test_data_that_have_changed_go_on_in_the_folder(tmp_path):
    """Though options follow from the number of pictures."""
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    out.mkdir()
    command = ["--data", str(data), "--out", str(out), "--init", "none", "--batch", "1"]
    noted = set()
    for count in (3, 90):
        rows = [{"image": "a.png", "name": str(k), "objects": [["the dog"]]} for k in range(count)]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run._begin(run.parse(command))
        noted.add(json.loads((out / "run.json").read_text())["options"])
    assert len(noted) == 2
    with pytest.raises(run.InputError, match=r"go on with options = --batch 1 .*, got --batch 2"):
        run._begin(run.parse([*command[:-1], "2"]))


@pytest.mark.parametrize(
    ("options", "begins"),
    [
        (["--init", "none"], "fresh weights"),
        (["--init", "mine"], "mine"),
        (["--visual", "eyes.safetensors"], "eyes.safetensors"),
        (["--model", "swin_b"], "BERT and ImageNet's Swin-B"),
        (["--model", "swin_b", "--visual", "swin.pth"], "BERT and swin.pth"),
        (["--model", "swin_b", "--visual", "none"], "BERT"),
    ],
)
def test_what_a_training_begins_with_is_said(data, tmp_path, monkeypatch, options, begins):
    monkeypatch.setattr(plan, "measure", lambda args, folder: SAMPLE)
    text = plan.describe(run.parse(["--data", data, "--out", str(tmp_path / "out"), *options]))
    assert f"for stage 3, from {begins}\n" in text
