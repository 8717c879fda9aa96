"""The paper's measures on masks: IoU, oIoU, mIoU, P@X, and which instance an answer means.

And the IoU of boxes, for data sets that know no masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRECISION_AT = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The IoU thresholds of P@X."""

_CHUNK = 1 << 20
"""Pixels multiplied at once: bounds memory, and keeps counts exact in float32 (below 2²⁴)."""


def mask_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks.

    Args:
        a, b: bool H×W, of one frame.

    Returns:
        IoU in [0, 1]; 1.0 where both are empty, for they are equal.

    Raises:
        ValueError: other dtypes, or masks of different frames.
    """
    intersection, union = _areas(a, b)
    return intersection / union if union else 1.0


def pairwise_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU of each mask of `a` with each of `b`.

    Args:
        a: bool N×H×W.
        b: bool M×H×W, of the same frame; N or M may be 0.

    Returns:
        float64 N×M in [0, 1]; 1.0 where both masks are empty, as in `mask_iou`.

    Raises:
        ValueError: other dtypes, or masks of different frames.
    """
    _check(a, b, ndim=3)
    flat_a = a.reshape(len(a), int(np.prod(a.shape[1:])))  # N×HW
    flat_b = b.reshape(len(b), int(np.prod(b.shape[1:])))  # M×HW
    intersections = np.zeros((len(a), len(b)))
    for start in range(0, flat_a.shape[1], _CHUNK):
        chunk = slice(start, start + _CHUNK)
        intersections += flat_a[:, chunk].astype(np.float32) @ flat_b[:, chunk].T.astype(np.float32)
    areas_a, areas_b = flat_a.sum(axis=1), flat_b.sum(axis=1)
    unions = areas_a[:, None] + areas_b[None, :] - intersections
    return np.divide(intersections, unions, out=np.ones_like(intersections), where=unions > 0)


def mask_box(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The box around a mask bool H×W: float32 4, XYXY pixels; zeros where it is empty."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(xs):
        return np.zeros(4, np.float32)
    return np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1], np.float32)


def pairwise_box_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """IoU of each box of `a` with each of `b`.

    Args:
        a: float N×4, XYXY.
        b: float M×4, likewise; N or M may be 0.

    Returns:
        float64 N×M in [0, 1]; 0 where both boxes are empty.
    """
    one, other = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    intersections = sides.clip(0).prod(axis=-1)  # N×M×2 → N×M
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (one, other)]
    unions = areas[0] + areas[1] - intersections
    return np.divide(intersections, unions, out=np.zeros_like(intersections), where=unions > 0)


def chosen_instance(prediction: NDArray[np.bool_], instances: NDArray[np.bool_]) -> int:
    """Which instance of the image a predicted mask means: the one it overlaps best.

    Args:
        prediction: bool H×W.
        instances: bool N×H×W, the true masks of all instances of the image.

    Returns:
        The index of the instance of highest IoU (the first of equals), -1 where it meets none.
    """
    if not len(instances) or not prediction.any():
        return -1
    overlaps = pairwise_iou(prediction[None], instances)[0]
    best = int(overlaps.argmax())
    return best if overlaps[best] > 0 else -1


class Scores:
    """Adds up oIoU, mIoU and P@X over samples (paper §4).

    Every sample counts, those without a predicted mask too: an empty prediction adds its whole
    truth to the union. Without samples each measure is NaN.
    """

    def __init__(self) -> None:
        self.ious: list[float] = []
        self._intersections = 0
        self._unions = 0

    def add(self, prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
        """Counts one sample, two masks bool H×W of one frame; returns its IoU as `mask_iou`."""
        intersection, union = _areas(prediction, truth)
        self._intersections += intersection
        self._unions += union
        self.ious.append(intersection / union if union else 1.0)
        return self.ious[-1]

    def __len__(self) -> int:
        return len(self.ious)

    @property
    def oiou(self) -> float:
        """Overall IoU in [0, 1]: all intersections by all unions; large objects weigh more."""
        if not self.ious:
            return float("nan")
        return self._intersections / self._unions if self._unions else 1.0

    @property
    def miou(self) -> float:
        """Mean IoU in [0, 1] over the samples."""
        return float(np.mean(self.ious)) if self.ious else float("nan")

    def precision(self, threshold: float) -> float:
        """P@threshold: the share of samples whose IoU is at least `threshold`, in [0, 1]."""
        return float(np.mean(np.array(self.ious) >= threshold)) if self.ious else float("nan")

    def summary(self) -> dict[str, float]:
        """All measures by name: "oIoU", "mIoU", "P@0.5" … "P@0.9", and "samples"."""
        return {
            "oIoU": self.oiou,
            "mIoU": self.miou,
            **{f"P@{threshold}": self.precision(threshold) for threshold in PRECISION_AT},
            "samples": len(self),
        }


class GeneralizedScores(Scores):
    """Adds up gIoU, cIoU, N-acc and T-acc over samples of any number of objects, none among them.

    Those of "GRES: Generalized Referring Expression Segmentation" (Liu et al. 2023,
    arXiv:2306.00968, section 3.2). A sample's truth is the union of all objects that its expression
    means, and empty where it means none; an empty prediction says that there is none, and has an
    IoU of 1 there, any other one of 0. Without samples of its kind a measure is NaN.
    """

    def __init__(self) -> None:
        super().__init__()
        self._none: list[bool] = []  # of the samples without an object: whether that is said
        self._some: list[bool] = []  # of the others: whether something is shown

    def add(self, prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
        """Counts one sample, two masks bool H×W of one frame; returns its IoU."""
        if truth.any():
            self._some.append(bool(prediction.any()))
        else:
            self._none.append(not prediction.any())
        return super().add(prediction, truth)

    @property
    def giou(self) -> float:
        """gIoU in [0, 1]: the mean IoU over all samples."""
        return self.miou

    @property
    def ciou(self) -> float:
        """cIoU in [0, 1]: all intersections by all unions; what is wrongly shown adds to these."""
        return self.oiou

    @property
    def n_acc(self) -> float:
        """N-acc in [0, 1]: the share of the samples without an object of which that is said."""
        return float(np.mean(self._none)) if self._none else float("nan")

    @property
    def t_acc(self) -> float:
        """T-acc in [0, 1]: the share of the samples with an object of which something is shown."""
        return float(np.mean(self._some)) if self._some else float("nan")

    def summary(self) -> dict[str, float]:
        """All measures by name: "gIoU", "cIoU", "N-acc", "T-acc", and "samples"."""
        return {
            "gIoU": self.giou,
            "cIoU": self.ciou,
            "N-acc": self.n_acc,
            "T-acc": self.t_acc,
            "samples": len(self),
        }


def _areas(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> tuple[int, int]:
    """Pixels of the intersection and of the union of two masks bool H×W."""
    _check(a, b, ndim=2)
    return int(np.count_nonzero(a & b)), int(np.count_nonzero(a | b))


def _check(a: NDArray[np.bool_], b: NDArray[np.bool_], ndim: int) -> None:
    frames_differ = a.shape[-2:] != b.shape[-2:]
    if a.ndim != ndim or b.ndim != ndim or frames_differ or {a.dtype, b.dtype} != {np.dtype(bool)}:
        frame = "H×W" if ndim == 2 else "N×H×W"
        raise ValueError(
            f"expected two bool arrays {frame} of one frame, got {a.dtype} {a.shape} "
            f"and {b.dtype} {b.shape}"
        )
