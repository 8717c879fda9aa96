"""How often people keep the choice of S2 and of stage 3, by kind of expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.review.decisions import Decision
    from train.review.doubt import Doubt

RANDOM = "random"
SURE = 1.96  # standard errors of a 95 % interval


def agreement(
    doubts: Sequence[Doubt], numbers: Mapping[tuple[str, str], int], decisions: Sequence[Decision]
) -> dict[str, Any]:
    """Counts over the decisions of masks that count.

    Args:
        doubts: of all objects.
        numbers: (picture, object) → place in `doubts`; decisions of others do not count.

    Returns:
        "all" and, of those asked at random, "random", each with `decided`, `S2` (kept), `third`
        (kept) `of third` and `kinds`: by kind of expression `decided` and `S2`. With a decision at
        random also "accuracy", Wilson's 95 % interval of S2's (low, high): such decisions alone are
        a fair sample of the store.
    """
    groups: dict[str, dict[str, Any]] = {"all": _none(), RANDOM: _none()}
    for decision in decisions:
        number = numbers.get((decision.picture, decision.object))
        if number is None:
            continue
        doubt = doubts[number]
        for name in ("all", RANDOM) if decision.order == RANDOM else ("all",):
            _count(groups[name], doubt, decision)
    if drawn := groups[RANDOM]["decided"]:
        return {**groups, "accuracy": interval(groups[RANDOM]["S2"], drawn)}
    return groups


def _none() -> dict[str, Any]:
    return {"decided": 0, "S2": 0, "third": 0, "of third": 0, "kinds": {}}


def _count(group: dict[str, Any], doubt: Doubt, decision: Decision) -> None:
    only = decision.candidates if len(decision.masks or ()) == 1 else ()
    nothing = doubt.chosen < 0 and not decision.masks
    agrees = only == (doubt.chosen,) or nothing
    group["decided"] += 1
    group["S2"] += agrees
    if doubt.third >= 0:
        group["of third"] += 1
        group["third"] += only == (doubt.third,)
    for kind in doubt.kinds:
        own = group["kinds"].setdefault(kind, {"decided": 0, "S2": 0})
        own["decided"] += 1
        own["S2"] += agrees


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, z2 = right / count, SURE**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = share * (1 - share) / count + z2 / (4 * count**2)
    reach = SURE * half**0.5 / (1 + z2 / count)
    return middle - reach, middle + reach
