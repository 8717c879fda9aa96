"""Relations to another object: where they begin, what they are to, and how boxes stand in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.words.lexis import DETERMINERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS: dict[tuple[str, ...], str] = {
    **{
        tuple(words.split()): kind
        for kind, several in {
            "next to": "next to|beside|besides|near|by|alongside|adjacent to|close to|against|"
            "touching|nearest|nearest to|closest to|closest|beside of|near to|next|right by",
            "behind": "behind|in back of|back of",
            "in front of": "in front of|in from of|ahead of|infront of|front of|before",
            "left of": "left of|to left of|to the left of|on the left of|left side of|"
            "to the left side of|on the left side of",
            "right of": "right of|to right of|to the right of|on the right of|right side of|"
            "to the right side of|on the right side of",
            "above": "above|over|atop|on top of|ontop of|up from",
            "below": "below|under|underneath|beneath|down from",
            "between": "between|in between|inbetween|in the middle of|among|amongst",
            "far from": "farthest from|furthest from|away from|far from|further from|opposite|"
            "farther from|farther away from|further away from|farthest away from|"
            "furthest away from",
        }.items()
        for words in several.split("|")
    },
}
LONGEST = max(map(len, WORDS))


def marker(words: Sequence[str], i: int) -> tuple[int, str]:
    """Length and kind of the longest relation that begins at word `i`; (0, "") for none."""
    for length in range(min(LONGEST, len(words) - i), 0, -1):
        kind = WORDS.get(tuple(words[i : i + length]))
        if kind:
            return length, kind
    return 0, ""


def relates(words: Sequence[str], i: int) -> bool:
    """Whether word `i` relates what stands before to a thing ("left of …", "nearest the …")."""
    length, _ = marker(words, i)
    return length > 1 or (length == 1 and not DETERMINERS.isdisjoint(words[i + 1 : i + 2]))


# Constants chosen on RefCOCO's, RefCOCO+'s and RefCOCOg's val lists.
LOWER_EDGE = 0.75
"""Share that the lower edge has beside the centre in how near to the viewer something is."""
ASIDE = 0.5
"""What the other axis adds to how far something is from standing at a side of another."""
NEARNESS = 0.4
"""What size (square root of the area) adds to that."""


def _parts(boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """x0, y0, x1, y1, centre x, centre y; each N."""
    x0, y0, x1, y1 = boxes.T
    return x0, y0, x1, y1, (x0 + x1) / 2, (y0 + y1) / 2


def nearness(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How near to the viewer N boxes seem: low in the frame, and large."""
    x0, y0, x1, y1 = boxes.T
    low = LOWER_EDGE * y1 + (1 - LOWER_EDGE) * (y0 + y1) / 2
    return low + NEARNESS * np.sqrt(np.clip((x1 - x0) * (y1 - y0), 0, None))


def _gap(boxes: NDArray[np.float64], anchor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between the borders of boxes and of a box (N), 0 where they meet."""
    x0, y0, x1, y1, *_ = _parts(boxes)
    dx = np.maximum(0, np.maximum(anchor[0] - x1, x0 - anchor[2]))
    dy = np.maximum(0, np.maximum(anchor[1] - y1, y0 - anchor[3]))
    return np.hypot(dx, dy)


def _distance(boxes: NDArray[np.float64], anchor: NDArray[np.float64]) -> NDArray[np.float64]:
    *_, cx, cy = _parts(boxes)
    return np.hypot(cx - (anchor[0] + anchor[2]) / 2, cy - (anchor[1] + anchor[3]) / 2)


def _next_to(b: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    return _gap(b, a) + 0.3 * _distance(b, a)


def _side(axis: int, sign: int) -> Callable[..., NDArray[np.float64]]:
    def out(b: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
        at = (b[:, axis] + b[:, axis + 2]) / 2
        own = (a[axis] + a[axis + 2]) / 2
        off = b[:, 1 - axis] + b[:, 3 - axis] - a[1 - axis] - a[3 - axis]
        wrong = np.maximum(0, 0.03 + sign * (own - at))
        return 2 * wrong + (wrong > 0) * 0.1 + 0.3 * _distance(b, a) + ASIDE * np.abs(off) / 2

    return out


def _depth(sign: int) -> Callable[..., NDArray[np.float64]]:
    def out(b: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
        nearer = nearness(b) - nearness(a[None])
        return np.maximum(0, -sign * nearer) + _gap(b, a) + 0.3 * _distance(b, a)

    return out


def _far(b: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.5 - _distance(b, a)


KINDS: dict[str, Callable[..., NDArray[np.float64]]] = {
    "next to": _next_to,
    "behind": _depth(-1),
    "in front of": _depth(1),
    "left of": _side(0, -1),
    "right of": _side(0, 1),
    "above": _side(1, -1),
    "below": _side(1, 1),
    "between": _next_to,
    "far from": _far,
}
"""Relation → how far boxes N×4 (shares of the frame) are out of it to a box (4): N, 0 or more."""
