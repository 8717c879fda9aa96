"""What words say of geometry, as penalties over the candidates' boxes. Pure functions.

Every function takes boxes in shares of the frame (float64 N×4, XYXY in [0, 1]) and gives float64 N,
0 or more, where 0 is the best: what a candidate is out of its place, size or relation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ssc.expression import HIGH, LOW, Expression, Place, Relation
from ssc.words.placing import MOST_LOOKS, NOT, of_place, of_places, of_size, summed
from ssc.words.relations import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Constants chosen on RefCOCO's, RefCOCO+'s and RefCOCOg's val lists and RefSprites' val.
SIZE = 0.5
"""Weight of size beside place."""
RELATION = 0.5
"""Weight of relations beside place."""
CLEAR = 0.01
"""How far one candidate at least is out of place or size, for that to count at all."""
LEAD, LEADS = 0.02, {"above": 0.1, "below": 0.1}
"""How far the next candidate is from the best at least, for a relation, a cut or a corner to count;
and for some kinds of relation."""


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
        return sum(said[1:], said[0]) if said else None


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
    cut = any(place.axis in ("cut", "corner") for place in expression.places)
    place, missing = of_places(expression.places, shares)
    place = _led(place, LEAD) if cut else _clear(place)
    looks = min(len(expression.attributes), MOST_LOOKS)
    size = summed([of_size(one, shares, looks) for one in expression.sizes])
    size = _clear(size)
    related = []
    for relation in expression.relations:
        near = (others or {}).get(relation.noun, np.zeros((0, 4)))
        near = np.asarray(near, np.float64).reshape(-1, 4) / frame
        out = of_relation(relation, shares, near, any_class=not expression.noun)
        out = _led(out, LEADS.get(relation.kind, LEAD))
        if out is not None:
            related.append(out)
    return Penalties(place, size, summed(related), missing)


def _clear(out: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """`out`; None where it tells no candidate from another."""
    return None if out is None or out.max() < CLEAR else out


def _led(out: NDArray[np.float64] | None, lead: float) -> NDArray[np.float64] | None:
    """`out` where its best candidate leads by so much at least; else None."""
    if out is None or len(out) < 2:
        return None
    best, second = np.partition(out, 1)[:2]
    return out if second - best >= lead else None


def of_relation(
    relation: Relation,
    boxes: NDArray[np.float64],
    near: NDArray[np.float64],
    any_class: bool = False,
) -> NDArray[np.float64] | None:
    """How far each box is from standing so to the other object; None where there is none.

    Args:
        near: float64 M×4, the other objects; where the relation names none, the boxes themselves.
        any_class: whether the boxes are of all classes, the other object's among them.
    """
    measure = KINDS[relation.kind]
    plain = relation.kind in AS_PLACE and not relation.places and not relation.sizes
    alike = _among(near, boxes) and not (any_class and relation.noun)
    if plain and (not relation.noun or alike):
        place = Place(*AS_PLACE[relation.kind], negated=relation.negated)
        return of_place(place, boxes, np.ones(len(boxes), bool))
    if not len(near) and relation.noun:
        return _unseen(relation, boxes)
    if not len(near) or alike:
        near = boxes
    if relation.places or relation.sizes:  # "the donut on the left"
        away, _ = of_places(relation.places, near)
        parts = [away, *(of_size(size, near) for size in relation.sizes)]
        cost = summed([part for part in parts if part is not None])
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


def _among(near: NDArray[np.float64], boxes: NDArray[np.float64]) -> bool:
    """Whether the other objects are all of the candidates themselves ("cat behind a cat")."""
    alike = np.abs(near[:, None] - boxes[None]).max(-1) < 0.02
    return len(near) > 0 and bool(alike.any(1).all())


def _unseen(relation: Relation, boxes: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Who is left of something that is not found is mostly left of the others; so right, behind."""
    if relation.kind not in ("left of", "right of", "behind"):
        return None
    place = Place(*AS_PLACE[relation.kind], negated=relation.negated)
    return of_place(place, boxes, np.ones(len(boxes), bool))


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
