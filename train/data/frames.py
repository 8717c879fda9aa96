"""Whether a true box is of its picture's frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssc.errors import InputError
from ssc.metrics import mask_box, pairwise_box_iou
from train.data.notes import say_once

SLACK = 0.5  # pixels beyond the frame that are rounding


def fitted_box(
    box: Sequence[float], height: int, width: int, where: str, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """float32 4, XYXY pixels inside the frame.

    A box that is partly outside is clipped, and that is said once.

    Args:
        where: file and line, for messages.
        mask: bool H×W of the same object, where it has one.

    Raises:
        InputError: the box is in shares of the picture, outside of it, or not its mask's.
    """
    corners = np.array(box, np.float32)
    frame = f"the picture's {width}×{height} pixels"
    got = "[" + ", ".join(f"{value:g}" for value in box) + "]"
    if corners.min() >= 0 and corners.max() <= 1 < max(height, width):
        raise InputError(
            f"{where}: expected a box in {frame}, got {got}, as of shares; multiply them by width "
            "and height"
        )
    clipped = np.clip(corners, 0, np.array([width, height] * 2, np.float32))
    if (clipped[2:] - clipped[:2] <= 0).any():
        raise InputError(f"{where}: expected a box in {frame}, got {got}, outside of it")
    if np.abs(clipped - corners).max() > SLACK:
        say_once(
            f"{where}: the box {got} goes beyond {frame} and is clipped; so are others like it. A "
            "box is x0, y0, x1, y1: is this one of another picture, or were sizes added twice?",
            "clipped boxes",
        )
    if mask is not None:
        _refuse_anothers(clipped, mask, where, got)
    return clipped


def _refuse_anothers(
    box: NDArray[np.float32], mask: NDArray[np.bool_], where: str, got: str
) -> None:
    bounds = mask_box(mask)
    corner = np.array([*box[:2], *(box[:2] + box[2:])], np.float32)  # if it is x, y, width, height
    as_is, as_sizes = pairwise_box_iou(np.stack([box, corner]), bounds[None])[:, 0]
    if as_is == 0 or (as_sizes > 0.9 and as_is < 0.5):
        hint = "; it fits as x, y, width, height" if as_sizes > 0.9 else ""
        raise InputError(
            f"{where}: expected the box of the object's mask, {bounds.tolist()}, got {got}{hint}"
        )
