"""From what stage 3 sees to a mask: the threshold, and the one place that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.correct.guided import LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAINT = 0.1
"""A model whose probability is nowhere twice this sees nothing."""
SURE = 0.95
"""A model whose peak is this is torn between no two places."""
SMOOTH = 1 / 50
"""σ in which a place is compared with another, in shorter sides of the picture."""


def threshold_of(probability: NDArray[np.float32]) -> float:
    """Half of the peak of float32 H×W in [0, 1], `FAINT` at least.

    The paper's is 0.5, the larger of LAVT's two logits, and for a model that is sure this is the
    same. One that is torn between two objects, or has learnt little, may be above 0.5 nowhere,
    though an expression names something and the model does say where that is likeliest.
    """
    return max(FAINT, float(probability.max(initial=0)) / 2)


def mask_at(
    probability: NDArray[np.float32], threshold: float, *, several: bool = False
) -> NDArray[np.bool_]:
    """bool H×W: where the probability is above the threshold.

    A model that is torn is above it in several places, though one object is meant: the mask is then
    the connected place of the peak, after smoothing, and no more. One that is sure keeps all of
    them: the parts of an object that something hides are several places too. Not in the paper.

    Args:
        probability: float32 H×W in [0, 1].
        threshold: in [0, 1].
        several: whether more than one object may be meant, which keeps all places.
    """
    import cv2

    mask = probability > threshold
    if several or not mask.any() or probability.max() >= SURE:
        return mask
    count, places = cv2.connectedComponents(mask.astype(np.uint8))
    if count <= 2:  # the background and one place
        return mask
    peak = np.where(mask, _smoothed(probability), -1).argmax()
    return np.asarray(places == places.flat[peak])


def _smoothed(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 H×W by a Gaussian of `SMOOTH`; at `LONGEST` pixels at most, since so wide a filter of
    a large map takes seconds."""
    import cv2

    height, width = probability.shape
    scale = min(1.0, LONGEST / max(height, width))
    small = cv2.resize(probability, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), max(1.0, SMOOTH * min(small.shape)))
    large = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)
