"""What the pipeline takes, and the one line it answers to anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ssc.errors import InputError
from ssc.pipeline import MAX_EXPRESSION, MAX_OBJECTS, Pipeline, check_image, check_objects
from tests.fake_pipeline import fake_pipeline, scene_image


@pytest.mark.parametrize(
    ("objects", "groups"),
    [
        (["left guy"], [("left guy",)]),
        (["  left \n guy\t"], [("left guy",)]),
        ([["left guy", "guy in red"], "dog"], [("left guy", "guy in red"), ("dog",)]),
        ([("left guy",)], [("left guy",)]),
        (["😀🐶"], [("😀🐶",)]),
        (["人在左边", "der Mann links", "الرجل"], [("人在左边",), ("der Mann links",), ("الرجل",)]),
        (["a" * MAX_EXPRESSION], [("a" * MAX_EXPRESSION,)]),
        (["dog"] * MAX_OBJECTS, [("dog",)] * MAX_OBJECTS),
    ],
)
def test_good_objects(objects: Any, groups: list[tuple[str, ...]]):
    assert check_objects(objects) == groups


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ("left guy", "expected a list of expressions, got str"),
        ([], "expected 1 to 32 objects, got 0"),
        (["dog"] * (MAX_OBJECTS + 1), "expected 1 to 32 objects, got 33"),
        ([""], "object 1: the expression is empty; say what to look for"),
        (["dog", " \t\n\u3000"], "object 2: the expression is empty"),
        ([["dog", ""]], "object 1: the expression is empty"),
        ([[]], "object 1: expected an expression, got none"),
        (["a" * 10_000], "object 1: expected at most 500 characters, got 10000"),
        ([[3]], "object 1: expected text, got int"),
        ([[None]], "object 1: expected text, got NoneType"),
        ([b"dog"], "object 1: expected text, got"),
        ([3], "object 1: expected text, got int"),
        ([None], "object 1: expected text, got NoneType"),
    ],
)
def test_bad_objects(objects: Any, message: str):
    with pytest.raises(InputError, match=message) as error:
        check_objects(objects)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 3), (5, 3, 3)])
def test_good_images(shape: tuple[int, ...]):
    check_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        None,
        "dog.jpg",
        [[0, 0, 0]],
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 3), np.uint16),
    ],
)
def test_bad_images(image: Any):
    with pytest.raises(InputError, match="expected an RGB uint8 image of shape H×W×3, got"):
        check_image(image)


def test_varied_settings():
    pipeline = fake_pipeline()
    image = scene_image()
    other = pipeline.varied("crop", 20, "matching", box_threshold=0.7, correct=False)
    [plain], [varied] = pipeline(image, ["left laptop"]), other(image, ["left laptop"])
    assert (len(plain.candidates), len(varied.candidates)) == (3, 2)
    assert (varied.selection.prompt, varied.selection.rule) == ("crop", "matching")
    assert varied.correction is None
    assert (pipeline.select.prompt, pipeline.segment.detector.threshold) == ("reverse_blur", 0.5)


def test_variants_share_what_is_kept_of_an_image_but_not_across_prompts():
    pipeline = fake_pipeline()
    image, seen = scene_image(), pipeline.select.clip.image_batches
    pipeline(image, ["left laptop"])
    pipeline.varied(rule="matching")(image, ["left laptop"])
    assert seen == [3]
    pipeline.varied(sigma=5)(image, ["left laptop"])
    pipeline.varied("crop")(image, ["left laptop"])
    assert seen == [3, 3, 3]
    pipeline(image, ["right laptop"])
    assert seen == [3, 3, 3]


def test_varied_settings_of_stage_1():
    pipeline = fake_pipeline()
    stage = pipeline.segment
    stage.detector.text_threshold = 0.25
    other = pipeline.varied(
        text_threshold=0.4, vocabulary=["Dog", " laptop", "dog"], project=False
    ).segment
    assert (other.project, other.detector.text_threshold) == (False, 0.4)
    assert other.classes.vocabulary == ("dog", "laptop")  # in the detector's spelling
    assert other.nouns._parser is stage.nouns._parser  # one spaCy, however many vocabularies
    assert (stage.project, stage.detector.text_threshold) == (True, 0.25)
    assert len(stage.classes.vocabulary) == 80
    again = Pipeline(other, pipeline.select).varied().segment
    assert (again.project, again.classes.vocabulary) == (False, ("dog", "laptop"))


def test_a_detector_that_reads_no_words_does_not_ask_for_their_threshold():
    other = fake_pipeline().varied(text_threshold=0.4)
    assert not hasattr(other.segment.detector, "text_threshold")


def test_a_detector_that_takes_any_words_takes_any_vocabulary():
    pipeline = fake_pipeline()
    del pipeline.segment.detector.classes
    other = pipeline.varied(vocabulary=["Slow Loris", "unicorn"])
    assert other.segment.classes.vocabulary == ("Slow Loris", "unicorn")


@pytest.mark.parametrize(
    "setting",
    [
        {"prompt": "glow"},
        {"sigma": 0},
        {"rule": "best"},
        {"box_threshold": 1.5},
        {"text_threshold": -0.1},
        {"vocabulary": []},
        {"vocabulary": [" ", "\n"]},
        {"vocabulary": "dog"},
        {"vocabulary": ["dog"] * 3 + [f"dog {i}" for i in range(1000)]},
    ],
)
def test_bad_settings(setting: dict[str, Any]):
    with pytest.raises(InputError, match="expected"):
        fake_pipeline().varied(**setting)


def test_words_that_the_mini_set_does_not_know_are_named():
    words = ["dog", "unicorn", "Dragon", "a", "b", "c", "d"]
    message = r"COCO's 80 classes, got unicorn, Dragon, a, b, c and 1 more; .* base or paper set"
    with pytest.raises(InputError, match=message):
        fake_pipeline().varied(vocabulary=words)
