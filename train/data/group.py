"""Which sentences of a picture name the same object, where nobody has said so.

Two sentences may name one object if they look for a common class, and if what they say of place,
size, colour and sex does not contradict. How likely they do is their agreement on a candidate: the
chance that both mean the same one, by each one's own belief (stage 2's scores). Sentences are
joined, the surest first, while the mean agreement of two groups is `JOINED` or more (average
linkage) and no two of them contradict.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ssc.metrics import pairwise_iou
from ssc.select.colour import NAMED
from ssc.words.lexis import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Expression
    from ssc.result import Result

SHARPNESS, JOINED = 8.0, 0.4
"""How much a score counts in a belief (its softmax's inverse temperature), and the least agreement.

Chosen on 45 scenes of RefSprites' val, among 5 to 100 and 0.2 to 0.9, for the most pairs found at a
precision of about 0.9."""
SAME = 0.7
"""IoU from which candidates of two results are one."""
MALE = words(
    """boy boys brother businessman chef cowboy dad daddy dude father fella fireman gentleman
    grandpa groom guy guys he him his king lad man men mr policeman prince son waiter"""
)
FEMALE = words(
    """bride businesswoman daughter female gal girl girls grandma her lady ladies mom mother
    policewoman princess queen she sister waitress woman women"""
)


def group(results: Sequence[Result]) -> list[int]:
    """The group of each sentence of a picture, groups numbered by their first sentence.

    Args:
        results: stages 1 and 2 of each sentence alone, with words read.
    """
    n = len(results)
    beliefs = [_belief(result) for result in results]
    links = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        one, other = results[i], results[j]
        if set(one.classes) & set(other.classes) and compatible(one.words[0], other.words[0]):
            links[i, j] = links[j, i] = _agreement(one, other, beliefs[i], beliefs[j])
    groups = [[i] for i in range(n)]
    while True:
        pairs = []
        for a, b in combinations(range(len(groups)), 2):
            between = links[np.ix_(groups[a], groups[b])]
            if between.min() > 0 and between.mean() >= JOINED:
                pairs.append((float(between.mean()), -a, -b))
        if not pairs:
            break
        _, a, b = max(pairs)
        groups[-a] += groups.pop(-b)
    labels = [0] * n
    for number, members in enumerate(sorted(groups, key=min)):
        for i in members:
            labels[i] = number
    return labels


def _belief(result: Result) -> NDArray[np.float64]:
    """float64 N: how much a sentence means each of its candidates; they sum to 1."""
    assert result.selection is not None
    scores = SHARPNESS * result.selection.scores.astype(np.float64)
    shares: NDArray[np.float64] = np.exp(scores - scores.max(initial=-np.inf))
    return shares / max(float(shares.sum()), 1e-9)


def _agreement(one: Result, other: Result, p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """The chance that both mean the same candidate."""
    if not len(p) or not len(q):
        return 0.0
    same = pairwise_iou(one.candidates.masks, other.candidates.masks) >= SAME  # N×M
    return float(p @ same @ q)


def compatible(one: Expression, other: Expression) -> bool:
    """Whether two expressions may name one object, by what they say of themselves."""
    for a in one.places:
        for b in other.places:
            if a.axis != b.axis or a.axis not in ("x", "y", "depth") or a.negated or b.negated:
                continue
            if a.row == b.row and a.end == b.end and a.rank != b.rank:
                return False
            if a.rank == b.rank == 1 and a.end != b.end:
                return False
    for c in one.sizes:
        for d in other.sizes:
            if c.measure == d.measure and c.negated == d.negated and c.end != d.end:
                return False
    sexes = {_sex(one), _sex(other)} - {""}
    colours = set(NAMED.findall(one.text)), set(NAMED.findall(other.text))
    apart = bool(colours[0]) and bool(colours[1]) and colours[0].isdisjoint(colours[1])
    return len(sexes) < 2 and not apart


def _sex(said: Expression) -> str:
    """ "male", "female", or "" where it says neither or both."""
    spoken = set(said.text.split())
    male, female = bool(spoken & MALE), bool(spoken & FEMALE)
    return "" if male == female else "male" if male else "female"


def pairs(groups: Sequence[int], truth: Sequence[int]) -> tuple[int, int, int]:
    """How many pairs of sentences are joined rightly, joined, and of one object."""
    both = joined = same = 0
    for i, j in combinations(range(len(groups)), 2):
        together, true = groups[i] == groups[j], truth[i] == truth[j]
        both, joined, same = both + (together and true), joined + together, same + true
    return both, joined, same
