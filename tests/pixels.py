"""Pixels of known pictures."""

import numpy as np

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [40, 80, 120]]], np.uint8)
"""RGB 2×2: red, green / blue, slate."""
RGB = COLOURS.repeat(8, axis=0).repeat(8, axis=1)  # 16×16×3
GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
GREY_RGB = np.stack([GREY] * 3, axis=-1)
CHECKED = (np.indices((16, 16)).sum(axis=0) % 2).astype(bool)


def sixteen_bit() -> np.ndarray:
    return np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
