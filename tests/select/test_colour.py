"""Colours that words name, on painted pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc.select.colour import COLOURS, SHADED, colour_shares


def masks_of(image):
    left = np.zeros(image.shape[:2], np.bool_)
    left[:, : image.shape[1] // 2] = True
    return np.stack([left, ~left])


def painted(left, right):
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :20], image[:, 20:] = left, right
    return image


THINGS = np.zeros(2, np.bool_)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red vase", [1, 0]),
        ("the brown vase", [0, 1]),
        ("the grey one", [0, 0]),
        ("red and brown vases", [0.5, 0.5]),
    ],
)
def test_shares_of_pixels(text, expected):
    image = painted((180, 20, 25), (110, 70, 30))
    shares = colour_shares(text, image, masks_of(image), THINGS)
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    assert shares.dtype == np.float32


def test_no_colour_and_no_candidate():
    image = painted((255, 0, 0), (0, 0, 255))
    assert colour_shares("the tired man", image, masks_of(image), THINGS) is None
    none = np.zeros((0, 20, 40), np.bool_)
    assert len(colour_shares("red", image, none, THINGS[:0])) == 0
    assert colour_shares("red", image, np.zeros((1, 20, 40), np.bool_), THINGS[:1]) == [0]


def test_clothes_are_a_part_of_a_person():
    image = np.full((100, 10, 3), 255, np.uint8)
    image[15:60] = 200, 10, 20  # shirt
    image[60:] = 20, 30, 160  # trousers
    mask = np.ones((1, 100, 10), np.bool_)
    person, thing = np.ones(1, np.bool_), np.zeros(1, np.bool_)
    assert colour_shares("man in the red shirt", image, mask, person)[0] == 1
    assert colour_shares("man in blue jeans", image, mask, person)[0] == pytest.approx(0.8)
    assert colour_shares("man in the red shirt", image, mask, thing)[0] == pytest.approx(0.45)


@given(st.sampled_from(sorted(COLOURS)), st.integers(1, 255))
def test_the_shares_of_all_colours_are_all_pixels(name, seed):
    image = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    mask = np.ones((1, 8, 8), np.bool_)
    shares = [colour_shares(c, image, mask, THINGS[:1])[0] for c in COLOURS]
    assert sum(shares) == pytest.approx(1)
    plain = np.full((4, 4, 3), list(bytes.fromhex(COLOURS[name][0])), np.uint8)
    assert colour_shares(name, plain, np.ones((1, 4, 4), np.bool_), THINGS[:1])[0] == 1


def test_colours_are_those_of_the_survey():
    from matplotlib.colors import XKCD_COLORS

    survey = {code.removeprefix("#") for code in XKCD_COLORS.values()}
    assert {code for codes in COLOURS.values() for code in codes} <= survey | set(SHADED)
