"""Whether a picture is one that the bundled models can't know: they know rendered scenes only.

Not by the picture's look but by what the mini detector makes of it. In a scene it is sure of some
boxes; in a photograph of none, as it has never seen such a thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.segment.detect import Detector, MiniDetector

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEST = 3
"""Boxes asked: a scene has as many objects, or more."""
THRESHOLD = 0.65
"""Below it a picture is taken for a photograph. On one half of the pictures of
`python -m train photo-note` 142 of 150 scenes get no note and 105 of 112 photographs (whole,
mirrored, quarters, smaller) do; on the other half 147 of 156 scenes do not and 55 of 56 photographs
do. By the first half alone it would be 0.67, but one of the page's examples would get the note."""


def confidence(scores: NDArray[np.float32]) -> float:
    """Mean of the `BEST` best of all boxes' scores; a box that is missing counts as 0."""
    best = np.sort(scores)[::-1][:BEST]
    return float(best.sum() / BEST)


def is_unknown(detector: Detector, image: NDArray[np.uint8]) -> bool:
    """Whether `image`, RGB uint8 H×W×3, is probably a photograph, and the detector the mini one.

    The detector keeps an image's boxes, so that the question costs nothing after stage 1.
    """
    if not isinstance(detector, MiniDetector):
        return False
    return confidence(detector.network.boxes(image)[1]) < THRESHOLD
