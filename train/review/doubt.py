"""Which object is asked about next: the doubts of S2, and the orders made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ssc.metrics import pairwise_box_iou
from ssc.segment.masks import DUPLICATE_IOU
from train.pseudo.scores import NOUNS, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.pseudo.records import PseudoObject, PseudoPicture

TEMPERATURE = 0.01  # CLIP's own, for shares of candidates
CONFLICT, DISAGREES, EMPTY = 1.0, 0.15, 0.5
"""Added to a doubt of at most 1; and the doubt where there is nothing to choose from. Chosen on
RefSprites' val split, by the decisions that `train review --simulate` takes until 90 % of the
objects are right; 0.3 and 0.6, 0 to 0.3, and -1 cost a few more."""
UNSURE = 0.5  # margins below it are said


@dataclass(frozen=True)
class Doubt:
    """Why an object is asked about.

    Attributes:
        picture, number: places in the store.
        margin: of S2's shares, the largest less the next; 1 for an only candidate, 0 for none.
        candidates: how many there are.
        conflict: whether another object of the picture has the same candidate in S2, by its box,
            which Algorithm 1 forbids (paper §3.3).
        third: index of the candidate that stage 3 favours; -1 where it was not asked, or for none.
        chosen: index of the candidate in S2, -1 for none.
        kinds: what its expressions tell it by: "place", "size", "relation", else "looks".
    """

    picture: int
    number: int
    margin: float
    candidates: int
    conflict: bool
    third: int
    chosen: int
    kinds: tuple[str, ...] = ()

    @property
    def disagrees(self) -> bool:
        """Whether stages 2 and 3 favour different candidates."""
        return self.third >= 0 and self.third != self.chosen

    @property
    def value(self) -> float:
        """0 or more, the larger the more doubtful."""
        if not self.candidates:
            return EMPTY
        return 1 - self.margin + CONFLICT * self.conflict + DISAGREES * self.disagrees

    @property
    def words(self) -> str:
        """Why, in words."""
        if not self.candidates:
            return "nothing found"
        reasons = ["stages 2 and 3 disagree"] if self.disagrees else []
        reasons += ["another object has the same mask"] if self.conflict else []
        if self.margin < UNSURE and self.candidates > 1:
            reasons.append(f"margin {100 * self.margin:.0f} %")
        return ", ".join(reasons) or "no doubt"


def margin_of(scores: NDArray[np.float32]) -> float:
    """`Selection.margin` of an object's scores."""
    if not len(scores):
        return 0.0
    shares = np.exp((scores.astype(np.float64) - scores.max()) / TEMPERATURE)
    best, second = sorted([*shares / shares.sum(), 0.0], reverse=True)[:2]
    return float(best - second)


def doubts_of(
    picture: PseudoPicture,
    index: int,
    spatial: bool,
    third: Callable[[PseudoObject], int] | None = None,
) -> list[Doubt]:
    """The doubts about a picture's objects.

    Args:
        picture: with or without masks, which are not looked at.
        index: its place in the store.
        spatial: whether words count in S2.
        third: the candidate that stage 3 favours for an object, -1 for none; None without stage 3.
    """
    doubts = []
    for number, referent in enumerate(picture.objects):
        margin = margin_of(scores_of(referent, picture.size, spatial))
        favoured = -1 if third is None else third(referent)
        count = len(referent.candidates)
        doubts.append(
            Doubt(index, number, margin, count, False, favoured, referent.chosen, _kinds(referent))
        )
    for a, b in _pairs(len(doubts)):
        if _same(picture.objects[a], picture.objects[b]):
            doubts[a], doubts[b] = (replace(doubts[k], conflict=True) for k in (a, b))
    return doubts


def _kinds(referent: PseudoObject) -> tuple[str, ...]:
    kinds = set()
    for reading in map(NOUNS.read, referent.expressions):
        own = {"place": reading.places, "size": reading.sizes, "relation": reading.relations}
        kinds |= {kind for kind, parts in own.items() if parts} or {"looks"}
    return tuple(sorted(kinds))


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(count) for b in range(a + 1, count)]


def _same(one: PseudoObject, other: PseudoObject) -> bool:
    """Whether two objects have the same thing in S2."""
    if one.chosen < 0 or other.chosen < 0:
        return False
    boxes = (own.candidates.boxes[own.chosen][None] for own in (one, other))
    return bool(pairwise_box_iou(*boxes)[0, 0] > DUPLICATE_IOU)


def doubtful(doubts: Sequence[Doubt], seed: int) -> list[Doubt]:
    """The most doubtful first."""
    return sorted(doubts, key=lambda own: (-own.value, own.picture, own.number))


def by_picture(doubts: Sequence[Doubt], seed: int) -> list[Doubt]:
    """All objects of a picture, then those of the next."""
    return sorted(doubts, key=lambda own: (own.picture, own.number))


def at_random(doubts: Sequence[Doubt], seed: int) -> list[Doubt]:
    """In an order that the seed decides: what is reviewed first is a fair sample."""
    return [doubts[k] for k in np.random.default_rng(seed).permutation(len(doubts))]


ORDERS: Mapping[str, Callable[[Sequence[Doubt], int], list[Doubt]]] = {
    "doubtful": doubtful,
    "picture": by_picture,
    "random": at_random,
}
"""Name → function of all doubts and a seed."""
