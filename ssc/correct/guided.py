"""Stage 3's maps in the picture's frame, along the picture's own edges.

A guided filter (He, Sun & Tang, PAMI 2013): in each window of radius r the map p is a linear
function of the picture's luminance I, a I + b, of the least squares

    a = cov(I, p) / (var(I) + ε)      b = mean(p) - a mean(I)

and the filtered map is mean(a) I + mean(b). Where the picture has an edge, the map has it too, for
which its cells are too coarse; where it is even, the map stays smooth. Not in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RADIUS = 0.75  # of a window, in cells of the network's map
EVEN = 1e-3  # ε: a window whose luminance in [0, 1] varies by less counts as even
LONGEST = 320  # px; what is wide is filtered at this size at most, as a and b (He & Sun 2015)


def along_edges(
    maps: NDArray[np.float32], image: NDArray[np.uint8], cell: float
) -> NDArray[np.float32]:
    """The maps with the picture's edges.

    Args:
        maps: float32 N×H×W in [0, 1].
        image: RGB uint8 H×W×3, of the same frame.
        cell: size of a cell of the network's map in pixels of the frame.

    Returns:
        float32 N×H×W in [0, 1]; `maps` where a cell is no larger than a pixel.
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    radius = round(RADIUS * cell * scale)
    if not len(maps) or radius < 1:
        return maps
    frame = (max(1, round(width * scale)), max(1, round(height * scale)))
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, window), np.float32)

    def resized(values: NDArray[np.float32], to: tuple[int, int]) -> NDArray[np.float32]:
        if values.shape == to[::-1]:
            return values
        area = to[0] < values.shape[1]
        way = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(values, to, interpolation=way), np.float32)

    luminance = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    guide = resized(luminance, frame)
    average = mean(guide)
    spread = mean(guide * guide) - average * average + EVEN
    edged = np.empty_like(maps)
    for out, own in zip(edged, maps):
        p = resized(own, frame)
        level = mean(p)
        slope = (mean(guide * p) - average * level) / spread  # a
        shift = level - slope * average  # b
        steep, high = (
            resized(mean(np.asarray(part, np.float32)), (width, height)) for part in (slope, shift)
        )
        np.clip(steep * luminance + high, 0, 1, out=out)
    return edged
