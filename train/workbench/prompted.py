"""New candidates by a box or by points that a person draws, from the store's segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 30  # of one candidate, at most


class Prompted:
    """A segmenter that is loaded at the first thing drawn; one network, one picture at a time.

    Args:
        load: makes it.
        takes_points: whether it has `segment_points`, as SAM's family does.
    """

    def __init__(self, load: Callable[[], Any], takes_points: bool = False) -> None:
        self.takes_points = takes_points
        self._load = load
        self._segmenter: Any = None
        self._lock = Lock()

    def box(self, image: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.bool_]:
        """bool H×W of RGB uint8 H×W×3, for a box x0, y0, x1, y1 in its pixels.

        Raises:
            InputError: no box inside of the picture, or nothing found in it.
        """
        height, width = image.shape[:2]
        limits = np.array([width, height] * 2, np.float32)
        corners = np.clip(np.array(box, np.float32), 0, limits)
        if corners.shape != (4,) or not (corners[2:] - corners[:2] >= 2).all():
            raise InputError("box: expected two pixels or more each way inside of the picture")
        with self._lock:
            masks, _ = self._own().segment(image, corners[None])
        if not masks[0].any():
            raise InputError("box: nothing is found in it; draw it closer around the object")
        return masks[0]

    def points(
        self, image: NDArray[np.uint8], points: Sequence[Sequence[float]], on: Sequence[bool]
    ) -> NDArray[np.bool_]:
        """bool H×W of RGB uint8 H×W×3, by points x, y in its pixels, `on` the object or off it.

        Raises:
            InputError: the segmenter takes boxes alone, no point on the object, one outside of the
                picture, or nothing found.
        """
        if not self.takes_points:
            raise InputError("points: expected a box, which is all that this segmenter takes")
        height, width = image.shape[:2]
        places = np.array(points, np.float32).reshape(-1, 2)
        if len(places) != len(on) or not 0 < len(places) <= POINTS or not any(on):
            raise InputError(f"points: expected 1 to {POINTS}, one or more of them on the object")
        if not ((places >= 0) & (places < (width, height))).all():
            raise InputError("points: expected them inside of the picture")
        with self._lock:
            mask, _ = self._own().segment_points(image, places, np.array(on, np.bool_))
        if not mask.any():
            raise InputError("points: nothing is found there; click the object's middle")
        return mask

    def _own(self) -> Any:
        if self._segmenter is None:
            self._segmenter = self._load()
        return self._segmenter
