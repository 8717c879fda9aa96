"""Mask measures against brute force and their own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssc.metrics import (
    GeneralizedScores,
    Scores,
    chosen_instance,
    mask_box,
    mask_iou,
    pairwise_box_iou,
    pairwise_iou,
)

FRAME = (5, 7)
masks = arrays(np.bool_, FRAME)
batches = st.integers(0, 4).flatmap(lambda n: arrays(np.bool_, (n, *FRAME)))


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(FRAME, np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


EMPTY = box(0, 0, 0, 0)


def brute_force(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    pairs = [(bool(p), bool(q)) for p, q in zip(a.flat, b.flat, strict=True)]
    return sum(p and q for p, q in pairs), sum(p or q for p, q in pairs)


def test_empty_masks():
    assert mask_iou(EMPTY, EMPTY) == 1.0
    assert mask_iou(EMPTY, box(0, 0, 2, 2)) == 0.0


@given(masks, masks)
def test_iou_is_intersection_over_union(a: np.ndarray, b: np.ndarray):
    intersection, union = brute_force(a, b)
    assert mask_iou(a, b) == (intersection / union if union else 1.0)
    assert 0.0 <= mask_iou(a, b) <= 1.0
    assert mask_iou(a, b) == mask_iou(b, a)
    assert mask_iou(a, a) == 1.0


@given(batches, batches)
def test_a_batch_equals_its_pairs(a: np.ndarray, b: np.ndarray):
    overlaps = pairwise_iou(a, b)
    assert overlaps.dtype == np.float64
    assert overlaps.shape == (len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            assert overlaps[i, j] == mask_iou(a[i], b[j])
    assert np.array_equal(overlaps, pairwise_iou(b, a).T)


def test_counts_stay_exact_in_large_frames():
    a = np.ones((1, 4200, 4200), np.bool_)  # more pixels than float32 counts
    b = a.copy()
    b[0, 0, 0] = False
    assert pairwise_iou(a, b)[0, 0] == (4200**2 - 1) / 4200**2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (EMPTY, np.zeros((7, 5), np.bool_)),
        (EMPTY, EMPTY.astype(np.uint8)),
        (EMPTY[None], EMPTY),
    ],
)
def test_masks_of_another_kind_are_refused(a: np.ndarray, b: np.ndarray):
    with pytest.raises(ValueError, match="expected two bool arrays H×W of one frame, got"):
        mask_iou(a, b)
    with pytest.raises(ValueError, match="expected two bool arrays N×H×W of one frame, got"):
        pairwise_iou(a, b)


def test_no_samples_score_nothing():
    scores = Scores()
    assert len(scores) == 0
    assert math.isnan(scores.oiou)
    assert math.isnan(scores.miou)
    assert math.isnan(scores.precision(0.5))


def test_scores_by_hand():
    scores = Scores()
    assert scores.add(box(0, 0, 2, 2), box(0, 0, 2, 2)) == 1.0
    assert scores.add(box(0, 0, 4, 1), box(2, 0, 6, 1)) == 2 / 6
    assert scores.add(box(0, 0, 2, 1), box(0, 0, 1, 1)) == 0.5
    assert scores.add(EMPTY, box(0, 0, 5, 2)) == 0.0  # nothing found still counts
    assert scores.oiou == (4 + 2 + 1 + 0) / (4 + 6 + 2 + 10)
    assert scores.miou == pytest.approx((1 + 2 / 6 + 0.5 + 0) / 4)
    assert scores.precision(0.5) == 0.5  # at least, as in RefCOCO's own evaluation
    assert scores.summary() == {
        "oIoU": scores.oiou,
        "mIoU": scores.miou,
        "P@0.5": 0.5,
        "P@0.6": 0.25,
        "P@0.7": 0.25,
        "P@0.8": 0.25,
        "P@0.9": 0.25,
        "samples": 4,
    }


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=6))
def test_scores_equal_brute_force_in_any_order(samples: list[tuple[np.ndarray, np.ndarray]]):
    scores, reverse = Scores(), Scores()
    for prediction, truth in samples:
        scores.add(prediction, truth)
    for prediction, truth in reversed(samples):
        reverse.add(prediction, truth)
    areas = [brute_force(*sample) for sample in samples]
    intersections, unions = sum(i for i, _ in areas), sum(u for _, u in areas)
    assert scores.oiou == (intersections / unions if unions else 1.0)
    assert scores.miou == pytest.approx(np.mean([i / u if u else 1.0 for i, u in areas]))
    assert scores.oiou == reverse.oiou
    assert scores.miou == pytest.approx(reverse.miou)
    assert scores.precision(0.9) <= scores.precision(0.5)


def test_the_chosen_instance():
    instances = np.stack([box(0, 0, 2, 2), box(2, 0, 6, 2), box(2, 0, 6, 2), EMPTY])
    assert chosen_instance(box(1, 0, 4, 2), instances) == 1
    assert chosen_instance(box(0, 0, 1, 1), instances) == 0
    assert chosen_instance(box(0, 4, 7, 5), instances) == -1
    assert chosen_instance(EMPTY, instances) == -1
    assert chosen_instance(box(0, 0, 2, 2), instances[:0]) == -1


def test_the_box_around_a_mask():
    mask = np.zeros((6, 9), bool)
    assert mask_box(mask).tolist() == [0, 0, 0, 0]
    mask[2:5, 3] = mask[4, 7] = True
    assert mask_box(mask).tolist() == [3, 2, 8, 5]
    assert mask_box(mask).dtype == np.float32


def test_no_boxes_have_no_overlaps():
    none = np.zeros((0, 4), np.float32)
    assert pairwise_box_iou(none, np.ones((3, 4), np.float32)).shape == (0, 3)
    assert pairwise_box_iou(np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)) == 0


@given(st.lists(st.tuples(*[st.integers(0, 7)] * 2, *[st.integers(1, 5)] * 2), min_size=1))
def test_box_iou_is_that_of_filled_boxes(rows: list[tuple[int, int, int, int]]):
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32)
    masks = np.zeros((len(boxes), 12, 12), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
        mask[y0:y1, x0:x1] = True
    np.testing.assert_allclose(pairwise_box_iou(boxes, boxes), pairwise_iou(masks, masks))
    np.testing.assert_array_equal([mask_box(mask) for mask in masks], boxes)


def test_generalized_scores_by_hand():
    """Two objects meant and one shown; none meant and none shown; none meant and one shown; one
    meant and none shown."""
    frame = np.zeros((2, 4), bool)
    left, both = frame.copy(), frame.copy()
    left[0, :2] = True  # 2 pixels
    both[0] = True  # 4 pixels
    scores = GeneralizedScores()
    assert [
        scores.add(left, both),
        scores.add(frame, frame),
        scores.add(left, frame),
        scores.add(frame, left),
    ] == [0.5, 1.0, 0.0, 0.0]
    assert scores.summary() == {
        "gIoU": 1.5 / 4,
        "cIoU": 2 / (4 + 0 + 2 + 2),
        "N-acc": 0.5,
        "T-acc": 0.5,
        "samples": 4,
    }


@given(st.lists(st.tuples(arrays(bool, (3, 4)), arrays(bool, (3, 4))), min_size=1, max_size=6))
def test_generalized_scores_of_single_objects_are_those_of_scores(samples):
    """Where every expression means something, gIoU is mIoU and cIoU is oIoU."""
    generalized, single = GeneralizedScores(), Scores()
    for prediction, truth in samples:
        if truth.any():
            assert generalized.add(prediction, truth) == single.add(prediction, truth)
    for one, other in ((generalized.giou, single.miou), (generalized.ciou, single.oiou)):
        assert one == other or (math.isnan(one) and math.isnan(other))
    assert math.isnan(generalized.n_acc)


def test_without_samples_there_is_no_generalized_measure():
    assert all(math.isnan(v) for k, v in GeneralizedScores().summary().items() if k != "samples")
