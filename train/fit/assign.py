"""Which mask each object of a batch learns from (paper §3.3, Algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ssc.correct.matching import (
    UNMATCHED,
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


def assign(method: str, match: str, prior: float, batch: Batch, logits: Tensor) -> Tensor:
    """int64 J: the mask that each object learns from, an index into the batch's, -1 for none.

    For `bootstrap` that of S2, for `supervised` the true one. For `correct` Algorithm 1 decides,
    picture by picture, by the soft IoU of this very forward pass, and by what S2 says as far as
    `prior` goes.

    Args:
        method: "bootstrap", "correct" or "supervised".
        match: key of `MATCHES`.
        prior: added to the score of each object and its S2 mask; the paper's is 0.
    """
    if method != "correct":
        return batch.chosen.to(logits.device)
    scores, parts = zip(*picture_scores(batch, logits))
    if prior:
        chosen = batch.chosen.to(logits.device).split([len(table) for table in scores])
        scores = tuple(
            add_prior(table, torch.where(own < 0, own, own - first), prior)
            for table, own, first in zip(scores, chosen, parts)
        )
    matched = match_images(scores, MATCHES[match])
    return torch.cat(
        [torch.where(part == UNMATCHED, part, part + c) for part, c in zip(matched, parts)]
    )


def picture_scores(batch: Batch, logits: Tensor) -> list[tuple[Tensor, int]]:
    """Of each picture float J×C, `object_scores` of this forward pass, and its first mask."""
    probability = logits.detach().float().softmax(1)[:, 1]  # N×h×w
    masks, image_of, object_of = (
        tensor.to(logits.device) for tensor in (batch.masks, batch.image_of, batch.object_of)
    )
    scored = []
    j = c = 0
    for i, allowed in enumerate(batch.allowed):
        objects, candidates = allowed.shape
        mine = image_of == i  # of N
        iou = soft_iou(probability[mine], masks[c : c + candidates])
        scored.append((object_scores(iou, object_of[mine] - j, allowed.to(logits.device)), c))
        j, c = j + objects, c + candidates
    return scored
