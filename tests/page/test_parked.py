"""Sessions between clicks: bounded in bytes, all together."""

import gc

import numpy as np
import pytest

from ssc.page import parked
from ssc.page.parked import park, parked_bytes
from ssc.page.session import Session
from tests.fake_pipeline import fake_pipeline, scene_image


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    gc.collect()
    monkeypatch.setattr(parked, "_parked", [])


def session():
    image = np.array(scene_image())
    made = Session("a.jpg", image, fake_pipeline()(image, ["left laptop", "right laptop"]))
    made.answers()
    return made


def test_what_a_session_holds_is_counted_once():
    one = park(session())
    size = parked_bytes()
    masks = sum(r.candidates.masks.nbytes + r.correction.probability.nbytes for r in one.results)
    assert size >= one.image.nbytes + masks
    other = park(one.looking_at(1))  # a click: the same arrays
    assert parked_bytes() == size
    assert park(one) is one
    del one, other
    gc.collect()
    assert parked_bytes() == 0


def test_the_oldest_make_room_and_the_newest_stays(monkeypatch):
    first = park(session())
    size = parked_bytes()
    monkeypatch.setattr(parked, "LIMIT", int(2.5 * size))
    second, third = park(session()), park(session())
    assert not first
    assert second
    assert third
    assert parked_bytes() == 2 * size
    assert first.image.nbytes == 3
    monkeypatch.setattr(parked, "LIMIT", size // 2)
    fourth = park(session())
    assert not second
    assert not third
    assert fourth.results[0].mask.any()
