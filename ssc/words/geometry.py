"""What words say of geometry, as penalties over the candidates' boxes. Pure functions.

Every function takes boxes in shares of the frame (float64 N×4, XYXY in [0, 1]) and gives float64 N,
0 or more, where 0 is the best: what a candidate is out of its place, size or relation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ssc.expression import HIGH, LOW, MIDDLE, Expression, Place, Relation, Size
from ssc.words.relations import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Constants chosen on RefCOCO's, RefCOCO+'s and RefCOCOg's val lists and RefSprites' val.
NEARNESS = 0.5
"""What a box's size (square root of its area) adds to its lower edge, as nearness to the viewer."""
RANK = 0.5
"""Share that the middle of the candidates has beside the middle of the frame."""
NOT = 0.3
"""Penalty of the candidate that is where something is said not to be."""
OTHER_ROW = 0.5
"""Penalty of a candidate outside of the row that is meant."""
SIZE = 0.5
"""Weight of size beside place."""
RELATION = 1.0
"""Weight of relations beside place."""


ALIKE = 0.0
"""Difference up to which two candidates are alike, in shares of the frame."""
LEFT_TO_LOOKS = ("with", "on", "in")
"""Relations whose boxes choose no better than chance on the val lists: read, but not counted."""
AS_PLACE = {
    "left of": ("x", LOW),
    "right of": ("x", HIGH),
    "above": ("y", LOW),
    "below": ("y", HIGH),
    "behind": ("depth", LOW),
    "in front of": ("depth", HIGH),
}
"""Relations to one of the candidates themselves, as places: who is left of one is leftmost."""


class Penalties(NamedTuple):
    """What each candidate is out of place, size and relation; None where nothing is said.

    Attributes:
        missing: places that the candidates do not have ("seventh of six").
    """

    place: NDArray[np.float64] | None
    size: NDArray[np.float64] | None
    relation: NDArray[np.float64] | None
    missing: tuple[Place, ...] = ()

    @property
    def total(self) -> NDArray[np.float64] | None:
        """The weighted sum; None where nothing is said."""
        weighted = (self.place, 1.0), (self.size, SIZE), (self.relation, RELATION)
        said = [part * weight for part, weight in weighted if part is not None]
        return np.maximum(sum(said[1:], said[0]) - ALIKE, 0) if said else None


def penalties(
    expression: Expression,
    boxes: NDArray[np.float32],
    height: int,
    width: int,
    others: Mapping[str, NDArray[np.float32]] | None = None,
) -> Penalties:
    """What an expression says of each of N ≥ 1 boxes.

    Args:
        boxes: float32 N×4, XYXY pixels of a frame of height×width.
        others: noun of a relation → boxes of its objects, float32 M×4 in the same frame.
    """
    frame = np.array([width, height, width, height], np.float64)
    shares = np.asarray(boxes, np.float64) / frame
    place, missing = of_places(expression.places, shares)
    size = _sum([of_size(one, shares) for one in expression.sizes])
    related = []
    for relation in expression.relations:
        near = (others or {}).get(relation.noun, np.zeros((0, 4)))
        out = of_relation(relation, shares, np.asarray(near, np.float64).reshape(-1, 4) / frame)
        if out is not None:
            related.append(out)
    return Penalties(place, size, _sum(related), missing)


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
        out.append(of_place(place, boxes, inside))
    return _sum(out), tuple(missing)


def of_place(
    place: Place, boxes: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How far each box is from where `place` says, among those `inside` the row that is meant."""
    if place.axis == "corner":
        x, y = _at("x", boxes), _at("y", boxes)
        out = np.hypot(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    elif place.axis == "cut":
        out = np.minimum.reduce([boxes[:, 0], boxes[:, 1], 1 - boxes[:, 2], 1 - boxes[:, 3]])
        out = 0.5 * np.clip(out, 0, None)
        out = np.where(out < 0.01, 0.0, 0.2 + out)
    elif place.end == MIDDLE:
        at = _at(place.axis, boxes)
        line = at[inside]  # the mean rank where several are at one place
        ranks = [(np.sum(line < one) + np.sum(line <= one) - 1) / 2 for one in line]
        ranked = np.zeros(len(boxes))
        ranked[inside] = np.abs(np.array(ranks) - (inside.sum() - 1) / 2) / max(inside.sum(), 1)
        out = np.abs(at - 0.5) + RANK * ranked
        if place.rank > 1:
            out = np.abs(out - np.sort(out[inside])[place.rank - 1])
    else:
        at = -place.end * _at(place.axis, boxes)
        out = np.abs(at - np.sort(at[inside])[place.rank - 1])
    if place.negated:
        best = out[inside].min()
        return np.where(out <= best + 1e-6, NOT, 0.0)
    return out - out.min()


def of_size(size: Size, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much smaller (larger) than the largest (smallest) each box is, in shares of the frame."""
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    measure = {"area": np.sqrt(wide * high), "height": high, "width": wide}[size.measure]
    out = np.abs(measure - (measure.max() if size.end > 0 else measure.min()))
    if size.negated:
        return np.where(out <= 1e-6, NOT, 0.0)
    return out


def of_relation(
    relation: Relation, boxes: NDArray[np.float64], near: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """How far each box is from standing so to the other object; None where there is none.

    Args:
        near: float64 M×4, the other objects; where the relation names none, the boxes themselves.
    """
    if relation.kind in LEFT_TO_LOOKS:
        return None
    measure = KINDS[relation.kind]
    if relation.kind in AS_PLACE and not relation.places and not relation.sizes:
        alike = np.abs(near[:, None] - boxes[None]).max(-1) < 0.02
        if not relation.noun or (len(near) and alike.any(0).all()):  # among the candidates
            axis, end = AS_PLACE[relation.kind]
            place = Place(axis, end, negated=relation.negated)
            return of_place(place, boxes, np.ones(len(boxes), bool))
    if not len(near):
        if relation.noun:
            return None
        near = boxes
    if relation.places or relation.sizes:  # "the donut on the left"
        away, _ = of_places(relation.places, near)
        parts = [away, *(of_size(size, near) for size in relation.sizes)]
        cost = _sum([part for part in parts if part is not None])
    else:
        cost = None
    table = np.stack([measure(boxes, other) for other in near])  # M×N
    if cost is not None:
        table = table + cost[:, None]
    same = np.abs(near[:, None] - boxes[None]).max(-1) < 0.02  # an object is not beside itself
    table = np.where(same, np.inf, table)
    if relation.kind == "between":
        if len(near) < 2 or len(boxes) < 2:
            return None
        both = np.sort(table, axis=0)
        out = _between(boxes, near) + 0.2 * np.where(np.isfinite(both[0]), both[0], 1.0)
    elif relation.kind == "far from":
        out = np.where(same, -np.inf, table).max(0) if not relation.places else table.min(0)
    else:
        out = table.min(0)
    finite = np.isfinite(out)
    if not finite.any():
        return None
    out = np.where(finite, out, out[finite].max() + 0.3)
    if relation.negated:
        return np.where(out <= out.min() + 1e-6, NOT, 0.0)
    return out - out.min()


def _between(boxes: NDArray[np.float64], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each box's centre is from the nearest segment between two of the others' centres."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    others = (near[:, :2] + near[:, 2:]) / 2
    out: NDArray[np.float64] = np.full(len(boxes), np.inf)
    for i in range(len(others)):
        for j in range(i):
            a, d = others[j], others[i] - others[j]
            t = np.clip(((centres - a) @ d) / max(float(d @ d), 1e-9), 0, 1)
            off = np.hypot(*(centres - a - t[:, None] * d).T) + np.abs(t - 0.5) * 0.2
            itself = (
                np.minimum(*(np.abs(centres - o).max(1) for o in (others[i], others[j]))) < 0.02
            )
            out = np.where(itself, out, np.minimum(out, off))
    return np.where(np.isfinite(out), out, 1.0)


def _at(axis: str, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each box is on an axis, from left, top or back."""
    x0, y0, x1, y1 = boxes.T
    if axis == "x":
        return (x0 + x1) / 2
    if axis == "y":
        return (y0 + y1) / 2
    return y1 + NEARNESS * np.sqrt(np.clip((x1 - x0) * (y1 - y0), 0, None))


def _row(place: Place, boxes: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """The boxes of the row (column) that is meant; None where there are not so many."""
    axis = 0 if place.axis == "x" else 1
    low, high = boxes[:, axis], boxes[:, axis + 2]
    centre = boxes[:, axis + 2] if place.axis == "depth" else (low + high) / 2
    order = np.argsort(centre, kind="stable")
    gap = 0.5 * float(np.median(high - low))
    groups = [[int(order[0])]]
    for i in order[1:].tolist():
        if centre[i] - centre[groups[-1][-1]] > gap:
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


def _sum(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """The sum, less its least; None of none."""
    if not parts:
        return None
    total = np.sum(parts, axis=0)
    return total - total.min()
