"""A result as pictures in the original frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ssc.draw import colour_of, draw_candidates, draw_mask, draw_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.result import Result


def pictures(
    image: NDArray[np.uint8], result: Result
) -> dict[str, Callable[[], NDArray[np.uint8]]]:
    """The pictures to take away of a result: kind → what draws it, uint8 H×W, H×W×3 or H×W×4."""
    candidates, answer = result.candidates, result.answer

    def overlay(mask: NDArray[np.bool_], index: int) -> Callable[[], NDArray[np.uint8]]:
        return partial(draw_mask, image, mask, color=colour_of(index))

    drawn: dict[str, Callable[[], NDArray[np.uint8]]] = {
        "overlay": overlay(answer.mask, answer.index)
        if len(answer.indices) < 2
        else partial(draw_set, image, candidates.masks, candidates.boxes, answer.indices),
        "mask": partial(_grey, answer.mask),
        "cutout": partial(_cutout, image, answer.mask),
        "candidates": partial(
            draw_candidates,
            image,
            candidates.masks,
            candidates.boxes,
            chosen=answer.indices,
        ),
    }
    if (correction := result.correction) is not None:
        if (selected := result.selected) is not None:
            drawn["selected.overlay"] = overlay(selected.mask, selected.index)
            drawn["selected.mask"] = partial(_grey, selected.mask)
        drawn["corrected.overlay"] = overlay(correction.mask, correction.snapped_index)
        drawn["corrected.mask"] = partial(_grey, correction.mask)
        drawn["probability"] = partial(_levels, correction.probability)
    return drawn


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return mask.view(np.uint8) * np.uint8(255)


def _cutout(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    import cv2

    alpha = _grey(mask)
    return cv2.merge([*cv2.split(cv2.bitwise_and(image, image, mask=alpha)), alpha])


def _levels(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    import cv2

    return cv2.convertScaleAbs(probability, alpha=255)
