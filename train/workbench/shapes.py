"""Masks and colours as the page draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssc.draw import PALETTE, ink_of
from train.data.masks import decode_segmentation
from train.data.outlines import rings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def decoded(code: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """bool h×w of a run-length code; raises InputError for a damaged one."""
    return decode_segmentation({"size": list(size), "counts": code}, *size)


def path_of(mask: NDArray[np.bool_]) -> str:
    """A mask's outline as an SVG path, to fill by the even-odd rule."""
    parts = []
    for ring in rings(mask):
        points = " ".join(f"{x} {y}" for x, y in ring.tolist())
        parts.append(f"M{points}Z")
    return "".join(parts)


def colours() -> list[dict[str, str]]:
    """The page's palette: colour, and what is readable on it."""
    return [{"fill": f"rgb{colour}", "ink": ink_of(colour)} for colour in PALETTE]
