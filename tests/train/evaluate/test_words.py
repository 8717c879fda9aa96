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
