"""What a question about several objects of a scene, or none, means.

Every question is unambiguous by construction: an object of which it is doubtful whether it is meant
keeps the question from being asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from train.scenes.meaning import GAP, Meaning, denotes, holds, named, plainly

if TYPE_CHECKING:
    from train.scenes.instance import Instance

SEVERAL_KINDS = ("plural", "counted", "none")
SHARES = (0.3, 0.4, 0.3)
SIDES = ("left", "right", "top", "bottom")
HALF = 0.09
"""Half of the strip down the middle in which a centre is on no side of the frame, in its width."""


@dataclass(frozen=True)
class Group:
    """Which objects are meant.

    Attributes:
        parts: what they are; two that are joined by "and" mean one object each.
        number: how many are counted; None where all that fit are meant.
        side: of `SIDES`: counted ones are the outermost there, others those in that half.
        but: one that is excepted.
    """

    parts: tuple[Meaning, ...]
    number: int | None = None
    side: str | None = None
    but: Meaning | None = None


@dataclass(frozen=True)
class Question:
    """A question about a scene.

    Attributes:
        text: as a person would write it.
        kind: one of `SEVERAL_KINDS`.
        meaning: what it says.
        answer: indices of the objects that are meant, in order; () for none.
    """

    text: str
    kind: str
    meaning: Group
    answer: tuple[int, ...]


def meant(
    group: Group, instances: Sequence[Instance], width: float, height: float
) -> tuple[int, ...] | None:
    """The objects that are meant, in a frame of width×height pixels; None where that is doubtful.

    () is certain: no object might be meant.
    """
    if len(group.parts) > 1:
        found = [_the_one(part, instances, width, height) for part in group.parts]
        if None in found or len(set(found)) < len(found):
            return None
        return tuple(sorted(k for k in found if k is not None))
    [meaning] = group.parts
    if meaning.relation and not named(instances, meaning.relation[1]):
        return ()
    if meaning.rank:
        plain = all(plainly(meaning, instances[i]) for i in named(instances, meaning.noun))
        fits = denotes(replace(meaning, rank=None), instances, width, height)
        return () if plain and 0 < len(fits) < meaning.rank[1] else None
    fits = denotes(meaning, instances, width, height)
    if not all(plainly(meaning, instances[i]) for i in fits):
        return None
    if group.but:
        out = _the_one(group.but, instances, width, height)
        if out is None or out not in fits:
            return None
        fits = [i for i in fits if i != out]
    if group.side:
        return _on_side(fits, group.number, group.side, instances, width, height)
    if fits and group.number not in (None, len(fits)):
        return None
    return tuple(sorted(fits))


def _the_one(
    meaning: Meaning, instances: Sequence[Instance], width: float, height: float
) -> int | None:
    fits = denotes(meaning, instances, width, height)
    plain = len(fits) == 1 and holds(meaning, fits[0], instances, width, height)
    return fits[0] if plain else None


def _on_side(
    fits: list[int],
    number: int | None,
    side: str,
    instances: Sequence[Instance],
    width: float,
    height: float,
) -> tuple[int, ...] | None:
    across = side in ("left", "right")
    sign = -1 if side in ("right", "bottom") else 1
    at = {
        i: sign * (instances[i].centre[0] / width if across else instances[i].centre[1] / height)
        for i in fits
    }
    order = sorted(fits, key=at.__getitem__)
    if number is None:
        middle = sign * 0.5
        if any(abs(at[i] - middle) < HALF for i in fits):
            return None
        inside = [i for i in order if at[i] < middle]
        return tuple(sorted(inside)) if 1 < len(inside) < len(fits) else None
    if not 1 < number < len(fits):
        return None
    clear = at[order[number]] - at[order[number - 1]] > (GAP if across else 1.5 * GAP)
    return tuple(sorted(order[:number])) if clear else None
