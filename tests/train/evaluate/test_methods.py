"""Rows of the evaluation on made-up candidates: what each chooses."""

from types import SimpleNamespace

import numpy as np
import pytest

from ssc.errors import InputError
from ssc.pipeline import MAX_OBJECTS, Pipeline
from tests.train.squares import (
    ASKED,
    candidates_of,
    chosen,
    picture,
    pipeline,
    squares,
)
from train.data import Picture, Referred
from train.evaluate.checkpoints import of_stage_3
from train.evaluate.methods import ROWS, STAGE_3, ask
from train.evaluate.several import SETS


def test_what_each_row_chooses():
    parts = pipeline()
    asked = ask(parts, picture(*ASKED))
    assert asked.texts == ["red one", "square on the right", "green one", "unicorn"]
    assert asked.owners == (0, 0, 1, 1)
    rows = {name: chosen(ROWS[name](parts), asked) for name in ("oracle", "s+s", "words")}
    assert rows == {
        "oracle": [0, 0, 1, None],
        "s+s": [0, 0, 1, None],
        "words": [0, 2, 1, None],
    }
    every = ROWS["whole"](parts).masks(asked)
    assert len(every) == 4
    assert np.all(every)


def test_matching_parts_objects_of_a_picture_turn_by_turn():
    parts = pipeline()
    asked = ask(parts, picture((0, ("red", "blue")), (1, ("red too", "blue"))))
    assert chosen(ROWS["s+s"](parts), asked) == [0, 2, 0, 2]
    first, second, third, fourth = chosen(ROWS["matched"](parts), asked)
    assert 0 in (first, third)
    assert first != third
    assert 2 in (second, fourth)
    assert second != fourth


def test_random_is_even_and_the_same_in_any_order():
    parts = pipeline()
    row = ROWS["random"](parts)
    many = [ask(parts, picture(*ASKED), seed) for seed in range(60)]
    drawn = [chosen(row, asked) for asked in many]
    assert [chosen(row, asked) for asked in many[::-1]][::-1] == drawn
    counts = np.bincount([k for choice in drawn for k in choice[:3]], minlength=3)
    assert counts.min() > 35  # of 180, a third is 60
    assert all(choice[3] is None for choice in drawn)


def test_the_oracle_of_a_box():
    parts = pipeline()
    image, masks = squares()
    box = candidates_of(masks).boxes[2] + 1
    thing = Referred("0", ("red",), box=box)
    assert chosen(ROWS["oracle"](parts), ask(parts, Picture("a", image, (thing,)))) == [2]


def test_the_oracle_of_a_set():
    parts = pipeline()
    image, masks = squares()
    whole = masks.any(axis=0)
    things = (
        Referred("0", ("all of them",), whole),
        Referred("1", ("the red ones",), masks[0] | (whole & (np.arange(48) < 20))),
        Referred("2", ("nothing",), np.zeros_like(whole)),
        Referred("3", ("blue",), box=candidates_of(masks).boxes[2] - 2),
    )
    row = SETS["oracle-several"](parts)
    every, red, none, blue = row.masks(ask(parts, Picture("a", image, things)))
    assert np.array_equal(every, whole)
    assert np.array_equal(red, masks[0])  # of the green one only two columns lie in it
    assert not none.any()
    assert np.array_equal(blue, masks[2])  # whose box alone is known


def test_more_expressions_than_one_call_takes():
    parts = pipeline()
    asked = ask(parts, picture((0, ("red one",) * (MAX_OBJECTS + 3)), (1, ("green one",))))
    assert chosen(ROWS["s+s"](parts), asked) == [0] * (MAX_OBJECTS + 3) + [1]


def test_rows_of_stage_3_need_one():
    for name in STAGE_3:
        with pytest.raises(InputError, match="stage 3"):
            ROWS[name](pipeline())


def test_rows_of_stage_3():
    from ssc.correct import Correct

    def predict(image, expressions):
        shifted = np.roll(squares()[1][1], 1, axis=1)
        return np.repeat(shifted[None] * np.float32(0.9), len(expressions), axis=0)

    correct = Correct(SimpleNamespace(predict=predict))
    parts = pipeline()
    whole = Pipeline(parts.segment, parts.select, correct)
    asked = ask(whole, picture(*ASKED))
    expected = predict(None, [""])[0] > 0.5
    for row in (ROWS["s+s+c"](whole), *of_stage_3("other", correct)):
        assert all(np.array_equal(mask, expected) for mask in row.masks(asked))
    snapped = ROWS["snapped"](whole).masks(asked)
    assert np.array_equal(snapped[0], squares()[1][1])
    assert np.array_equal(snapped[3], expected)  # no candidate to snap to
    for name in ("joint", "joint-words"):
        both = ROWS[name](whole).masks(asked)
        assert all(any(np.array_equal(mask, m) for m in squares()[1]) for mask in both[:3])
        assert np.array_equal(both[3], expected)
    alone, together = of_stage_3("other", correct, together=True)
    assert (alone.title, together.title) == ("other", "S+S and other")
    for mask, same in zip(together.masks(asked), ROWS["joint"](whole).masks(asked)):
        assert np.array_equal(mask, same)
