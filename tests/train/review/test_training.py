"""Trainings and matchings heed the reviews of their store, and are done again when they change."""

import numpy as np
import pytest

from ssc.formats import rle
from tests.train.toy_bench import write
from train.fit.initial import open_examples
from train.pseudo.store import Store
from train.review.decisions import FILE, Decision, append
from train.run.inputs import changed, inputs_of, note
from train.run.steps import Step

SIZE = (48, 64)


@pytest.fixture
def place(tmp_path):
    return write(tmp_path, count=3, masks=True)


def decide(place, picture, number, chosen):
    looked = Store.open(place).picture(picture)
    thing = looked.objects[number]
    masks = tuple(rle(thing.candidates.masks[k])["counts"] for k in chosen)
    append(
        place / FILE,
        Decision(
            picture=looked.name,
            object=thing.name,
            who="ann",
            when="",
            size=looked.size,
            masks=masks,
            candidates=chosen,
        ),
    )


def opened(place):
    data = str(place.parent / "data.jsonl")
    return open_examples(data, place, SIZE, place.parent / "cache", 0)


def test_examples_are_as_reviewed(place):
    before = opened(place)
    assert before.reviewed == 0
    assert not any(before[k].fixed.any() for k in range(len(before)))
    objects = sum(len(before[k].expressions) for k in range(len(before)))
    decide(place, 0, 0, (2,))
    decide(place, 2, 0, ())
    after = opened(place)
    assert after.reviewed == 2
    assert after.record["reviewed"] == 2
    first = after[0]
    assert first.fixed[0]
    assert np.flatnonzero(first.allowed[0]).tolist() == [first.chosen[0]]
    assert not first.allowed[1:, first.chosen[0]].any()
    assert sum(len(after[k].expressions) for k in range(len(after))) == objects - 1
    again = opened(place)  # of the cache
    assert (again[0].fixed == first.fixed).all()
    assert again.reviewed == 2


def test_a_training_is_done_again_when_reviews_change(place, tmp_path):
    options = ["bootstrap", "--data", str(place.parent / "data.jsonl"), "--store", str(place)]
    plain = Step("t", "train.fit", options, tmp_path / "out")
    step = Step("t", "train.fit", [*options, "--reviews", str(place / FILE)], tmp_path / "out")
    step.output.mkdir()
    note(step, inputs_of(plain, tmp_path))
    assert not changed(step, inputs_of(step, tmp_path))  # nothing is decided yet
    decide(place, 0, 0, (2,))
    assert changed(step, inputs_of(step, tmp_path)) == "the reviews changed"
    note(step, inputs_of(step, tmp_path))
    decide(place, 0, 0, (2,))  # the same again
    assert not changed(step, inputs_of(step, tmp_path))
    decide(place, 0, 0, (1,))
    assert changed(step, inputs_of(step, tmp_path)) == "the reviews changed"


def test_stores_and_reviews_are_exported(place):
    from train.export.items import open_source

    decide(place, 0, 0, (0, 2))
    decide(place, 1, 1, ())
    looked = Store.open(place)
    pages = list(open_source(str(place)))
    assert [page.name for page in pages] == [looked.name(k) for k in range(3)]
    item = pages[0].items[0]
    assert (item.masks == looked.picture(0).objects[0].candidates.masks[[0, 2]]).all()
    assert item.label == "thing"
    alone = list(open_source(str(place / FILE)))
    assert [len(page.items) for page in alone] == [1, 1]
    assert [len(page.items[0].masks) for page in alone] == [2, 0]
