"""Matching of objects and candidate masks (paper §3.3, equations 2 to 4, Algorithm 1).

All functions take torch tensors on any device and keep no state. Algorithm 1 is three steps for
each image: `soft_iou` of each expression and candidate (equation 3), `object_scores`, and
`greedy_match`. `optimal_match` stands in for the last one; both take scores (…, J, C) and give an
assignment (…, J). Images of one batch have different numbers of objects and candidates:
`match_images` pads them with -inf and matches them together, and `matched_loss` (equation 4) takes
them image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

CLASS_WEIGHTS = (0.9, 1.1)
"""Weights of background and object in the cross-entropy, those of LAVT's recipe."""

UNMATCHED = -1


def soft_iou(probabilities: Tensor, candidates: Tensor) -> Tensor:
    """IoU of probability maps and masks (Romera-Paredes & Torr 2016, equation 6).

    Args:
        probabilities: float (…, N, H, W) in [0, 1].
        candidates: bool or number (…, C, H, W), 0 or 1.

    Returns:
        float32 (…, N, C) in [0, 1]: Σpm / (Σp + Σm - Σpm); 0 where both are empty.
    """
    p = probabilities.flatten(-2).float()  # …×N×HW
    m = candidates.flatten(-2).float()  # …×C×HW
    with torch.autocast(p.device.type, enabled=False):  # sums over all pixels need float32
        both = p @ m.transpose(-1, -2)  # …×N×C
    either = p.sum(-1)[..., :, None] + m.sum(-1)[..., None, :] - both
    return both / either.clamp(min=torch.finfo(torch.float32).tiny)


def object_scores(iou: Tensor, object_of: Tensor, allowed: Tensor) -> Tensor:
    """The score of each pair of object and candidate: the best over the object's expressions.

    Args:
        iou: float N×C, of N expressions.
        object_of: int64 N, the object in [0, J) that each expression refers to.
        allowed: bool J×C, whether the candidate is one of the object's (of its class).

    Returns:
        float J×C, -inf where not allowed and for objects without an expression.
    """
    scores = iou.new_full(allowed.shape, -torch.inf)
    index = object_of[:, None].expand_as(iou)
    scores = scores.scatter_reduce(0, index, iou, "amax")
    return scores.masked_fill(~allowed, -torch.inf)


def add_prior(scores: Tensor, chosen: Tensor, weight: float) -> Tensor:
    """Adds to the score of the candidate that stage 2 chose for each object; beyond the paper.

    Args:
        scores: float J×C.
        chosen: int64 J, the candidate of each object in S2, -1 for none.
        weight: the addition; a score itself is at most 1.

    Returns:
        float J×C; -inf stays -inf.
    """
    candidate = torch.arange(scores.shape[1], device=scores.device)
    return scores + weight * (candidate == chosen[:, None])


def greedy_match(scores: Tensor) -> Tensor:
    """Algorithm 1: again and again the best pair whose object and candidate are both free.

    Args:
        scores: float (…, J, C); -inf for a pair that must not be matched, and so is NaN.

    Returns:
        int64 (…, J), the candidate of each object, -1 for none. No candidate occurs twice. Of
        equal scores the lower object goes first, then the lower candidate.
    """
    *batch, objects, candidates = scores.shape
    free = scores.detach().contiguous().masked_fill(scores.isnan(), -torch.inf)  # used up below
    free = free.view(prod(batch), objects, candidates)  # …×J×C → B×J×C
    assignment = torch.full(free.shape[:2], UNMATCHED, device=scores.device)
    row = torch.arange(len(free), device=scores.device)
    for _ in range(min(objects, candidates)):
        score, pair = free.flatten(1).max(1)  # B×J×C → B×JC; max and its first place, each B
        j, c = pair // candidates, pair % candidates
        assignment[row, j] = torch.where(score > -torch.inf, c, assignment[row, j])
        free[row, j] = -torch.inf
        free[row, :, c] = -torch.inf
    return assignment.view(*batch, objects)


def optimal_match(scores: Tensor) -> Tensor:
    """The assignment of the greatest total score (equation 2), by the Hungarian method on CPU.

    An unmatched object counts 0, or as the image's worst pair where that is below 0: no object
    goes without while a candidate of its own is free. Of equal totals the most pairs are taken.

    Args:
        scores: as for `greedy_match`.

    Returns:
        As `greedy_match`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    *batch, objects, candidates = scores.shape
    flat = scores.detach().reshape(prod(batch), objects, candidates)  # …×J×C → B×J×C
    table = flat.double().cpu().numpy()
    assignment = np.full(table.shape[:2], UNMATCHED, np.int64)
    for row, image in zip(assignment, table):
        possible = image > -np.inf  # NaN is not
        if possible.any():
            # 1e-9: a pair worth nothing still comes before an impossible one, which is worth 0
            gain = np.where(possible, image - min(0.0, image[possible].min()) + 1e-9, 0.0)
            # without the rows and columns of padding, on which the choice among equals depends
            js, cs = possible.any(1).nonzero()[0], possible.any(0).nonzero()[0]
            j, c = linear_sum_assignment(gain[np.ix_(js, cs)], maximize=True)
            j, c = js[j], cs[c]
            row[j] = np.where(possible[j, c], c, UNMATCHED)
    return torch.from_numpy(assignment).to(scores.device).view(*batch, objects)


def match_images(
    scores: Sequence[Tensor], match: Callable[[Tensor], Tensor] = greedy_match
) -> list[Tensor]:
    """Matches several images at once.

    Args:
        scores: float J×C of each image, of any J and C.
        match: `greedy_match` or `optimal_match`.

    Returns:
        int64 J of each image, as `match` gives it for the image alone.
    """
    if not scores:
        return []
    objects = max(table.shape[0] for table in scores)
    candidates = max(table.shape[1] for table in scores)
    padded = scores[0].new_full((len(scores), objects, candidates), -torch.inf)
    for row, table in zip(padded, scores):
        row[: table.shape[0], : table.shape[1]] = table
    return [row[: len(table)] for row, table in zip(match(padded), scores)]


def matched_loss(
    logits: Tensor,
    candidates: Sequence[Tensor],
    object_of: Sequence[Tensor],
    assignment: Sequence[Tensor],
) -> Tensor:
    """Cross-entropy of each expression against the mask that its object is matched to (eq. 4).

    Args:
        logits: float N×2×H×W of all images' expressions, image by image; channel 1 is the object.
        candidates: bool or number C×H×W of each image, 0 or 1.
        object_of: int64 of each image, the object in [0, J) of each expression; N in all.
        assignment: int64 J of each image, an index into its candidates, -1 for none.

    Returns:
        float32 scalar: the mean over all N of the expressions' losses, each normalised by its
        own pixels' weights; an expression of an unmatched object counts in N and adds nothing.
        NaN where any logit is NaN, matched or not, and 0 for N = 0.
    """
    matched = [own[objects] for own, objects in zip(assignment, object_of)]  # of each expression
    # An empty mask follows each image's candidates: the one that -1 points at.
    masks = [torch.cat([own, own.new_zeros(1, *own.shape[1:])]) for own in candidates]
    target = torch.cat([own[index] for own, index in zip(masks, matched)]).long()  # N×H×W
    weight = torch.tensor(CLASS_WEIGHTS, device=logits.device)
    loss = F.cross_entropy(logits.float(), target, weight, reduction="none").sum((1, 2))
    loss = loss / weight[target].sum((1, 2))  # N
    # Multiplied, not chosen by `where`: a NaN must reach the training loop, which stops at it.
    return (loss * (torch.cat(matched) != UNMATCHED)).sum() / max(len(loss), 1)
