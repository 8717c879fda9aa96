"""A mask as one polygon, on the pixels' corners: whoever fills it gets the mask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINER = 3  # each pixel is drawn as so many, so that an outline knows its corners


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64 K×2, the x, y corners of a closed polygon, in pixels of the frame.

    Parts and holes are joined by bridges of no width, there and back, as formats with one polygon
    for an object need.

    Args:
        mask: bool H×W with a pixel or more.
    """
    joined, *rest = sorted(rings(mask), key=len, reverse=True)
    while rest:
        distances = [_nearest(joined, ring) for ring in rest]
        best = min(range(len(rest)), key=lambda k: distances[k][0])
        _, here, there = distances[best]
        ring = np.roll(rest.pop(best), -there, axis=0)
        # Along the ring and back to where the bridge begins.
        joined = np.concatenate([joined[: here + 1], ring, ring[:1], joined[here:]])
    return joined.astype(np.float64)


def rings(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Each outline of parts and of holes, int64 K×2 corners."""
    import cv2

    large = np.kron(mask.astype(np.uint8), np.ones((FINER, FINER), np.uint8))
    contours, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    corners = []
    for contour in contours:
        points = np.rint((contour[:, 0] + 0.5) / FINER).astype(np.int64)  # K×1×2 → K×2
        fresh = (points != np.roll(points, 1, axis=0)).any(1)
        corners.append(points[fresh] if fresh.sum() > 2 else points)
    return corners


def _nearest(one: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[float, int, int]:
    """The least squared distance of two rings' corners, and which corners these are."""
    apart = ((one[:, None] - other[None]) ** 2).sum(2)  # K×L
    here, there = np.unravel_index(apart.argmin(), apart.shape)
    return float(apart[here, there]), int(here), int(there)
