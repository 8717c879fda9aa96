"""Value objects behave as values: sequences, equal, short in print, safe from writing."""

import pickle
from dataclasses import fields, replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco
from pycocotools.coco import COCO

from ssc.answer import Answer
from ssc.errors import OptionError, PictureError, ResourceError
from ssc.types import Candidate, Candidates
from tests.fake_pipeline import fake_pipeline, scene_candidates, scene_image


@pytest.fixture(scope="module")
def result():
    return fake_pipeline()(scene_image(), ["left laptop"])[0]


@pytest.fixture(scope="module")
def nothing():
    return fake_pipeline()(scene_image(), ["a unicorn"])[0]


def test_candidates_are_a_sequence(result):
    own = result.candidates
    assert len(own) == len(list(own)) == 3
    assert [candidate.number for candidate in own] == [1, 2, 3]
    assert all(isinstance(candidate, Candidate) for candidate in own)
    assert own[-1] == own[2] == own[np.int64(2)]
    assert np.array_equal(own[1].mask, own.masks[1])
    with pytest.raises(IndexError):
        own[3]
    assert isinstance(own[:0], Candidates)


@given(st.slices(3))
def test_slices_are_those_of_a_list(index):
    own = scene_candidates(24, 32)
    assert list(own[index]) == list(own)[index]
    chosen = np.zeros(3, bool)
    chosen[index] = True
    assert own[chosen] == own[np.flatnonzero(chosen)]


def arrays(value):
    for own in fields(value):
        held = getattr(value, own.name)
        if isinstance(held, np.ndarray):
            yield held
        elif hasattr(held, "__dataclass_fields__"):
            yield from arrays(held)


def test_nothing_can_be_written_through(result):
    again = pickle.loads(pickle.dumps(result))
    for value in (result, again, result.candidates[0], result.answer, result.corrected):
        held = list(arrays(value))
        assert held
        assert not any(array.flags.writeable for array in held)
    with pytest.raises(ValueError, match="read-only"):
        result.mask[:] = False
    masks = np.ones((1, 2, 3), bool)
    one = np.ones(1, np.float32)
    Candidates(np.ones((1, 4), np.float32), one, ("x",), masks, one)
    masks[:] = False  # the caller's own array stays the caller's


def test_equal_is_what_holds_the_same(result):
    again = fake_pipeline()(scene_image(), ["left laptop"])[0]
    assert result == again == pickle.loads(pickle.dumps(result))
    assert result != result.with_override(1)
    assert result.candidates != result.candidates[:2]
    assert result.candidates != replace(result.candidates, scores=result.candidates.scores * 0.5)
    assert result.answer == result.joint != result.selected
    assert result != "a result"
    with pytest.raises(TypeError, match="unhashable"):
        hash(result)


def test_in_print_all_are_short(result, nothing):
    values = [result, nothing, result.candidates, result.candidates[0], result.selection]
    for value in [*values, result.correction, result.answer, Candidates.empty(2, 3)]:
        assert len(repr(value)) < 200
        assert "\n" not in repr(value)
    assert "candidate 1" in repr(result)
    assert repr(result.selected).startswith("Answer(S+S: candidate 3, ")


def size_of(png):
    return Image.open(BytesIO(png)).size


def test_all_show_themselves_in_a_notebook(result, nothing):
    shown = [result, nothing, result.candidates, result.candidates[0], result.corrected]
    assert {size_of(value._repr_png_()) for value in shown} == {(320, 240)}
    large = Answer("S+S", np.ones((10, 3000), bool))
    assert size_of(large._repr_png_()) == (1280, 4)


def test_each_stage_has_a_name_and_the_answer_is_what_all_favour(result, nothing):
    named = {"S+S": result.selected, "S+S+C": result.corrected}
    named |= {"S+S+C snapped": result.snapped, "S+S and S+S+C": result.joint}
    assert all(answer.by == name for name, answer in named.items())
    assert result.answer == result.joint
    assert [result.selected.number, result.joint.number, result.corrected.number] == [3, 1, None]
    assert np.array_equal(result.mask, result.candidates.masks[result.index])
    without = replace(result, correction=None)
    assert (without.corrected, without.snapped, without.joint) == (None, None, None)
    assert without.answer == without.selected
    early = replace(without, selection=None)
    assert early.selected is None
    assert (early.answer.by, early.answer.empty) == ("nothing yet", True)
    assert nothing.answer.empty
    assert nothing.index == -1


def test_overlay_and_save(result, tmp_path):
    image = scene_image()
    shown = np.array(result.overlay())
    assert shown.shape == image.shape
    assert np.array_equal(shown, np.array(result.overlay(image)))
    assert (shown != image).any()
    assert np.array(result.candidates.overlay(image)).shape == image.shape
    path = result.selected.save(tmp_path / "mask.png")
    assert np.array_equal(np.array(Image.open(path)) == 255, result.selected.mask)
    assert [p.name for p in tmp_path.iterdir()] == ["mask.png"]
    with pytest.raises(OptionError, match=r"ends in \.png"):
        result.save(tmp_path / "mask.jpg")
    with pytest.raises(PictureError, match=r"expected the picture of 320×240 pixels .* got 5×4"):
        result.overlay(np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(PictureError, match="expected a picture to draw on, got none"):
        result.candidates[0].overlay()


def test_coco_reads_it(result, nothing):
    own = result.candidates
    data = COCO()
    data.dataset = own.to_coco()
    data.createIndex()
    assert [row["name"] for row in data.loadCats(data.getCatIds())] == ["laptop"]
    for annotation, candidate in zip(data.loadAnns(data.getAnnIds()), own, strict=True):
        assert np.array_equal(data.annToMask(annotation), candidate.mask)
        x, y, width, height = annotation["bbox"]
        assert [x, y, x + width, y + height] == candidate.box.tolist()
        assert annotation["area"] == candidate.mask.sum()
    [only] = result.to_coco()["annotations"]
    assert np.array_equal(coco.decode(only["segmentation"]), result.mask)
    assert nothing.to_coco()["annotations"] == []
    region = fake_pipeline()(scene_image(), ["all unicorns"])[0]
    [only] = region.to_coco()["annotations"]
    assert only["bbox"] == [0, 0, 320, 240]


def test_detections_of_supervision(result):
    supervision = pytest.importorskip("supervision")
    found = result.candidates.to_detections()
    assert isinstance(found, supervision.Detections)
    assert np.array_equal(found.mask, result.candidates.masks)
    assert np.array_equal(found.xyxy, result.candidates.boxes)
    assert found.class_id.tolist() == [0, 0, 0]
    assert len(result.to_detections()) == 1


def test_without_supervision_one_line_says_so(result, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(ResourceError, match="pip install supervision"):
        result.to_detections()
