"""The note on photographs: the measure, and what it says of the examples and of Gradio's photos."""

from __future__ import annotations

from pathlib import Path

import gradio
import numpy as np
import pytest

import ssc
from ssc.models.bundled import ASSETS
from ssc.models.photo import THRESHOLD, confidence, is_unknown
from tests.fake_pipeline import fake_pipeline
from train.data.slice import PHOTOGRAPH
from train.measure.photo_note import choose, vary

PHOTOS = Path(gradio.__file__).parent / "media_assets" / "images"


@pytest.fixture(scope="module")
def detector():
    return ssc.load("mini").segment.detector


@pytest.mark.parametrize(
    ("scores", "mean"), [([], 0), ([0.9], 0.3), ([0.3, 0.9, 0.6], 0.6), ([0.9, 0.1, 0.6, 0.6], 0.7)]
)
def test_confidence_is_the_mean_of_the_best_three(scores, mean):
    assert confidence(np.array(scores, np.float32)) == pytest.approx(mean)


@pytest.mark.long
def test_of_the_examples_the_photograph_alone_gets_the_note(detector):
    pictures = sorted((ASSETS / "examples").glob("*.jpg"))
    noted = [p.name for p in pictures if is_unknown(detector, ssc.load_image(p))]
    assert noted == [PHOTOGRAPH["image"]]


@pytest.mark.parametrize("name", ["cheetah.jpg", "lion.jpg", "tower.jpg"])
def test_photographs_get_it(detector, name):
    assert is_unknown(detector, ssc.load_image(PHOTOS / name))


def test_any_size_of_picture_has_an_answer(detector):
    for shape in [(1, 1, 3), (1, 300, 3), (240, 320, 3)]:
        assert is_unknown(detector, np.zeros(shape, np.uint8))  # nothing is known in it


def test_other_detectors_know_photographs():
    assert not is_unknown(fake_pipeline().segment.detector, np.zeros((32, 32, 3), np.uint8))


def test_the_threshold_with_the_fewest_errors():
    scenes, photos = np.array([0.5, 0.8, 0.9]), np.array([0.1, 0.2, 0.6])
    assert choose(scenes, photos) == pytest.approx(0.35)
    assert choose(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == pytest.approx(0.5)
    assert 0 < THRESHOLD < 1


def test_variations_of_a_photograph():
    photo = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    shapes = [varied.shape for varied in vary(photo)]
    assert shapes == [(8, 12, 3)] * 2 + [(4, 6, 3)] * 4 + [(4, 6, 3), (2, 3, 3)]
