"""An image and what lies on it, brought to another size together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def thickened(image: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """RGB uint8 H×W×3 at most `most` times as long as wide, stretched where it is thinner.

    A network that brings the long side to `most` pixels then has one pixel across, not none. Boxes
    and masks as shares of the picture stay.
    """
    import cv2

    height, width = image.shape[:2]
    least = -(-max(height, width) // most)
    if min(height, width) >= least:
        return image
    size = (max(width, least), max(height, least))
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)


def scale(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | Sequence[NDArray[np.bool_]],
    boxes: NDArray[np.float32],
    longest: int,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32]]:
    """Scales all three so that the image's longest side has `longest` pixels.

    Args:
        image: RGB uint8 H×W×3.
        masks: bool N×H×W, or N of H×W; one that marks anything still does, however small.
        boxes: float32 N×4, XYXY pixels.
        longest: at least 1.

    Returns:
        uint8 h×w×3, bool N×h×w, float32 N×4; not copied where the size is right.
    """
    import cv2

    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor == 1:
        return image, np.asarray(masks, np.bool_).reshape(-1, height, width), boxes
    h, w = max(1, round(height * factor)), max(1, round(width * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.zeros((len(masks), h, w), np.bool_)
    for mask, out in zip(masks, scaled):
        share = cv2.resize(mask.astype(np.uint8) * 255, (w, h), interpolation=how)
        out[:] = share >= 128
        if not out.any():  # too thin or too small: every pixel that it touches
            out[:] = cv2.resize(mask.astype(np.float32), (w, h), interpolation=how) > 0
    ratio = np.array([w / width, h / height] * 2, np.float32)
    return cv2.resize(image, (w, h), interpolation=how), scaled, boxes * ratio
