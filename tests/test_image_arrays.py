"""Arrays and PIL pictures of every kind give the right pixels, or one clear error."""

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from ssc.images import MAX_PIXELS, load_image
from tests.pixels import CHECKED, GREY, GREY_RGB, RGB, sixteen_bit


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (RGB, RGB),
        (RGB[:, ::-1], RGB[:, ::-1]),
        (GREY, GREY_RGB),
        (GREY[..., None], GREY_RGB),
        (np.dstack([RGB, np.zeros_like(GREY)]), np.full((16, 16, 3), 255)),
        (RGB / 255, RGB),
        ((RGB / 255).astype(np.float16), RGB),
        (RGB.astype(np.float32), RGB),
        (RGB.astype(np.int64), RGB),
        (RGB.astype(np.uint16) * 257, RGB),
        ((RGB.astype(np.uint16) * 257).astype(">u2"), RGB),
        (sixteen_bit(), GREY_RGB),
        (CHECKED, CHECKED[..., None] * np.full(3, 255)),
    ],
)
def test_arrays(array: np.ndarray, expected: np.ndarray):
    image = load_image(array)
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)
    assert not np.shares_memory(image, array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5, 3), np.uint8), r"got shape \(0, 5, 3\)"),
        (np.zeros((5, 5, 2), np.uint8), r"got shape \(5, 5, 2\)"),
        (np.zeros((3, 5, 5), np.uint8), r"got shape \(3, 5, 5\)"),
        (np.zeros((1, 5, 5, 3), np.uint8), "got shape"),
        (np.zeros(5, np.uint8), "got shape"),
        (np.array(3), "got shape"),
        (np.full((4, 4), np.nan), "values in 0–1 or 0–255, got nan"),
        (np.full((4, 4), np.inf), "got inf"),
        (np.full((4, 4), -0.5), "got -0.5"),
        (np.full((4, 4), 70000), "values in 0–255 or 0–65535"),
        (np.full((4, 4), 1j), "complex"),
        (np.full((4, 4), "a"), "expected an array of numbers"),
        (np.broadcast_to(np.uint8(0), (9000, 12000)), "got 12000×9000"),
    ],
)
def test_bad_arrays(array: np.ndarray, message: str):
    with pytest.raises(InputError, match=message):
        load_image(array)


def test_odd_pil_images():
    with pytest.raises(InputError, match="0×0"):
        load_image(Image.new("RGB", (0, 0)))
    with pytest.raises(InputError, match="got one of mode La; convert it to RGB"):
        load_image(Image.new("La", (4, 4)))
    for mode in ("HSV", "YCbCr", "LAB", "RGBa", "PA", "RGBX", "I;16L", "F"):
        assert load_image(Image.new(mode, (4, 3))).shape == (3, 4, 3)


def test_a_picture_at_the_limit_is_taken():
    side = int(MAX_PIXELS**0.5)
    assert load_image(Image.new("L", (side, side))).shape == (side, side, 3)
