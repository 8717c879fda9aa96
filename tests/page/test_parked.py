"""Sessions between clicks: packed, and bounded in bytes all together."""

import gc

import numpy as np
import pytest

from ssc.formats import jpeg
from ssc.images import load_image
from ssc.page import parked
from ssc.page.parked import park, parked_bytes
from ssc.page.session import Session
from tests.fake_pipeline import fake_pipeline, scene_image


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    gc.collect()
    monkeypatch.setattr(parked, "_parked", [])


def session(side=320, expressions=("left laptop", "a unicorn"), correct=True):
    source = jpeg(np.resize(scene_image(), (side * 3 // 4, side, 3)))
    image = load_image(source)
    results = fake_pipeline(correct)(image, list(expressions))
    return Session("a.jpg", image, results, corrects=correct, source=source)


@pytest.mark.parametrize("correct", [True, False])
def test_what_opens_is_what_was_parked(correct):
    one = session(correct=correct)
    one.results[0] = one.results[0].with_override(1)
    one = one.looking_at(1)
    other = park(one).open()
    assert (other.name, other.active, other.corrects) == ("a.jpg", 1, correct)
    assert np.array_equal(other.image, one.image)
    for was, came in zip(one.results, other.results, strict=True):
        assert came.candidates == was.candidates
        assert came.correction == was.correction
        assert came.answer == was.answer
        assert came.override == was.override
        assert np.array_equal(came.selection.scores, was.selection.scores)
        assert len(came.selection.prompts) == len(was.selection.prompts)
        far = came.selection.prompts.astype(int) - was.selection.prompts
        assert not far.size or np.abs(far).mean() < 4
    assert other.record() == one.record()
    assert all(
        np.array_equal(a, b) for (a, _), (b, _) in zip(other.answers(), one.answers(), strict=True)
    )


def test_a_stage_that_has_not_run_and_a_picture_without_its_file():
    image = scene_image()
    segment = fake_pipeline().segment
    one = Session("a.jpg", image, [segment(image, ["left laptop"])])
    other = park(one).open()
    assert np.array_equal(other.image, image)
    assert other.result == one.result


def test_a_large_picture_takes_little_and_its_mask_stays():
    one = session(2000, ["left laptop"])
    correction = one.result.correction
    whole = one.image.nbytes + one.result.candidates.masks.nbytes + correction.probability.nbytes
    kept = park(one)
    assert parked_bytes() == kept.nbytes < whole / 4
    came = kept.open().result.correction
    assert np.array_equal(came.mask, correction.mask)
    assert came.probability.shape == correction.probability.shape
    far = np.abs(came.probability - correction.probability)
    assert far.mean() < 0.005
    moved, exact = (s.at_threshold(0.7).result.correction.mask for s in (kept.open(), one))
    assert (moved & exact).sum() / (moved | exact).sum() > 0.98


def test_further_clicks_lose_nothing_more():
    first = park(session(2000, ["left laptop"])).open()
    clicked = park(first.with_result(first.result.with_override(1))).open()
    moved = park(clicked.at_threshold(0.7)).open()
    for name in ("selection", "correction"):
        was, came = getattr(first.result, name), getattr(moved.result, name)
        array = "prompts" if name == "selection" else "probability"
        assert np.array_equal(getattr(came, array), getattr(was, array))
    assert moved.result.override == (1,)
    assert moved.result.correction == first.at_threshold(0.7).result.correction


def test_the_oldest_make_room_and_the_newest_stays(monkeypatch):
    first = park(session())
    size = parked_bytes()
    monkeypatch.setattr(parked, "LIMIT", int(2.5 * size))
    second, third = park(session()), park(session())
    assert not first
    assert second
    assert third
    assert parked_bytes() == 2 * size
    assert first.nbytes == 0
    monkeypatch.setattr(parked, "LIMIT", size // 2)
    fourth = park(session())
    assert not second
    assert not third
    assert fourth.open().results[0].mask.any()
    del fourth
    gc.collect()
    assert parked_bytes() == 0
