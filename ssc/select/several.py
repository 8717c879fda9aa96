"""Which candidates are meant where several are asked for, and whether any is (not in the paper).

The measure of the field is gRefCOCO's ("GRES", Liu et al. 2023). `evidence` says of each candidate
how much speaks for it being what is asked for at all: its class and colour, and that the place and
the other object that are named are there. Below `REFUSED` nothing is answered; a plural means all
from `MEMBER` on. One object is refused for its colour only where pixels and CLIP both deny it;
either of them makes a member of a set.
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
several (seed 1) with the mini set; `REFUSED` for a false-refusal rate of val's expressions, whose
objects are all there, of about half a per cent."""
SHARE, SHARE_ALONE = 0.5, 0.05
"""Share of pixels in the named colour that is full evidence of it: beside a CLIP, and without one,
where colours in the shade must do. Set by hand on several (seed 1)."""
HIDDEN, SHADE, TOLD, POSSIBLE = 0.02, 0.1, 0.2, 0.1
"""Of the colour of one object (`_possible`): the share of pixels that may be out of sight, the
weight of colours that it is taken for, CLIP's exponent, and what is full evidence. Chosen on
RefSprites' val and several (seeds 1 to 3) with the mini set."""
FEW = 3
"""Most candidates among which something is answered though the other object that is named is not
found: it may be hidden, and the rest of the words tells. Chosen likewise, among 0 to 5."""
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
        found = [evidence(image, result, said, similar, one=True) for said in result.words]
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
    image: NDArray[np.uint8],
    result: Result,
    said: Expression,
    similar: Similar | None,
    *,
    one: bool = False,
) -> NDArray[np.float32]:
    """float32 N in [0, 1]: how much speaks for each candidate being what is asked for at all.

    Args:
        image, result, similar: as of `meant`.
        said: an expression, or a part of one.
        one: whether it is to tell what is not there, not which candidates belong to a set.
    """
    candidates = result.candidates
    found = np.ones(len(candidates), np.float32)
    if any(relation.noun in result.absent and not relation.negated for relation in said.relations):
        found *= 0 if len(candidates) > FEW else DOUBT
    if result.taken:
        found *= DOUBT
    colour = (_possible if one and similar else _colour)(image, result, said, similar)
    if colour is not None:
        found *= colour
    if any(place.rank > 1 for place in said.places):
        there = _distinct(candidates.masks, np.flatnonzero(found >= REFUSED).tolist())
        if any(place.rank > len(there) for place in said.places):
            return found * 0
    return found


def _named(result: Result, said: Expression) -> str | None:
    """The colour that is named; None where none is, or none of the object itself."""
    named = NAMED.search(said.looks)
    if named is None or said.without or named[1] in said.noun.split() or not result.found:
        return None
    return named[1]


def _possible(
    image: NDArray[np.uint8], result: Result, said: Expression, similar: Similar | None
) -> NDArray[np.float32] | None:
    """float32 N in [0, 1]: whether each candidate may have the colour that is named; None for none.

    The product of its share of pixels, with what may be hidden or in the shade, and of how much
    more it is like the expression to CLIP than like the same with another colour.
    """
    named = _named(result, said)
    if named is None:
        return None
    assert similar is not None
    own, whole = (_shares(image, result, said, [named], everywhere) for everywhere in (False, True))
    near = _shares(image, result, said, [named, *confused(named)], True)
    share = own + DOUBT * whole + SHADE * near + HIDDEN
    told = _told(said, named, similar) ** TOLD
    return np.minimum(1, share * told / POSSIBLE).astype(np.float32)


def _colour(
    image: NDArray[np.uint8], result: Result, said: Expression, similar: Similar | None
) -> NDArray[np.float32] | None:
    """float32 N in [0, 1]: how surely each candidate has the colour that is named; None for none.

    The larger of its share of pixels and, of CLIP, how much more the candidate is like the
    expression than like the same with another colour.
    """
    named = _named(result, said)
    if named is None:
        return None
    whole = SHARE_ALONE if similar is None else SHARE
    # Who sits or lies has a shirt elsewhere; and in the shade white is grey.
    likely = [named] if similar else [named, *confused(named)]
    own = _shares(image, result, said, [named], False)
    anywhere = _shares(image, result, said, likely, True)
    sure = np.maximum(np.minimum(1, own / whole), DOUBT * np.minimum(1, anywhere / whole))
    if similar is not None:
        sure = np.maximum(sure, _told(said, named, similar))
    return sure.astype(np.float32)


def _shares(
    image: NDArray[np.uint8],
    result: Result,
    said: Expression,
    names: Sequence[str],
    everywhere: bool,
) -> NDArray[np.float32]:
    """float32 N: the largest share of each candidate's pixels that one of the colours has, on the
    part of a person that is named or `everywhere`."""
    masks, labels = result.candidates.masks, result.candidates.labels
    people = np.array([label == "person" and not everywhere for label in labels], np.bool_)
    texts = _recoloured(said.looks, names[0], names)
    rows = [colour_shares(text, image, masks, people) for text in texts]
    return np.max([row for row in rows if row is not None], axis=0)


def _told(said: Expression, named: str, similar: Similar) -> NDArray[np.float64]:
    """float64 N: the share of the expression among the same with other colours, by CLIP."""
    texts = _recoloured(said.looks, named, dict.fromkeys((named, *BASIC)))
    return np.stack([softmax(row) for row in similar(texts)])[:, 0]  # N×M → N


def _recoloured(text: str, colour: str, names: Iterable[str]) -> list[str]:
    """The text with its colour named otherwise, by each of `names`."""
    return [re.sub(rf"\b{colour}\b", name, text, count=1) for name in names]
