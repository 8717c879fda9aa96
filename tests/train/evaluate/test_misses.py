"""What is answered wrongly, and why."""

from dataclasses import replace

import numpy as np
import pytest

from ssc.metrics import mask_box
from tests.fake_pipeline import fake_pipeline, scene_candidates, scene_image
from train.data import Picture, Referred
from train.evaluate.methods import ask
from train.evaluate.misses import CAUSES, markdown, misses


@pytest.fixture(scope="module")
def pipeline():
    return fake_pipeline(correct=False)


def one(pipeline, thing, instances=None, names=()):
    picture = Picture("desk", scene_image(), (thing,), instances, names)
    return misses(pipeline, ask(pipeline, picture))


def test_right_answers_are_no_misses(pipeline):
    [result] = pipeline(scene_image(), ["left laptop"])
    assert one(pipeline, Referred("0", ("left laptop",), result.mask)) == []
    boxed = Referred("0", ("left laptop",), box=mask_box(result.mask))
    assert one(pipeline, boxed) == []
    assert one(pipeline, Referred("0", ("left laptop",))) == []  # nothing to compare with


def test_causes(pipeline):
    found = scene_candidates(240, 320)
    [result] = pipeline(scene_image(), ["left laptop"])
    other = found.masks[result.answer.index - 1]
    [row] = one(pipeline, Referred("0", ("left laptop",), other))
    assert (row["cause"], row["picture"], row["expression"]) == ("choice", "desk", "left laptop")
    assert row["chosen"].startswith(f"{result.answer.number} of {len(found)}: laptop 0.")
    ring = np.zeros_like(other)
    x0, y0, x1, y1 = found.boxes[0].astype(int)
    ring[y0, x0:x1] = ring[y1 - 1, x0:x1] = ring[y0:y1, x0] = ring[y0:y1, x1 - 1] = True
    assert one(pipeline, Referred("0", ("left laptop",), ring))[0]["cause"] == "mask"
    corner = np.zeros_like(other)
    corner[:9, :9] = True
    hidden = Referred("0", ("left laptop",), corner)
    assert one(pipeline, hidden)[0]["cause"] == "box"
    assert one(pipeline, hidden, corner[None], ("laptop",))[0]["cause"] == "box"
    assert one(pipeline, hidden, corner[None], ("dog",))[0]["cause"] == "class"
    [nothing] = one(pipeline, replace(hidden, expressions=("the unicorn",)))
    assert nothing["chosen"] == "nothing (horse: 0 candidates)"


def test_the_list(pipeline):
    row = {"picture": "a", "expression": "b", "iou": 0.1, "cause": "box", "chosen": "c"}
    text = markdown({"photos": [row]}, {"photos": 3})
    assert "photos: 2 of 3 right" in text
    assert f"- 1 × box: {CAUSES['box']}." in text
    assert "| a | b | 0.10 | box | c |" in text
