"""Which candidates are meant where several are asked for, and whether any is (not in the paper).

The measure of the field is gRefCOCO's ("GRES", Liu et al. 2023). `evidence` says of each candidate
how much speaks for it being what is asked for at all: its class and colour, and that the place and
the other object that are named are there. Below `REFUSED` nothing is answered; a plural means all
from `MEMBER` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.expression import HIGH, LOW, Ask, Expression
from ssc.select.colour import BASIC, NAMED, colour_shares, confused
from ssc.select.spatial import guide
from ssc.types import softmax
from ssc.words.geometry import penalties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.result import Result

REFUSED, MEMBER = 0.1, 0.4
"""Least evidence of what is answered at all, and of what a plural means. Chosen on RefSprites'
several (seed 1) with the mini set; `REFUSED` for a false-refusal rate of about 1 %, that of val's
expressions, whose objects are all there."""
SHARE, SHARE_ALONE = 0.5, 0.05
"""Share of pixels in the named colour that is full evidence of it: beside a CLIP, and without one,
where colours in the shade must do. Set by hand on several (seed 1)."""
ONE = 0.5
"""Share of the smaller of two masks that lies in the other from which both are of one object."""
ENOUGH = 256
"""Pixels of a side that tell how much of two masks is the same."""
LOOKED = 0.1
"""How much a detector's score counts beside words where no CLIP is asked: it parts equals. Chosen
among 0.03 to 1 on several (seed 1)."""
DOUBT = 0.3
"""Evidence of what may be so: the named colour on another part of a person than is named, or,
without a CLIP, one that is taken for it; or a class next to the one that is asked for. Enough to
answer, too little for a set. Of 0.2 and 0.3 the one that refuses less of val (mini set)."""

Similar = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts (M) → cosine similarity of N candidates with each, float32 N×M."""


def meant(
    image: NDArray[np.uint8], result: Result, similar: Similar | None
) -> tuple[tuple[int, ...] | None, NDArray[np.float32]]:
    """The candidates that are meant, () for none, None for the one that is chosen; and evidence.

    Args:
        image: RGB uint8 H×W×3.
        result: stage 1, with its words read.
        similar: None where no CLIP looks.
    """
    if not result.asks:
        # An object of several expressions is refused where all of them say so.
        found = [evidence(image, result, said, similar) for said in result.words]
        best = np.max(found, axis=0)
        return (None if best.max(initial=0) >= REFUSED else ()), best
    frame, masks = image.shape[:2], result.candidates.masks
    members: set[int] = set()
    seen = np.zeros(len(result.candidates), np.float32)
    for ask in result.asks:
        own = evidence(image, result, ask.said, similar)
        ranks = _ranks(frame, result, ask.said, similar)
        pool = _pool(result, ask)
        if ask.excepted:
            within = [i for i in pool if i in members]
            out = _choose(frame, result, ask.said, own, ranks, within)
            members -= {i for i in members if _lies_in(masks, i, out)}
        else:
            seen[pool] = np.maximum(seen[pool], own[pool])
            # "the guy on the left and the runner" are two.
            left = [i for i in pool if not _lies_in(masks, i, members)]
            members |= set(_choose(frame, result, ask.said, own, ranks, left))
    return tuple(sorted(members)), seen


def _pool(result: Result, ask: Ask) -> list[int]:
    """Indices of the candidates of the classes that a part names."""
    labels = result.candidates.labels
    if not ask.classes or result.taken:
        return list(range(len(labels)))
    return [i for i, label in enumerate(labels) if label in ask.classes]


def _choose(
    frame: tuple[int, ...],
    result: Result,
    said: Expression,
    own: NDArray[np.float32],
    ranks: NDArray[np.float32],
    pool: Sequence[int],
) -> list[int]:
    """Those of `pool` that one part means: the best, as many as are counted, or all that fit."""
    shown = [i for i in pool if own[i] >= REFUSED]
    order = sorted(shown, key=lambda i: (own[i] < MEMBER, -ranks[i]))
    if said.count == "one":
        return order[:1]
    if said.number:
        objects = _distinct(result.candidates.masks, shown)
        return [i for i in order if i in objects][: said.number]
    fitting = [i for i in shown if own[i] >= MEMBER] or order[:1]
    inside = _inside(said, result, frame)
    return [i for i in fitting if inside[i]] or order[:1]


def _lies_in(masks: NDArray[np.bool_], index: int, others: Iterable[int]) -> bool:
    """Whether a candidate is one of others, or a part of one, or one with it."""
    step = max(1, max(masks.shape[1:]) // ENOUGH)
    own, *rest = (masks[k, ::step, ::step] for k in (index, *others))
    return any((own & mask).sum() > ONE * min(own.sum(), mask.sum()) for mask in rest)


def _distinct(masks: NDArray[np.bool_], indices: Sequence[int]) -> list[int]:
    """Of candidates, the surest box first, one for each object."""
    kept: list[int] = []
    for i in indices:
        if not _lies_in(masks, i, kept):
            kept.append(i)
    return kept


def _ranks(
    frame: tuple[int, ...], result: Result, said: Expression, similar: Similar | None
) -> NDArray[np.float32]:
    """float32 N: how well each candidate is what one part says, with words counted."""
    candidates = result.candidates
    looks = LOOKED * candidates.scores
    if similar is not None and len(candidates) and said.attributes:
        looks = similar([said.looks or said.text])[:, 0]
    height, width = frame
    return guide(looks, [said], candidates.boxes, height, width, result.others)[0]


def _inside(said: Expression, result: Result, frame: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool N: whether a candidate is where an uncounted plural says ("dogs on the left")."""
    boxes, (height, width) = result.candidates.boxes, frame
    inside = np.ones(len(boxes), np.bool_)
    if not len(boxes):
        return inside
    at = {
        "x": (boxes[:, 0] + boxes[:, 2]) / (2 * width),
        "y": (boxes[:, 1] + boxes[:, 3]) / (2 * height),
    }
    for place in said.places:
        if place.axis in at and place.end in (LOW, HIGH):
            half = at[place.axis] < 0.5 if place.end == LOW else at[place.axis] >= 0.5
            inside &= half != place.negated
    out = penalties(said, boxes, height, width, result.others)
    for part in (out.size, out.relation):
        if part is not None and part.max() > 0:
            inside &= part <= part.max() / 2
    return inside


def evidence(
    image: NDArray[np.uint8], result: Result, said: Expression, similar: Similar | None
) -> NDArray[np.float32]:
    """float32 N in [0, 1]: how much speaks for each candidate being what is asked for at all."""
    candidates = result.candidates
    found = np.ones(len(candidates), np.float32)
    if any(relation.noun in result.absent and not relation.negated for relation in said.relations):
        return found * 0
    if result.taken:
        found *= DOUBT
    colour = _colour(image, result, said, similar)
    if colour is not None:
        found *= colour
    if any(place.rank > 1 for place in said.places):
        there = _distinct(candidates.masks, np.flatnonzero(found >= REFUSED).tolist())
        if any(place.rank > len(there) for place in said.places):
            return found * 0
    return found


def _colour(
    image: NDArray[np.uint8], result: Result, said: Expression, similar: Similar | None
) -> NDArray[np.float32] | None:
    """float32 N in [0, 1]: how surely each candidate has the colour that is named; None for none.

    The larger of its share of pixels and, of CLIP, how much more the candidate is like the
    expression than like the same with another colour.
    """
    text = said.looks
    named = NAMED.search(text)
    candidates = result.candidates
    if named is None or said.without or named[1] in said.noun.split() or not len(candidates):
        return None
    people = np.array([label == "person" for label in candidates.labels], np.bool_)
    shares = colour_shares(text, image, candidates.masks, people)
    assert shares is not None
    whole = SHARE_ALONE if similar is None else SHARE
    # Who sits or lies has a shirt elsewhere; and in the shade white is grey.
    likely = [text] if similar else _recoloured(text, named[1], (named[1], *confused(named[1])))
    masks = candidates.masks
    rows = [colour_shares(name, image, masks, np.zeros_like(people)) for name in likely]
    anywhere = np.max([row for row in rows if row is not None], axis=0)
    sure = np.maximum(np.minimum(1, shares / whole), DOUBT * np.minimum(1, anywhere / whole))
    if similar is not None:
        texts = _recoloured(text, named[1], dict.fromkeys((named[1], *BASIC)))
        told = np.stack([softmax(row) for row in similar(texts)])  # N×M
        sure = np.maximum(sure, told[:, 0])
    return sure.astype(np.float32)


def _recoloured(text: str, colour: str, names: Iterable[str]) -> list[str]:
    """The text with its colour named otherwise, by each of `names`."""
    return [re.sub(rf"\b{colour}\b", name, text, count=1) for name in names]
