"""GrabCut (Rother et al., SIGGRAPH 2004) inside each box: masks without any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNS = 5
SEED = 0  # of OpenCV's mixtures of colours, before each box: a mask does not depend on others


class GrabCut:
    """OpenCV's GrabCut, begun with a box: its inside may be the object, its outside is not.

    The row of Table 2 that asks what a segmenter without learning is worth.
    """

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `ssc.segment.masks.Segmenter.segment`; the quality is the mask's share of its box.

        A box of less than two pixels a side, one that leaves nothing outside, and one in which
        GrabCut finds nothing, is the mask itself.
        """
        masks = np.zeros((len(boxes), *image.shape[:2]), np.bool_)
        qualities = np.zeros(len(boxes), np.float32)
        pixels = np.ascontiguousarray(image)  # its colours' order does not matter to GrabCut
        for k, box in enumerate(boxes):
            inside = _inside(box, image.shape[:2])
            cut = _cut(pixels, inside)
            masks[k] = cut if cut.any() else inside
            qualities[k] = masks[k].sum() / max(int(inside.sum()), 1)
        return masks, qualities


def _inside(box: NDArray[np.float32], frame: tuple[int, int]) -> NDArray[np.bool_]:
    """bool H×W: the pixels of a box XYXY, one at least."""
    h, w = frame
    x0, y0 = (int(np.clip(np.floor(v), 0, side - 1)) for v, side in zip(box[:2], (w, h)))
    x1, y1 = (
        int(np.clip(np.ceil(v), low + 1, side)) for v, low, side in zip(box[2:], (x0, y0), (w, h))
    )
    inside = np.zeros(frame, np.bool_)
    inside[y0:y1, x0:x1] = True
    return inside


def _cut(image: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import cv2

    rows, columns = inside.any(1).sum(), inside.any(0).sum()
    if min(rows, columns) < 2 or inside.all():
        return inside
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(SEED)
    state = np.zeros((2, 1, 65), np.float64)  # the two mixtures; OpenCV fills them
    cv2.grabCut(image, labels, None, state[0], state[1], TURNS, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
