"""Sets in memory, and the default that goes by the picture."""

import gc
import weakref

import numpy as np
import pytest

import ssc
from ssc.cache import Cache, shared
from ssc.errors import InputError
from ssc.models import sets
from ssc.models.by_picture import ByPicture
from ssc.words.nltk_nouns import NltkNouns
from tests.fake_pipeline import fake_pipeline, scene_image


@pytest.fixture
def made(monkeypatch):
    """Names of the sets that were built; all are stand-ins."""
    made = []

    def build(name):
        made.append(name)
        return fake_pipeline(correct=False)

    monkeypatch.setattr(sets, "_sets", Cache(sets.KEPT))
    table = {name: (lambda name=name: build(name)) for name in sets.MODEL_SETS}
    monkeypatch.setattr(sets, "MODEL_SETS", table)
    return made


def test_two_sets_stay_and_the_one_used_least_recently_leaves(made):
    first = sets.load("pocket", correct=False)
    assert sets.load("pocket").segment is first.segment
    sets.load("base")
    sets.load("pocket")
    gone = weakref.ref(sets.load("base"))
    sets.load("pocket")
    sets.load("paper")
    gc.collect()
    assert gone() is None
    assert sets.load("pocket").segment is first.segment
    assert made == ["pocket", "base", "paper"]
    sets.load("base")
    assert made[-1] == "base"


def test_networks_are_shared_as_long_as_one_has_them():
    class Network:
        pass

    load = shared(lambda name: Network())
    one = load("a")
    assert load("a") is one
    assert load("b") is not one
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    assert load("a") is not None


def test_the_default_with_pocket_goes_by_the_picture(made, monkeypatch):
    monkeypatch.delenv("SSC_MODELS", raising=False)
    monkeypatch.setattr(sets, "default_set", lambda: "pocket")
    pipeline = ssc.load(correct=False)
    assert isinstance(pipeline, ByPicture)
    assert made == ["mini", "pocket"]
    monkeypatch.setenv("SSC_MODELS", "pocket")  # named: that one alone
    assert not isinstance(ssc.load(correct=False), ByPicture)


@pytest.fixture
def both(monkeypatch):
    """Pictures with a first pixel of 255 are photographs."""
    monkeypatch.setattr("ssc.models.by_picture.is_unknown", lambda _, image: image[0, 0, 0] == 255)
    return ByPicture(fake_pipeline(), fake_pipeline(correct=False))


def test_each_picture_has_its_pipeline(both):
    scene, photograph = scene_image(), scene_image()
    scene[0, 0], photograph[0, 0] = 0, 255
    assert both.of(scene) is both.scenes
    assert both.of(photograph) is both.photographs
    assert both(scene, ["left laptop"])[0].correction is not None
    assert both(photograph, ["left laptop"])[0].correction is None
    stages = list(both.stream(photograph, ["left laptop"]))
    assert len(stages) == 2


def test_options_and_stage_3_reach_both(both):
    other = both.with_options(prompt="crop", box_threshold=0.7)
    assert isinstance(other, ByPicture)
    for pipeline in (other.scenes, other.photographs):
        assert pipeline.select.prompt == "crop"
        assert pipeline.segment.detector.threshold == 0.7
    assert both.scenes.select.prompt != "crop"
    with pytest.raises(InputError, match="prompt: expected one of"):
        both.with_options(prompt="glow")
    own = both.scenes.correct
    assert both.with_correct(None).scenes.correct is None
    assert both.with_correct(own).photographs.correct is own


def test_a_picture_that_cannot_be_opened_is_told(both):
    with pytest.raises(InputError):
        both("no-such-file.jpg", ["dog"])
    with pytest.raises(InputError):
        both(np.zeros((4, 4, 7), np.uint8), ["dog"])


def test_another_noun_extractor_leaves_the_set_as_it_is(made):
    own, other = (ssc.load("mini", correct=False, nouns=nouns) for nouns in (None, "nltk"))
    assert isinstance(other.segment.nouns, NltkNouns)
    assert not isinstance(own.segment.nouns, NltkNouns)
    assert other.select is own.select
    assert other.segment.detector is own.segment.detector
    assert made == ["mini"]
    with pytest.raises(InputError, match="nouns: expected one of nltk, got 'spacy'"):
        ssc.load("mini", nouns="spacy")
