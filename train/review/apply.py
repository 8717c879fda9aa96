"""A picture of S1 and S2 as people have put it right.

A reviewed object has one mask, which is fixed in S2 and in every matching: what people chose, or
the union of several. No other object can take that mask, or one that overlaps it as much as a
duplicate does, so Algorithm 1's constraint (paper §3.3) carries a decision to the objects beside
it. An object for which no mask is right is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import InputError
from ssc.metrics import mask_box, pairwise_iou
from ssc.segment.masks import DUPLICATE_IOU
from ssc.types import Candidates
from train.pseudo.records import PseudoObject, PseudoPicture, decode_masks
from train.pseudo.scores import choice_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.review.decisions import Decision, Reviews


def reviewed(picture: PseudoPicture, reviews: Reviews, spatial: bool) -> PseudoPicture:
    """The picture with the decisions about it; the same where there is none.

    Args:
        spatial: whether words count in the store's S2.

    Raises:
        InputError: a decision is of a picture of another size, or of other expressions.
    """
    states = [reviews.of(picture.name, referent.name) for referent in picture.objects]
    if not any(own.choice or own.expressions for own in states):
        return picture
    parts: dict[int, NDArray[np.bool_]] = {}  # object → the masks chosen for it, bool P×H×W
    for number, own in enumerate(states):
        if own.choice is not None:
            parts[number] = masks_of(own.choice, picture)
    objects = []
    for number, (referent, own) in enumerate(zip(picture.objects, states)):
        if number in parts and not len(parts[number]):
            continue
        edited = referent
        if own.expressions is not None:
            edited = _corrected(referent, own.expressions, picture.name)
        if not edited.expressions:
            continue
        if number in parts:
            assert own.choice is not None
            objects.append(_fixed(edited, parts[number], own.choice))
        else:
            objects.append(_without(edited, [*parts.values()], picture.size, spatial))
    return replace(picture, objects=tuple(objects))


def masks_of(decision: Decision, picture: PseudoPicture) -> NDArray[np.bool_]:
    """bool P×H×W, the masks that a person chose.

    Raises:
        InputError: they are of another size.
    """
    if decision.masks and decision.size != tuple(picture.size):
        raise InputError(
            f"{picture.name}, object {decision.object}: expected a review of "
            f"{picture.size[1]}×{picture.size[0]} pixels, got one of {decision.size}; "
            "the reviews are of other pictures"
        )
    return decode_masks(decision.masks or (), picture.size)


def _corrected(
    referent: PseudoObject, expressions: tuple[str | None, ...], picture: str
) -> PseudoObject:
    """With corrected texts, which keep the scores of the old ones, and without those struck."""
    if len(expressions) != len(referent.expressions):
        raise InputError(
            f"{picture}, object {referent.name}: expected a review of {len(referent.expressions)} "
            f"expressions, got one of {len(expressions)}; the reviews are of other data"
        )
    rows = [k for k, text in enumerate(expressions) if text is not None]
    texts = tuple(text for text in expressions if text is not None)
    return replace(referent, expressions=texts, similarity=referent.similarity[rows])


def _fixed(referent: PseudoObject, masks: NDArray[np.bool_], decision: Decision) -> PseudoObject:
    """With the union of the masks as its only candidate."""
    if len(decision.candidates) == len(masks) == 1 and _is_candidate(referent, masks[0], decision):
        [index] = decision.candidates
        own, similarity = referent.candidates[[index]], referent.similarity[:, [index]]
    else:
        union: NDArray[np.bool_] = np.logical_or.reduce(masks)
        one = np.ones(1, np.float32)
        label = referent.classes[:1] or (referent.expressions[0],)
        own = Candidates(mask_box(union)[None], one, label, union[None], one)
        similarity = np.ones((len(referent.expressions), 1), np.float32)
    return replace(referent, candidates=own, similarity=similarity, chosen=0, fixed=True)


def _is_candidate(referent: PseudoObject, mask: NDArray[np.bool_], decision: Decision) -> bool:
    [index] = decision.candidates
    return 0 <= index < len(referent.candidates) and bool(
        (referent.candidates.masks[index] == mask).all()
    )


def _without(
    referent: PseudoObject, reserved: list[NDArray[np.bool_]], size: tuple[int, int], spatial: bool
) -> PseudoObject:
    """Without the candidates that people gave to others; its choice is made anew if it is one."""
    masks = [own for own in reserved if len(own)]
    if not masks or not len(referent.candidates):
        return referent
    overlap = pairwise_iou(referent.candidates.masks, np.concatenate(masks)).max(1)  # C
    free = np.flatnonzero(overlap <= DUPLICATE_IOU)
    if len(free) == len(referent.candidates):
        return referent
    rest = replace(
        referent,
        candidates=referent.candidates[free],
        similarity=referent.similarity[:, free],
        chosen=-1,
    )
    if referent.chosen in free:
        return replace(rest, chosen=int(np.flatnonzero(free == referent.chosen)[0]))
    return replace(rest, chosen=choice_of(rest, size, spatial))
