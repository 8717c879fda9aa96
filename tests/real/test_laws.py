"""Laws that every stage of every set keeps on photographs; random weights where none are here."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import ssc
from ssc.select.prompts import FRAME, VISUAL_PROMPTS, make_prompts
from ssc.select.spatial import guide
from ssc.words.read import Reader
from tests.real.pictures import find

pytestmark = pytest.mark.long

FILES = ("matplotlib/mpl-data/sample_data/grace_hopper.jpg", "gradio/media_assets/images/lion.jpg")
WORDS = ["the person on the left", "an animal", "teddy bear"]


@pytest.fixture(scope="module", params=["mini", "pocket", "base", "paper"])
def pipeline(request):
    """Trained where the weights are here; of base and paper small networks of their kinds."""
    import torch

    from ssc.bench.networks import random_pipeline

    if request.param == "mini":
        return ssc.load("mini")
    if request.param == "pocket":
        return request.getfixturevalue("pocket")
    return random_pipeline(request.param, torch.device("cpu"), torch.float32, tiny=True)


@pytest.fixture(scope="module", params=FILES)
def path(request):
    found = find(request.param)
    assert found is not None  # of packages that the page needs
    return found


@pytest.fixture(scope="module")
def image(path):
    return ssc.load_image(path)


def as_png(image, **options):
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG", **options)
    return file.getvalue()


def same(one, other):
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.candidates.boxes, b.candidates.boxes)
        assert np.array_equal(a.candidates.masks, b.candidates.masks)
        assert a.selection.index == b.selection.index
        assert np.array_equal(a.mask, b.mask)


def test_boxes_lie_in_the_frame_and_masks_by_their_boxes(pipeline, image):
    height, width = image.shape[:2]
    detector, segmenter = pipeline.segment.detector, pipeline.segment.segmenter
    boxes, scores, labels = detector.detect(image, ["person", "cat", "bear", "tie"])
    assert len(boxes) == len(scores) == len(labels)
    assert (boxes >= 0).all()
    assert (boxes <= [width, height, width, height]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) <= 0).all()
    masks, qualities = segmenter.segment(image, boxes[:8])
    assert masks.shape == (len(boxes[:8]), height, width)
    assert ((qualities >= 0) & (qualities <= 1)).all()
    if type(segmenter).__name__ == "SamSegmenter":
        return  # with random weights it marks any pixel
    for mask, (x0, y0, x1, y1) in zip(masks, boxes):
        ys, xs = np.nonzero(mask)
        dx, dy = 0.1 * (x1 - x0) + 1, 0.1 * (y1 - y0) + 1
        assert ((xs >= x0 - dx) & (xs <= x1 + dx)).all()
        assert ((ys >= y0 - dy) & (ys <= y1 + dy)).all()


def test_prompts_keep_what_is_inside_of_a_mask_and_blur_the_rest(pipeline, image):
    [result] = pipeline(image, ["a person or any animal"])
    assert max(image.shape) <= FRAME
    sharp = np.abs(np.diff(image.astype(int), axis=1)).mean(2)
    for mask, prompt in zip(result.candidates.masks[:4], result.selection.prompts[:4]):
        assert np.array_equal(prompt[mask], image[mask])
        outside = ~mask[:, 1:] & ~mask[:, :-1]
        if outside.any():
            left = np.abs(np.diff(prompt.astype(int), axis=1)).mean(2)[outside]
            assert left.mean() < 0.5 * sharp[outside].mean()
            assert left.max() <= 12  # nowhere an edge


def test_a_png_copy_has_the_same_answer(pipeline, path, image):
    same(pipeline(path, WORDS), pipeline(as_png(image), WORDS))


def test_a_picture_that_says_how_it_is_turned_has_the_same_answer(pipeline, image):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned to the right
    lying = np.ascontiguousarray(np.rot90(image, 1))
    same(pipeline(image, WORDS), pipeline(as_png(lying, exif=exif), WORDS))


@pytest.mark.parametrize("prompt", VISUAL_PROMPTS)
def test_prompts_turn_with_the_picture(image, prompt):
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.bool_)
    mask[height // 4 : height // 2, width // 8 : width // 2] = True
    boxes = np.float32([[width // 8, height // 4, width // 2, height // 2]])
    turned = boxes[:, [2, 1, 0, 3]] * np.float32([-1, 1, -1, 1]) + np.float32([width, 0, width, 0])
    [one] = make_prompts(prompt, image, mask[None], boxes)
    mirror = np.ascontiguousarray(image[:, ::-1])
    [other] = make_prompts(prompt, mirror, mask[None, :, ::-1], turned)
    assert np.abs(one.astype(int) - other[:, ::-1]).mean() < 1.5


def test_left_and_right_change_places_in_a_mirrored_picture(image):
    height, width = image.shape[:2]
    boxes = np.float32([[0, 9, 40, 90], [60, 9, 90, 90], [width - 50, 9, width - 9, 90]])
    mirror = boxes[:, [2, 1, 0, 3]] * np.float32([-1, 1, -1, 1]) + np.float32([width, 0, width, 0])
    read, even = Reader().read, np.zeros(3, np.float32)
    left, _ = guide(even, [read("left person")], boxes, height, width)
    right, _ = guide(even, [read("right person")], mirror, height, width)
    np.testing.assert_allclose(left, right, atol=1e-5)
    assert left.argmax() == 0
