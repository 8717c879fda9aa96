"""The mask that each object of a batch learns from (paper §3.3, Algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ssc.correct.matching import (
    add_prior,
    greedy_match,
    match_images,
    object_scores,
    optimal_match,
    soft_iou,
)

if TYPE_CHECKING:
    from train.fit.batches import Batch

MATCHES = {"greedy": greedy_match, "optimal": optimal_match}


def assign(method: str, match: str, prior: float, batch: Batch, logits: Tensor) -> list[Tensor]:
    """int64 J of each picture: the mask that each object learns from, -1 for none.

    For `bootstrap` it is the mask of S2, for `supervised` the true one. For `correct` Algorithm 1
    decides, picture by picture, by the soft IoU of this forward pass; the mask that a person chose
    for an object is its own in every method (`train.review`).

    Args:
        method: "bootstrap", "correct" or "supervised".
        match: key of `MATCHES`.
        prior: addition to the score of each object and its S2 mask; the paper's is 0.
        batch: on the device of the logits.
        logits: float N×2×h×w of its expressions.
    """
    if method != "correct":
        return batch.chosen
    scores = picture_scores(batch, logits)
    if prior:
        scores = [add_prior(own, chosen, prior) for own, chosen in zip(scores, batch.chosen)]
    matched = match_images(scores, MATCHES[match])
    # No other object may take a mask that a person gave; only two such objects may share theirs.
    return [
        torch.where(fixed, chosen, own)
        for own, chosen, fixed in zip(matched, batch.chosen, batch.fixed)
    ]


def picture_scores(batch: Batch, logits: Tensor) -> list[Tensor]:
    """float J×C of each picture: `object_scores` of this forward pass."""
    probability = logits.detach().float().softmax(1)[:, 1]  # N×h×w
    pictures = zip(
        probability.split([len(objects) for objects in batch.object_of]),
        batch.masks,
        batch.object_of,
        batch.allowed,
    )
    return [
        object_scores(soft_iou(probability, masks), object_of, allowed)
        for probability, masks, object_of, allowed in pictures
    ]
