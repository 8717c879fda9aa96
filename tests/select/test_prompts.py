"""Visual prompts against their definitions."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.select.prompts import BLURS, CLIP_MEAN, FRAME, VISUAL_PROMPTS, blur, make_prompts

rng = np.random.default_rng(0)


def example(height=60, width=80, n=3):
    """A noisy picture, N rectangles as masks, and their boxes."""
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    masks = np.zeros((n, height, width), bool)
    boxes = np.zeros((n, 4), np.float32)
    for i in range(n):
        x0, y0 = rng.integers(0, width // 2), rng.integers(0, height // 2)
        x1, y1 = rng.integers(x0 + 3, width), rng.integers(y0 + 3, height)
        masks[i, y0:y1, x0:x1] = True
        boxes[i] = x0, y0, x1, y1
    return image, masks, boxes


@pytest.mark.parametrize("name", VISUAL_PROMPTS)
@pytest.mark.parametrize("size", [(60, 80), (960, 1280), (1, 1)])
def test_no_candidates_is_length_zero(name, size):
    image = np.zeros((*size, 3), np.uint8)
    prompts = make_prompts(name, image, np.zeros((0, *size), bool), np.zeros((0, 4), np.float32))
    h, w = min(size[0], 480), min(size[1], 640)
    assert prompts.shape == (0, h, w, 3)
    assert prompts.dtype == np.uint8


@pytest.mark.parametrize("name", VISUAL_PROMPTS)
def test_batch_equals_single_and_input_is_left_alone(name):
    image, masks, boxes = example()
    before = image.copy()
    batch = make_prompts(name, image, masks, boxes)
    assert batch.shape == (3, 60, 80, 3)
    for i in range(3):
        single = make_prompts(name, image, masks[i : i + 1], boxes[i : i + 1])
        assert np.array_equal(batch[i], single[0])
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", VISUAL_PROMPTS)
def test_sigma_matters_to_those_that_blur_and_to_no_other(name):
    image, masks, boxes = example()
    narrow, wide = (make_prompts(name, image, masks, boxes, sigma) for sigma in (5, 50))
    assert np.array_equal(narrow, wide) != (name in BLURS)


@pytest.mark.parametrize("name", VISUAL_PROMPTS)
def test_a_list_of_masks_is_as_good_as_an_array(name):
    image, masks, boxes = example(90, 700)
    expected = make_prompts(name, image, masks, boxes)
    assert np.array_equal(make_prompts(name, image, list(masks), boxes), expected)


def test_reverse_blur_is_sharp_inside_and_blurred_outside():
    image, masks, boxes = example(480, 640)
    prompts = make_prompts("reverse_blur", image, masks, boxes)
    blurred = cv2.GaussianBlur(image, (0, 0), 50).astype(int)
    for prompt, mask in zip(prompts, masks):
        assert np.array_equal(prompt[mask], image[mask])
        assert np.abs(prompt[~mask] - blurred[~mask]).max() <= 3


@pytest.mark.parametrize(
    ("size", "sigma"),
    [((480, 640), 50), ((640, 480), 50), ((240, 320), 25), ((48, 64), 5), ((960, 1280), 25)],
)
def test_sigma_follows_the_frame(size, sigma):
    image, masks, boxes = example(*size, 1)
    seen = []
    make_prompts("reverse_blur", image, masks, boxes, 50, lambda i, s: seen.append(s) or blur(i, s))
    assert seen == [pytest.approx(sigma)]


@pytest.mark.parametrize("size", [(480, 640), (333, 501), (9, 640), (640, 1)])
@pytest.mark.parametrize("sigma", [0.1, 3, 7.9, 8, 20, 50])
def test_blur_is_near_the_exact_one(size, sigma):
    smooth = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), size[::-1])
    exact = cv2.GaussianBlur(smooth, (0, 0), sigma).astype(int)
    assert np.abs(blur(smooth, sigma) - exact).max() <= 3


PICTURES = [(480, 640), (333, 501), (60, 80), (9, 640), (640, 1), (2, 3), (1, 1)]


@pytest.mark.long
@pytest.mark.parametrize("size", PICTURES)
@pytest.mark.parametrize("sigma", [0.1, 0.7, 3, 8, 20, 50])
def test_blur_on_a_device_is_opencvs(size, sigma):
    """Rounded it is OpenCV's in float32, also where the kernel (301 pixels at σ = 50) is longer
    than the picture. On bytes OpenCV rounds its kernel, and is itself some way off that."""
    side = (round(6 * sigma + 1) | 1,) * 2  # as OpenCV chooses it for bytes
    noise = rng.integers(0, 256, (*size, 3), np.uint8)
    halves = np.zeros((*size, 3), np.uint8)
    halves[size[0] // 2 :, size[1] // 2 :] = 255
    for image in (noise[::-1], halves):
        blurred = blur(image, sigma, "cpu")
        assert (blurred.dtype, blurred.shape) == (torch.uint8, image.shape)
        exact = cv2.GaussianBlur(image.astype(np.float32), side, sigma)
        assert np.abs(blurred.numpy() - exact).max() <= 0.51
        of_bytes = cv2.GaussianBlur(image, (0, 0), sigma).astype(int)
        assert min(size) < 60 or np.abs(blurred.numpy() - of_bytes).max() <= 2


@pytest.mark.long
@pytest.mark.parametrize("name", VISUAL_PROMPTS)
@pytest.mark.parametrize("size", [(60, 80), (90, 700), (480, 640)])
def test_prompts_on_a_device_are_the_same(name, size):
    """All candidates at once on a torch device, here the processor's."""
    image, masks, boxes = example(*size)
    prompts = make_prompts(name, image, masks, boxes, device="cpu")
    assert isinstance(prompts, torch.Tensor)
    expected = make_prompts(
        name, image, masks, boxes, blur_with=lambda i, s: blur(i, s, "cpu").numpy()
    )
    assert np.array_equal(prompts.numpy(), expected)
    flipped = make_prompts(name, image[::-1], masks, boxes, device="cpu")
    assert torch.equal(flipped, make_prompts(name, image[::-1].copy(), masks, boxes, device="cpu"))
    none = make_prompts(name, image, masks[:0], boxes[:0], device="cpu")
    assert none.shape == (0, *prompts.shape[1:])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_laws_of_reverse_blur(height, width, seed):
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    mask = random.random((height, width)) < 0.5
    masks = np.stack([np.ones_like(mask), np.zeros_like(mask), mask, ~mask])
    whole, none, some, rest = make_prompts("reverse_blur", image, masks, np.zeros((4, 4)))
    assert np.array_equal(whole, image)
    assert np.array_equal(none, blur(image, 50 * max(height, width) / FRAME))
    assert np.array_equal(some[~mask], none[~mask])
    assert np.array_equal(np.where(mask[..., None], rest, some), none)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(VISUAL_PROMPTS)),
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(st.floats(-80, 140, width=32), min_size=4, max_size=4),
)
def test_any_box_gives_a_prompt(name, height, width, box):
    image = np.full((height, width, 3), 90, np.uint8)
    masks = np.zeros((1, height, width), bool)
    prompts = make_prompts(name, image, masks, np.array([box], np.float32))
    assert prompts.shape == (1, height, width, 3)


def test_a_small_mask_outlives_scaling():
    image = np.zeros((1, 9000, 3), np.uint8)
    mask = np.zeros((1, 1, 9000), bool)
    mask[0, 0, 4321] = True
    image[0] = 200
    prompts = make_prompts("red_overlay", image, mask, np.zeros((1, 4), np.float32))
    assert (prompts[0, ..., 1] < 200).sum() == 1


def test_red_overlay_is_half_red_inside():
    image, masks, boxes = example()
    for prompt, mask in zip(make_prompts("red_overlay", image, masks, boxes), masks):
        assert np.array_equal(prompt[~mask], image[~mask])
        assert np.abs(prompt[mask] - (image[mask] / 2 + [127.5, 0, 0])).max() <= 0.5


@pytest.mark.parametrize("name", ["rectangle", "red_ellipse"])
def test_lines_are_red_on_the_box_and_nowhere_else(name):
    image = np.full((200, 300, 3), 128, np.uint8)
    box = np.array([[50, 40, 250, 160]], np.float32)
    prompt = make_prompts(name, image, np.zeros((1, 200, 300), bool), box)[0]
    for x, y in ((150, 40), (150, 160), (50, 100), (250, 100)):  # both touch the middles of sides
        assert prompt[y, x].tolist() == [255, 0, 0]
    corner_is_red = prompt[40, 50].tolist() == [255, 0, 0]
    assert corner_is_red == (name == "rectangle")
    assert (prompt[60:140, 110:190] == 128).all()  # inside: as it was
    changed = (prompt != 128).any(axis=2)
    assert changed.mean() < 0.06
    assert not changed[:37].any()


def test_crop_keeps_proportions_and_fills_with_clips_mean():
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:30, 20:30] = (0, 200, 0)
    boxes = np.array([[20, 10, 30, 30]], np.float32)
    prompt = make_prompts("crop", image, np.zeros((1, 60, 80), bool), boxes)[0]
    green = (prompt == (0, 200, 0)).all(axis=2)
    ys, xs = np.nonzero(green)
    assert (ys.min(), ys.max() + 1, xs.min(), xs.max() + 1) == (0, 60, 25, 55)  # 20×10 → 60×30
    assert (prompt[~green] == CLIP_MEAN).all()
