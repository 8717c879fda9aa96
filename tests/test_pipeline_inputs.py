"""What the pipeline takes, and the one line it answers to anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssc.errors import ExpressionError, OptionError, PictureError
from ssc.explain import explain
from ssc.pipeline import MAX_EXPRESSION, MAX_OBJECTS, Pipeline, check_objects
from ssc.segment.detect import MiniDetector
from ssc.segment.grounding import GroundingDetector
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
    with pytest.raises(ExpressionError, match=message) as error:
        check_objects(objects)
    assert "\n" not in str(error.value)


def test_any_picture_is_taken(tmp_path: Path):
    image = scene_image()
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    pipeline = fake_pipeline()
    results = [
        pipeline(picture, ["left laptop"])[0]
        for picture in (image, path, str(path), path.read_bytes(), Image.open(path), image / 255)
    ]
    assert all(result == results[0] for result in results)
    assert all(np.array_equal(result.image, image) for result in results)
    image[:] = 0  # a result keeps the picture that was asked about
    assert results[0].image.any()


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (None, "expected a file name, the bytes of a file, a PIL image or an array, got NoneType"),
        ([[0, 0, 0]], "got list"),
        ("nowhere.jpg", "nowhere.jpg: expected a picture .* got no such file"),
        (b"no picture", "image: expected a picture"),
        (np.zeros((3, 4, 2), np.uint8), r"expected an array H×W, .* got shape \(3, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), "got shape"),
    ],
)
def test_bad_pictures(picture: Any, message: str):
    with pytest.raises(PictureError, match=message):
        fake_pipeline()(picture, ["left laptop"])


def test_varied_settings():
    pipeline = fake_pipeline()
    image = scene_image()
    other = pipeline.with_options(prompt="crop", rule="matching", box_threshold=0.7)
    [plain], [varied] = pipeline(image, ["left laptop"]), other(image, ["left laptop"])
    assert (len(plain.candidates), len(varied.candidates)) == (3, 2)
    assert (varied.selection.prompt, varied.selection.rule) == ("crop", "matching")
    assert (pipeline.select.prompt, pipeline.segment.detector.threshold) == ("reverse_blur", 0.5)


def test_variants_share_what_is_kept_of_an_image_but_not_across_prompts():
    pipeline = fake_pipeline()
    image, seen = scene_image(), pipeline.select.clip.image_batches
    pipeline(image, ["left laptop"])
    pipeline.with_options(rule="matching")(image, ["left laptop"])
    assert seen == [3]
    pipeline.with_options(sigma=5)(image, ["left laptop"])
    pipeline.with_options(prompt="crop")(image, ["left laptop"])
    assert seen == [3, 3, 3]
    pipeline(image, ["right laptop"])
    assert seen == [3, 3, 3]


def test_varied_settings_of_stage_1():
    pipeline = fake_pipeline()
    stage = pipeline.segment
    stage.detector.text_threshold = 0.25
    other = pipeline.with_options(
        text_threshold=0.4, vocabulary=["Dog", " laptop", "dog"], project=False
    ).segment
    assert (other.project, other.detector.text_threshold) == (False, 0.4)
    assert other.classes.vocabulary == ("dog", "laptop")  # in the detector's spelling
    assert other.nouns.parser is stage.nouns.parser  # one spaCy, however many vocabularies
    assert (stage.project, stage.detector.text_threshold) == (True, 0.25)
    assert len(stage.classes.vocabulary) == 80
    again = Pipeline(other, pipeline.select).with_options().segment
    assert (again.project, again.classes.vocabulary) == (False, ("dog", "laptop"))


def test_a_threshold_that_the_detector_does_not_have_is_refused():
    with pytest.raises(OptionError, match=r"text_threshold: expected none, .* reads no words, got"):
        fake_pipeline().with_options(text_threshold=0.4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"promt": "crop"}, "option: expected one of prompt, .* got 'promt'; did you mean prompt?"),
        ({"prompt": "red_elipse"}, "prompt: .* did you mean red_ellipse?"),
        ({"rule": "Matching"}, "rule: .* did you mean matching?"),
        ({"prompt": "xyz"}, "prompt: .* got 'xyz'$"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(given: dict[str, Any], message: str):
    with pytest.raises(OptionError, match=message):
        fake_pipeline().with_options(**given)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan"), "0.5", True])
def test_thresholds_are_checked_in_the_constructor_as_in_the_change(wrong: Any):
    for make in (
        lambda: MiniDetector(None, threshold=wrong),
        lambda: GroundingDetector(None, None, threshold=wrong),
        lambda: GroundingDetector(None, None, text_threshold=wrong),
        lambda: fake_pipeline().with_options(box_threshold=wrong),
    ):
        with pytest.raises(OptionError, match="threshold: expected a number, 0 to 1, got"):
            make()


def test_a_detector_that_takes_any_words_takes_any_vocabulary():
    pipeline = fake_pipeline()
    del pipeline.segment.detector.classes
    other = pipeline.with_options(vocabulary=["Slow Loris", "unicorn"])
    assert other.segment.classes.vocabulary == ("Slow Loris", "unicorn")


@pytest.mark.parametrize(
    "setting",
    [
        {"prompt": "glow"},
        {"sigma": 0},
        {"sigma": 20, "prompt": "crop"},
        {"spatial": True, "paper": True},
        {"spatial": True, "project": False},
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
    with pytest.raises(OptionError, match="expected"):
        fake_pipeline().with_options(**setting)


def test_the_papers_rule_and_its_parts():
    pipeline = fake_pipeline()
    assert not pipeline.with_options(paper=True, spatial=None).select.spatial
    assert pipeline.with_options(paper=True).with_options(paper=False).select.spatial
    assert not pipeline.with_options(spatial=False).select.spatial
    assert pipeline.with_options().select.spatial


def test_objects_that_match_share_no_answer():
    pipeline, twice = fake_pipeline(), ["left laptop", "the left laptop"]
    alone = pipeline(scene_image(), twice)
    assert alone[0].joint == alone[1].joint
    one, other = pipeline.with_options(rule="matching")(scene_image(), twice)
    assert one.selected.index != other.selected.index
    assert one.joint.index != other.joint.index
    assert not (one.mask & other.mask).any()
    four = pipeline.with_options(rule="matching")(scene_image(), [*twice, "laptop", "a laptop"])
    [left_out] = [out for out in four if out.joint.empty]
    assert explain(left_out).startswith("No candidate is left for the answer: matching gave each")


def test_words_that_the_mini_set_does_not_know_are_named():
    words = ["dog", "unicorn", "Dragon", "a", "b", "c", "d"]
    message = r"COCO's 80 classes, got unicorn, Dragon, a, b, c and 1 more; .* base or paper set"
    with pytest.raises(OptionError, match=message):
        fake_pipeline().with_options(vocabulary=words)


@pytest.mark.parametrize("expression", ["left \ud800 dog", "\udce9", ["dog", "a \udfff"]])
def test_text_that_utf_8_cannot_hold_is_refused(expression: Any) -> None:
    with pytest.raises(ExpressionError, match="object 2: expected text in UTF-8, got"):
        check_objects(["dog", expression])
