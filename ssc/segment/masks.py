"""Boxes → one candidate mask per box (paper §3.1, step 3), and duplicates removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.metrics import pairwise_iou
from ssc.types import Candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.mini import MiniNetwork

DUPLICATE_IOU = 0.8
"""Two candidates whose masks overlap more than this are the same object."""


class Segmenter(Protocol):
    """A class-agnostic segmenter, prompted with boxes."""

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """One mask per box.

        Args:
            image: RGB uint8 H×W×3.
            boxes: float32 N×4, XYXY pixels.

        Returns:
            masks bool N×H×W, and qualities float32 N: estimated IoU of each, in [0, 1].
        """
        ...


class MiniSegmenter:
    """The mini network's mask head on given boxes."""

    def __init__(self, network: MiniNetwork) -> None:
        self.network = network

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `Segmenter.segment`; the quality is the mean confidence inside the mask."""
        return self.network.masks(image, boxes)


def suppress_duplicates(candidates: Candidates) -> list[int]:
    """Indices of the candidates to keep, best box first.

    Greedy non-maximum suppression on masks, whatever their labels: a box per class on one object
    is one candidate. Empty masks are dropped.
    """
    order = np.argsort(-candidates.scores, kind="stable")
    overlaps = pairwise_iou(candidates.masks, candidates.masks)
    keep: list[int] = []
    for i in order.tolist():
        if candidates.masks[i].any() and not (overlaps[i, keep] > DUPLICATE_IOU).any():
            keep.append(i)
    return keep
