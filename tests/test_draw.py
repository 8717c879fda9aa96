"""Pictures of candidates and answers: right places, right colours, any size."""

import numpy as np
import pytest

from ssc.draw import (
    PALETTE,
    SCREEN,
    colour_of,
    draw_candidates,
    draw_mask,
    draw_probability,
    for_screen,
)
from ssc.scale import scale
from ssc.types import Candidates
from tests.fake_pipeline import scene_candidates, scene_image


def many(n, height=120, width=160):
    """N masks and their equal boxes."""
    masks = np.zeros((n, height, width), bool)
    masks[:, 40:80, 50:100] = True
    return masks, np.tile(np.array([50, 40, 100, 80], np.float32), (n, 1))


def test_no_candidates_and_empty_mask_leave_the_picture():
    image, none = scene_image(), Candidates.empty(240, 320)
    for drawn in (
        draw_candidates(image, none.masks, none.boxes),
        draw_mask(image, np.zeros((240, 320), bool)),
    ):
        assert np.array_equal(drawn, image)
        assert drawn is not image


def test_palette_has_no_black_or_white_and_repeats():
    assert len(set(PALETTE)) == 7
    assert not {(0, 0, 0), (255, 255, 255)} & set(PALETTE)
    assert colour_of(8) == PALETTE[1]
    assert colour_of(-1) not in PALETTE  # what is no candidate


def test_mask_is_tinted_in_rgb_and_the_rest_dimmed():
    image = np.full((200, 300, 3), 128, np.uint8)
    mask = np.zeros((200, 300), bool)
    mask[50:150, 50:150] = True
    drawn = draw_mask(image, mask, color=(230, 159, 0)).astype(int)
    red, green, blue = drawn[100, 100]
    assert red > green > blue
    assert (drawn[10, 10] < 128).all()
    assert drawn[100, 50] == pytest.approx([230, 159, 0], abs=50)  # the outline
    assert np.array_equal(image, np.full((200, 300, 3), 128, np.uint8))


def test_candidates_have_their_colours_and_the_chosen_stands_out():
    image, own = scene_image(), scene_candidates(240, 320)
    plain = draw_candidates(image, own.masks, own.boxes).astype(int)
    for i, mask in enumerate(own.masks):
        towards = np.array(colour_of(i)) - image[mask]
        assert ((plain[mask] - image[mask]) * towards).mean() > 0
    stressed = draw_candidates(image, own.masks, own.boxes, chosen=(1,)).astype(int)
    other = own.masks[0]
    change = [np.abs(p[other] - image[other].astype(int)).mean() for p in (stressed, plain)]
    assert change[0] < change[1]


def test_heat_map_is_brighter_where_it_is_likelier_and_outlines_the_threshold():
    image = np.full((200, 300, 3), 128, np.uint8)
    probability = np.tile(np.linspace(0, 1, 300, dtype=np.float32), (200, 1))
    light = draw_probability(image, probability).astype(int).sum(axis=2)[100]
    assert (np.diff(light) >= -6).all()
    assert light[-1] > 2 * light[0]
    red, _, blue = draw_probability(image, probability)[100, 200].astype(int)
    assert red > blue + 50  # orange: RGB, not BGR
    outlined = draw_probability(image, probability, threshold=0.5)
    changed = (outlined[100] != draw_probability(image, probability)[100]).any(axis=1)
    assert changed[148:154].any()
    assert not changed[10:140].any()


@pytest.mark.long
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (7, 5), (1500, 2000)])
@pytest.mark.parametrize("n", [1, 12])
def test_any_size(size, n):
    image = np.zeros((*size, 3), np.uint8)
    masks = np.ones((n, *size), bool)
    boxes = np.tile(np.array([0, 0, size[1], size[0]], np.float32), (n, 1))
    assert draw_candidates(image, masks, boxes, chosen=(0,)).shape == image.shape
    assert draw_mask(image, masks[0]).shape == image.shape
    assert draw_probability(image, np.ones(size, np.float32), threshold=0.5).shape == image.shape


def test_badges_of_equal_boxes_do_not_cover_each_other(monkeypatch):
    from ssc import draw

    places = []
    original = draw._free_place
    monkeypatch.setattr(draw, "_free_place", lambda *a: places.append(original(*a)) or places[-1])
    draw_candidates(np.zeros((480, 640, 3), np.uint8), *many(12, 480, 640))
    gaps = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(places) for b in places[:i]]
    assert min(gaps) >= 2 * 15


def test_for_screen_brings_both_to_one_size():
    own = scene_candidates(240, 320)
    image, masks, boxes = for_screen(scene_image(), own.masks, own.boxes)
    assert image.shape == (960, SCREEN, 3)
    assert masks.shape[1:] == (960, SCREEN)
    assert boxes[0] == pytest.approx(own.boxes[0] * 4)
    area = own.masks.mean(axis=(1, 2))
    assert masks.mean(axis=(1, 2)) == pytest.approx(area, rel=0.03)


@pytest.mark.parametrize("longest", [1, 3, 64, 65, 200])
def test_scaling_keeps_what_there_is(longest):
    image = np.zeros((48, 64, 3), np.uint8)
    masks = np.zeros((3, 48, 64), bool)
    masks[1, 20, 20] = True
    masks[2] = True
    small, scaled, boxes = scale(image, masks, np.array([[0, 0, 64, 48]] * 3, np.float32), longest)
    assert max(small.shape[:2]) == longest
    assert scaled.shape == (3, *small.shape[:2])
    assert [m.any() for m in scaled] == [False, True, True]
    assert scaled[2].all()
    assert boxes[0].tolist() == [0, 0, small.shape[1], small.shape[0]]
