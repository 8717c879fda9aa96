"""Words alone, measured on lists of expressions with true boxes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ssc.errors import InputError
from ssc.pipeline import Pipeline
from ssc.segment import Segment
from ssc.segment.classes import ClassProjection
from ssc.select import Select
from ssc.words.geometry import penalties
from ssc.words.read import Reader
from ssc.words.vocabulary import COCO_80
from train.evaluate.words import Alike, Filled, Truth, markdown, measure


def one_list(path, rows):
    """A list of dogs beside each other in one picture; rows are (expression, from the left)."""
    lines = [
        {"image": "a", "expression": text, "box": [10 + 60 * k, 20, 40, 40], "width": 300,
         "height": 100}
        for text, k in rows
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


@pytest.fixture(scope="module")
def pipeline():
    stage = Segment(Reader(), ClassProjection(Alike(), COCO_80), Truth(), Filled())
    return Pipeline(stage, Select(Alike()))


def test_words_that_decide_and_words_that_do_not(pipeline, tmp_path):
    rows = [("left dog", 0), ("second dog from the left", 1), ("dog", 2), ("dog on the left", 2)]
    [figures] = measure(pipeline, [one_list(tmp_path / "dogs.jsonl", rows)]).values()
    assert figures["expressions"] == 4
    assert figures["class"] == 100
    np.testing.assert_allclose(figures["chance"], 100 / 3)
    np.testing.assert_allclose(figures["decided"], 75)
    np.testing.assert_allclose(figures["decided right"], 200 / 3)  # the last one is a lie
    np.testing.assert_allclose(figures["right"], 100 * (1 + 1 + 1 / 3) / 4)
    assert "| dogs | 4 |" in markdown({"dogs": figures})


def test_a_line_that_is_none_is_named(pipeline, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"image": "a"}')
    with pytest.raises(InputError, match="line 1: expected image, expression, box"):
        measure(pipeline, [str(path)])
    with pytest.raises(InputError, match="expected a list of expressions"):
        measure(pipeline, [str(tmp_path / "none.jsonl")])


TEXTS = ["left {}", "{} on the right", "second {} from the left", "{}", "big {}", "the one there"]


def one_line(image, text, x, size):
    box = [x, 20, size, size]
    return {"image": image, "expression": text, "box": box, "width": 300, "height": 100}


def by_definition(pipeline, lines):
    """The figures by their definition, one expression at a time, with plain loops."""
    objects = {}
    for line in lines:
        these = objects.setdefault(line["image"], [])
        box = line["box"]
        line["number"] = next((k for k, o in enumerate(these) if o["box"] == box), len(these))
        if line["number"] == len(these):
            these.append({"box": box, "names": []})
        noun = pipeline.segment.nouns(line["expression"])
        if noun in COCO_80:
            these[line["number"]]["names"].append(noun)
    for these in objects.values():
        for o in these:
            o["class"] = max(o["names"], key=o["names"].count) if o["names"] else None
    right, decided, decided_right, classes, chance = [], [], [], [], []
    for line in lines:
        these = objects[line["image"]]
        meant = these[line["number"]]
        if meant["class"] is None:
            continue
        [said] = [pipeline.segment.nouns.read(line["expression"])]
        wanted = pipeline.segment._targets(pipeline.segment.classes.several([said.noun]))
        classes.append(meant["class"] in wanted)
        alternatives = [o for o in these if o["class"] in (None, meant["class"])]
        if len(alternatives) < 2:
            continue
        chance.append(1 / len(alternatives))
        found = [
            o
            for o in these
            if o["class"] in wanted or (o["class"] is None and meant["class"] in wanted)
        ]
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in (o["box"] for o in found)], float)
        out = penalties(said, boxes.reshape(-1, 4), 100, 300).total if len(found) else np.zeros(0)
        out = np.zeros(len(found)) if out is None else out
        best = np.flatnonzero(out <= out.min(initial=np.inf) + 1e-6)
        right.append(np.mean([found[b] is meant for b in best]) if len(best) else 0.0)
        decided.append(0 < len(best) < len(found))
        if decided[-1]:
            decided_right.append(right[-1])
    named = {
        "right": right,
        "chance": chance,
        "decided": decided,
        "decided right": decided_right,
        "class": classes,
    }
    return {name: 100 * float(np.mean(values)) for name, values in named.items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_their_definition(pipeline, tmp_path, seed):
    rng = np.random.default_rng(seed)
    lines = []
    for image in "abcd":
        for k in range(int(rng.integers(2, 5))):
            noun = str(rng.choice(["dog", "cat"]))
            size = int(rng.integers(20, 50))
            drawn = rng.choice(TEXTS, int(rng.integers(1, 4)))
            lines += [one_line(image, str(text).format(noun), 5 + 60 * k, size) for text in drawn]
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    [figures] = measure(pipeline, [str(path)]).values()
    for name, value in by_definition(pipeline, lines).items():
        np.testing.assert_allclose(figures[name], value, err_msg=name)
