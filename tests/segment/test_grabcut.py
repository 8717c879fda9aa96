"""GrabCut inside boxes."""

import numpy as np

from ssc.segment.grabcut import GrabCut


def disc(h=60, w=80, noise=12):
    """A red disc before grass, and its mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:h, :w]
    mask = (y - 30) ** 2 + (x - 40) ** 2 < 15**2
    image = np.where(mask[..., None], (200, 40, 40), (40, 150, 60))
    return (image + rng.integers(-noise, noise, image.shape)).astype(np.uint8), mask


def test_no_boxes_give_no_masks():
    image, _ = disc()
    masks, qualities = GrabCut().segment(image, np.zeros((0, 4), np.float32))
    assert masks.shape == (0, 60, 80)
    assert qualities.shape == (0,)


def test_it_finds_the_object_in_its_box():
    image, truth = disc()
    box = np.array([[22, 12, 58, 48]], np.float32)
    masks, qualities = GrabCut().segment(image, box)
    assert (masks[0] & truth).sum() / (masks[0] | truth).sum() > 0.9
    assert 0 < qualities[0] < 1
    assert not masks[0, :, :22].any()


def test_a_box_alone_gives_what_it_gives_among_others():
    image, _ = disc()
    boxes = np.array([[22, 12, 58, 48], [5, 5, 30, 30], [22, 12, 58, 48]], np.float32)
    masks, _ = GrabCut().segment(image, boxes)
    assert np.array_equal(masks[0], masks[2])
    assert np.array_equal(masks[1], GrabCut().segment(image, boxes[1:2])[0][0])


def test_where_it_cannot_cut_the_box_is_the_mask():
    image, _ = disc()
    flat = np.full_like(image, 90)
    boxes = np.array([[0, 0, 80, 60], [10, 10, 11, 30], [-5, -5, 0.5, 0.5]], np.float32)
    masks, _ = GrabCut().segment(image, boxes)
    assert masks[0].all()
    assert masks[1].sum() == 20
    assert masks[2].sum() == 1
    masks, _ = GrabCut().segment(flat, np.array([[10, 10, 30, 30]], np.float32))
    assert masks[0].any()
    assert not masks[0, :10].any()
