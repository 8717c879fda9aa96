"""What a referring expression of RefSprites means, and which objects of a scene it may denote.

A meaning is a set of constraints. `denotes` is cautious: it includes every object that somebody
might mean by the expression, and nothing where the expression is not plainly true or counts what
cannot be counted. So an expression that denotes exactly its target is unambiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from train.scenes.instance import Instance

CONFUSABLE = {
    frozenset(pair)
    for pair in (
        ("orange", "red"),
        ("orange", "yellow"),
        ("orange", "brown"),
        ("red", "brown"),
        ("purple", "blue"),
        ("purple", "pink"),
        ("pink", "red"),
    )
}
GAP = 0.07  # of the frame: two objects this close are not clearly left or right of each other
LARGER = 1.45  # ratio of areas above which one is plainly the larger
MIDDLE = (0.3, 0.7)


@dataclass(frozen=True)
class Meaning:
    """Constraints on one object; None where an expression says nothing.

    Attributes:
        noun: what it is called.
        colour: one of `sprites.COLOURS`.
        trait: one of the sprite's adjectives, "having"s or "doing"s.
        size: "big" or "small", among those that fit the above.
        place: "left", "right", "top", "bottom", "middle" or a corner, among those that fit.
        rank: (side counted from, 2 or 3): "second from left", among those that fit.
        relation: (kind, noun of the other object), the noun naming one object of the scene.
    """

    noun: str
    colour: str | None = None
    trait: str | None = None
    size: str | None = None
    place: str | None = None
    rank: tuple[str, int] | None = None
    relation: tuple[str, str] | None = None


def named(instances: Sequence[Instance], noun: str) -> list[int]:
    """Objects that somebody might call `noun`."""
    return [
        i
        for i, instance in enumerate(instances)
        if noun in instance.sprite.names or noun in instance.sprite.also
    ]


def denotes(
    meaning: Meaning, instances: Sequence[Instance], width: float, height: float
) -> list[int]:
    """Indices of the objects that the meaning may denote in a frame of width×height pixels."""
    fits = named(instances, meaning.noun)
    if meaning.colour:
        fits = [i for i in fits if may_be(instances[i].colour, meaning.colour)]
    if meaning.trait:
        fits = [i for i in fits if meaning.trait in traits(instances[i])]
    if meaning.size:
        fits = _by_size(fits, instances, meaning.size)
    if meaning.relation:
        fits = _by_relation(fits, instances, *meaning.relation, width, height)
    counted = meaning.rank or meaning.place == "middle"
    if counted and not all(plainly(meaning, instances[i]) for i in fits):
        return []  # whether a doubtful one is counted changes the answer
    if meaning.rank:
        fits = _by_rank(fits, instances, *meaning.rank, width)
    if meaning.place:
        fits = _by_place(fits, instances, meaning.place, width, height)
    return fits


def plainly(meaning: Meaning, instance: Instance) -> bool:
    """Whether noun and colour fit beyond doubt."""
    return meaning.noun in instance.sprite.names and meaning.colour in (None, instance.colour)


def may_be(colour: str | None, word: str) -> bool:
    """An object of no single colour, or of one easily taken for another, may be meant."""
    return colour is None or colour == word or frozenset((colour, word)) in CONFUSABLE


def traits(instance: Instance) -> tuple[str, ...]:
    sprite = instance.sprite
    return (*sprite.adjectives, *sprite.having, *sprite.doing)


def _by_size(fits: list[int], instances: Sequence[Instance], size: str) -> list[int]:
    """The one that is plainly larger (smaller) than all others; none where none is."""
    areas = sorted(fits, key=lambda i: instances[i].area, reverse=size == "big")
    if len(fits) < 2:
        return []
    first, second = instances[areas[0]].area, instances[areas[1]].area
    plain = first > LARGER * second if size == "big" else second > LARGER * first
    return areas[:1] if plain else []


def _by_rank(
    fits: list[int], instances: Sequence[Instance], side: str, rank: int, width: float
) -> list[int]:
    """The rank-th from the left or right of at least rank + 1, each clearly beside the next."""
    order = sorted(fits, key=lambda i: instances[i].centre[0], reverse=side == "right")
    xs = [instances[i].centre[0] for i in order[: rank + 1]]
    clear = len(fits) > rank and np.abs(np.diff(xs)).min() > GAP * width
    return [order[rank - 1]] if clear else []


def _extreme(fits: list[int], values: list[float], gap: float) -> list[int]:
    """The one with the smallest value, where it is smallest by `gap`; else none."""
    order = np.argsort(values, kind="stable")
    if values[order[1]] - values[order[0]] <= gap:
        return []
    return [fits[order[0]]]


def _by_place(
    fits: list[int], instances: Sequence[Instance], place: str, width: float, height: float
) -> list[int]:
    """Among several the outermost one; one alone must lie in that part of the frame."""
    xs = [instances[i].centre[0] / width for i in fits]
    ys = [instances[i].centre[1] / height for i in fits]
    inside = {
        "left": lambda x, y: x < 0.45,
        "right": lambda x, y: x > 0.55,
        "top": lambda x, y: y < 0.45,
        "bottom": lambda x, y: y > 0.55,
        "middle": lambda x, y: MIDDLE[0] < x < MIDDLE[1],
        "top left": lambda x, y: x < 0.42 and y < 0.45,
        "top right": lambda x, y: x > 0.58 and y < 0.45,
        "bottom left": lambda x, y: x < 0.42 and y > 0.55,
        "bottom right": lambda x, y: x > 0.58 and y > 0.55,
    }[place]
    if not fits:
        return []
    if len(fits) == 1:
        return fits if inside(xs[0], ys[0]) else []
    if place in ("left", "right"):
        return _extreme(fits, xs if place == "left" else [-x for x in xs], GAP)
    if place in ("top", "bottom"):
        return _extreme(fits, ys if place == "top" else [-y for y in ys], 1.5 * GAP)
    if place == "middle":
        order = sorted(range(len(fits)), key=xs.__getitem__)
        middle = order[len(order) // 2]
        clear = len(fits) % 2 == 1 and np.diff([xs[k] for k in order]).min() > GAP
        return [fits[middle]] if clear and inside(xs[middle], ys[middle]) else []
    # A corner: plainly in it, and no other even nearly.
    near = {"top": ys, "bottom": [1 - y for y in ys]}[place.split()[0]]
    side = {"left": xs, "right": [1 - x for x in xs]}[place.split()[1]]
    nearly = [k for k in range(len(fits)) if near[k] < 0.52 and side[k] < 0.52]
    return [fits[k] for k in nearly] if all(inside(xs[k], ys[k]) for k in nearly) else []


def _by_relation(
    fits: list[int],
    instances: Sequence[Instance],
    kind: str,
    other: str,
    width: float,
    height: float,
) -> list[int]:
    """Those that may be in relation to the one object called `other`."""
    anchors = named(instances, other)
    if len(anchors) != 1 or anchors[0] in fits:
        return []
    a = anchors[0]
    ax, ay = instances[a].centre
    dx = {i: (instances[i].centre[0] - ax) / width for i in fits}
    dy = {i: (instances[i].centre[1] - ay) / height for i in fits}
    if kind == "next to":
        return _nearest(fits, [float(np.hypot(dx[i], 0.75 * dy[i])) for i in fits])
    if kind in ("left of", "right of"):
        sign = -1 if kind == "left of" else 1
        return [i for i in fits if sign * dx[i] > -0.04]  # a doubtful one may be meant too
    if kind in ("above", "below"):
        sign = -1 if kind == "above" else 1
        return [i for i in fits if sign * dy[i] > -0.05]
    if kind == "behind":
        return [i for i in fits if a in instances[i].covered_by]
    if kind == "in front of":
        return [i for i in fits if i in instances[a].covered_by]
    raise ValueError(f"unknown relation {kind!r}")


def _nearest(fits: list[int], distances: list[float]) -> list[int]:
    """The one plainly nearest, where it is near at all; else none."""
    order = np.argsort(distances, kind="stable")
    if not fits or distances[order[0]] > 0.33:
        return []
    if len(fits) > 1 and distances[order[1]] < 1.5 * distances[order[0]] + 0.05:
        return []
    return [fits[order[0]]]


def holds(
    meaning: Meaning, target: int, instances: Sequence[Instance], width: float, height: float
) -> bool:
    """Whether the meaning plainly describes the target and may denote no other object."""
    if not plainly(meaning, instances[target]):
        return False
    if meaning.relation and not _plainly_related(
        meaning.relation, target, instances, width, height
    ):
        return False
    return denotes(meaning, instances, width, height) == [target]


def _plainly_related(
    relation: tuple[str, str],
    target: int,
    instances: Sequence[Instance],
    width: float,
    height: float,
) -> bool:
    kind, other = relation
    anchors = named(instances, other)
    if len(anchors) != 1 or anchors[0] == target:
        return False
    a = instances[anchors[0]]
    dx = (instances[target].centre[0] - a.centre[0]) / width
    dy = (instances[target].centre[1] - a.centre[1]) / height
    return {
        "left of": dx < -GAP,
        "right of": dx > GAP,
        "above": dy < -1.5 * GAP and abs(dx) < 0.2,
        "below": dy > 1.5 * GAP and abs(dx) < 0.2,
    }.get(kind, True)
