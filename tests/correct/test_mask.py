"""From stage 3's maps to masks: the picture's edges, the threshold, and the place that is meant."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.correct.guided import LONGEST, along_edges
from ssc.correct.mask import SURE, mask_at, threshold_of


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def disc(height=120, width=160, centre=(70, 60), radius=25):
    return cv2.circle(np.zeros((height, width), np.uint8), centre, radius, 1, -1).astype(bool)


def coarse(mask, cell):
    """A map that a network of cells of so many pixels sees of a mask."""
    height, width = mask.shape
    small = cv2.resize(
        mask.astype(np.float32), (width // cell, height // cell), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("scale", [1, 6])
def test_a_coarse_map_gets_the_edges_of_the_picture(scale):
    mask = disc(120 * scale, 160 * scale, (70 * scale, 60 * scale), 25 * scale)
    image = np.where(mask[..., None], (200, 60, 60), (40, 90, 70)).astype(np.uint8)
    cell = 10 * scale
    assert scale == 1 or max(image.shape) > LONGEST
    seen = coarse(mask, cell)
    [edged] = along_edges(seen[None], image, cell)
    assert edged.dtype == np.float32
    assert edged.shape == mask.shape
    assert iou(edged > 0.5, mask) > max(0.97, iou(seen > 0.5, mask))


def test_an_even_picture_leaves_a_level_and_smooths_the_rest():
    image = np.full((40, 60, 3), 90, np.uint8)
    level = np.full((1, 40, 60), 0.3, np.float32)
    np.testing.assert_allclose(along_edges(level, image, 8), level, atol=1e-5)
    [edged] = along_edges(coarse(disc(40, 60, (30, 20), 9), 4)[None], image, 8)
    assert 0 < edged.max() < 1


def test_a_map_that_follows_the_light_is_kept():
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (50, 1))
    maps = (ramp / 255 * 0.8 + 0.1).astype(np.float32)[None]
    edged = along_edges(maps, np.stack([ramp] * 3, 2), 4)
    inside = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(edged[inside], maps[inside], atol=0.05)


@pytest.mark.parametrize(("cell", "count"), [(0.5, 2), (8, 0)])
def test_what_has_no_coarse_cells_is_kept(cell, count):
    maps = np.random.default_rng(0).random((count, 6, 7), np.float32)
    image = np.zeros((6, 7, 3), np.uint8)
    assert np.array_equal(along_edges(maps, image, cell), maps)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 60), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_maps_stay_maps_and_each_is_alone(height, width, cell, seed):
    rng = np.random.default_rng(seed)
    maps = rng.random((3, height, width), np.float32)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    edged = along_edges(maps, image, cell)
    assert edged.shape == maps.shape
    assert edged.min() >= 0
    assert edged.max() <= 1
    assert np.array_equal(along_edges(maps[1:2], image, cell)[0], edged[1])


def two(high, low):
    """A model that sees two places."""
    left, right = disc(centre=(40, 60)), disc(centre=(120, 60), radius=20)
    return left, right, np.where(left, low, np.where(right, high, 0.02)).astype(np.float32)


def test_where_a_model_is_torn_the_likeliest_place_is_the_mask():
    left, right, probability = two(0.6, 0.5)
    threshold = threshold_of(probability)
    assert np.array_equal(mask_at(probability, threshold), right)
    assert np.array_equal(mask_at(probability, threshold, several=True), left | right)


def test_where_it_is_sure_all_parts_are():
    left, right, probability = two(SURE + 0.01, 0.9)
    assert np.array_equal(mask_at(probability, 0.5), left | right)


def test_a_single_pixel_is_no_place_beside_an_object():
    left, _, probability = two(0.02, 0.6)
    probability[5, 150] = 0.8
    assert np.array_equal(mask_at(probability, 0.3), left)


def test_a_map_larger_than_a_screen_has_the_same_place():
    _, right, probability = two(0.6, 0.5)
    large = cv2.resize(probability, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    assert max(large.shape) > LONGEST
    found = mask_at(large, threshold_of(large))
    assert np.array_equal(found, right.repeat(6, 0).repeat(6, 1))


@given(st.integers(0, 999), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_a_mask_is_above_its_threshold_and_connected_where_torn(seed, threshold):
    rng = np.random.default_rng(seed)
    probability = cv2.resize(rng.random((4, 5), np.float32), (50, 40)) * 0.9
    mask = mask_at(probability, threshold)
    above = probability > threshold
    assert not (mask & ~above).any()
    assert mask.any() == above.any()
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] <= 2
