"""Places and sizes over the candidates' boxes. Pure functions.

Boxes are float64 N×4, XYXY in shares of the frame; penalties float64 N, as of `ssc.words.geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.expression import LOW, MIDDLE, Place, Size
from ssc.words.relations import nearness

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Constants chosen on RefCOCO's, RefCOCO+'s and RefCOCOg's val lists and RefSprites' val.
RANK = 0.3
"""Share that the middle of the candidates has beside the middle of the frame."""
ASIDE = 0.5
"""What the other axis adds to how far something is from the middle, where nothing is said of it."""
NOT = 0.3
"""Penalty of the candidate that is where something is said not to be."""
ROW = 0.3
"""How far the tops of a row's boxes are apart at most, in median heights."""
CUT = 0.01
"""How near to the frame a box is cut by it."""
OTHER_ROW = 0.5
"""Penalty of a candidate outside of the row that is meant."""
SIZE_HIGH = 0.3
"""What a box's height adds to its size (square root of its area)."""
STANDS_OUT = 0.06
"""How far the next candidate is from the one that a posture or an age means, for that to count."""
LOOKS = 0.03
"""What each word for looks adds to that: the more is said of looks, the less a posture tells."""
MOST_LOOKS = 3
"""Words for looks that are counted so."""


def of_places(
    places: Sequence[Place], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.float64] | None, tuple[Place, ...]]:
    """The sum over places, in their row where one is named, and the places that do not exist."""
    out: list[NDArray[np.float64]] = []
    missing: list[Place] = []
    inside = np.ones(len(boxes), bool)
    for place in places:
        if not place.row:
            continue
        row = _row(place, boxes)
        if row is None:
            missing.append(place)
            continue
        inside &= row != place.negated
        out.append(np.where(row != place.negated, 0.0, OTHER_ROW))
    if not inside.any():
        inside[:] = True
    rest = [place for place in places if not place.row]
    if any(place.rank > 1 for place in rest):  # "second from the left at the bottom"
        for place in rest:
            if place.rank == 1 and place.axis in ("y", "depth") and place.end != MIDDLE:
                at = _at(place.axis, boxes)
                half = -place.end * at <= np.median(-place.end * at) + 1e-9
                if len(rest) > 1 and (inside & half).sum() >= max(p.rank for p in rest):
                    inside &= half
    for place in rest:
        if place.rank > inside.sum():
            missing.append(place)
            continue
        aside = ASIDE if place.end == MIDDLE and len(places) == 1 else 0.0
        out.append(of_place(place, boxes, inside, aside))
    return summed(out), tuple(missing)


def of_place(
    place: Place,
    boxes: NDArray[np.float64],
    inside: NDArray[np.bool_],
    aside: float = 0.0,
) -> NDArray[np.float64]:
    """How far each box is from where `place` says, among those `inside` the row that is meant.

    Args:
        aside: what the other axis adds to the distance from the middle.
    """
    if place.axis == "corner":
        x, y = _at("x", boxes), _at("y", boxes)
        out = np.hypot(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    elif place.axis == "cut":
        out = _uncut(boxes)
        if place.negated:  # "fully in view"
            return out.max() - out
    elif place.end == MIDDLE:
        at = _at(place.axis, boxes)
        line = at[inside]  # the mean rank where several are at one place
        ranks = [(np.sum(line < one - 1e-9) + np.sum(line < one + 1e-9) - 1) / 2 for one in line]
        ranked = np.zeros(len(boxes))
        ranked[inside] = np.abs(np.array(ranks) - (inside.sum() - 1) / 2) / max(inside.sum(), 1)
        other = _at("y" if place.axis == "x" else "x", boxes)
        out = np.abs(at - 0.5) + RANK * ranked + aside * np.abs(other - 0.5)
        if place.rank > 1:
            out = np.abs(out - np.sort(out[inside])[place.rank - 1])
    else:
        at = -place.end * _at(place.axis, boxes)
        out = np.abs(at - np.sort(at[inside])[place.rank - 1])
    if place.negated:
        best = out[inside].min()
        return np.where(out <= best + 1e-6, NOT, 0.0)
    return out - out.min()


def of_size(size: Size, boxes: NDArray[np.float64], looks: int = 0) -> NDArray[np.float64]:
    """How much smaller (larger) than the largest (smallest) each box is, in shares of the frame.

    The tallest is the one whose head is highest.

    Args:
        looks: how many words are said of looks beside.
    """
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area = np.sqrt(wide * high) + SIZE_HIGH * high
    measure = {"area": area, "height": -boxes[:, 1], "width": wide}[size.measure]
    out = np.abs(measure - (measure.max() if size.end > 0 else measure.min()))
    if size.posture and np.sum(out < STANDS_OUT + LOOKS * looks) > 1:
        return np.zeros(len(boxes))
    if size.negated:
        return np.where(out <= 1e-6, NOT, 0.0)
    return out


def _at(axis: str, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each box is on an axis, from left, top or back."""
    x0, y0, x1, y1 = boxes.T
    if axis == "x":
        return (x0 + x1) / 2
    if axis == "y":
        return (y0 + y1) / 2
    return nearness(boxes)


def _uncut(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How little the frame seems to cut each box: people say it of what is small at a side."""
    x0, y0, x1, y1 = boxes.T
    touched = [(x0 < CUT, 1.0), (x1 > 1 - CUT, 1.0), (y0 < CUT, 0.5), (y1 > 1 - CUT, 0.3)]
    size = np.sqrt(np.clip((x1 - x0) * (y1 - y0), 0, None))
    return 0.3 * (size + sum(weight * (1.0 - meets) for meets, weight in touched))


def _row(place: Place, boxes: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """The boxes of the row (column) that is meant; None where there are not so many."""
    axis = 0 if place.axis == "x" else 1
    low, high = boxes[:, axis], boxes[:, axis + 2]
    order = np.argsort(low, kind="stable")  # by their tops: heads, where people stand in rows
    gap = ROW * float(np.median(high - low))
    groups = [[int(order[0])]]
    for i in order[1:].tolist():
        if low[i] - low[groups[-1][0]] > gap:
            groups.append([])
        groups[-1].append(i)
    if place.rank > len(groups):
        return None
    if place.end == MIDDLE:
        chosen = groups[len(groups) // 2]
    else:
        chosen = groups[place.rank - 1] if place.end == LOW else groups[-place.rank]
    inside = np.zeros(len(boxes), bool)
    inside[chosen] = True
    return inside


def summed(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """The sum, less its least; None of none."""
    if not parts:
        return None
    total = np.sum(parts, axis=0)
    return total - total.min()
