"""From what SOLOv2 says of a picture to its instances: peaks, masks, Matrix NMS (§3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ssc.segment.solo import Seen

SCORE = 0.1  # least probability of a cell: the paper's
INSIDE = 0.5  # probability from which a pixel is the object: the paper's
DECAYED = 0.05  # least score after Matrix NMS: the published implementation's, as the next two
BEFORE, AFTER = 500, 100  # the most instances before and after Matrix NMS
SIGMA = 0.5  # of the Gaussian decay


class Instances(NamedTuple):
    """N instances of a picture, best first.

    Attributes:
        probabilities: float N×h×w of each pixel of the mask features.
        scores: float N in [0, 1], after Matrix NMS.
        maskness: float N in [0, 1]: the mean probability inside of the mask.
    """

    probabilities: Tensor
    scores: Tensor
    maskness: Tensor


def instances(seen: Seen, grids: Sequence[int], threshold: float = SCORE) -> list[Instances]:
    """The instances of each of B pictures, whatever their class.

    Args:
        grids: cells a side of each level, as `SoloConfig` has them.
        threshold: least probability of a cell, in [0, 1].
    """
    objects = seen.categories.sigmoid().amax(2)  # B×G×C → B×G
    return [
        _of_picture(peaks(own, grids), kernels, seen.strides, features, threshold)
        for own, kernels, features in zip(objects, seen.kernels, seen.features)
    ]


def peaks(scores: Tensor, grids: Sequence[int]) -> Tensor:
    """float G: 0 where a cell has less than the one left of it, above it, or left above.

    Neighbouring cells name one instance; this is the published implementation's first look.
    """
    kept = []
    for own, grid in zip(scores.split([grid * grid for grid in grids]), grids):
        cells = own.view(1, 1, grid, grid)
        around = F.max_pool2d(F.pad(cells, (1, 0, 1, 0)), 2, stride=1)
        kept.append(torch.where(cells >= around, cells, 0).flatten())
    return torch.cat(kept)


def _of_picture(
    scores: Tensor, kernels: Tensor, strides: Tensor, features: Tensor, threshold: float
) -> Instances:
    order = scores.argsort(descending=True, stable=True)[:BEFORE]
    order = order[scores[order] > threshold]
    scores = scores[order]
    probabilities = torch.einsum("ne,ehw->nhw", kernels[order], features).sigmoid()
    masks = probabilities > INSIDE
    areas = masks.sum((1, 2))
    # Smaller than what the cell is computed from: nothing that it could have seen.
    solid = areas > strides[order]
    scores, probabilities, masks = scores[solid], probabilities[solid], masks[solid]
    maskness = (probabilities * masks).sum((1, 2)) / areas[solid]
    order = (scores * maskness).argsort(descending=True, stable=True)
    decayed = matrix_nms(masks[order], (scores * maskness)[order])
    again = decayed.argsort(descending=True, stable=True)[:AFTER]
    again = again[decayed[again] >= DECAYED]
    chosen = order[again]
    return Instances(probabilities[chosen], decayed[again], maskness[chosen])


def matrix_nms(masks: Tensor, scores: Tensor) -> Tensor:
    """Matrix NMS (§3.4, Eq. 4 and 5) with the Gaussian decay f(iou) = exp(-iou² / σ).

    An instance's score is multiplied by the least, over all instances i before it, of
    f(iou with i) / f(the most that i overlaps with one before it): what is itself a duplicate takes
    less from others. All is one matrix; nothing is removed.

    Args:
        masks: bool N×h×w, best first.
        scores: float N, falling.

    Returns:
        float N.
    """
    flat = masks.flatten(1).to(scores.dtype)  # N×h×w → N×hw
    shared = flat @ flat.T
    areas = flat.sum(1)
    unions = areas[:, None] + areas[None] - shared
    ious = (shared / unions.clamp(min=1)).triu(1)  # row i before column j
    most = ious.amax(0) if len(ious) else scores  # of each i, with one before it
    decay = torch.exp((most[:, None] ** 2 - ious**2) / SIGMA)
    before = torch.ones_like(ious).triu(1).bool()
    return scores * decay.masked_fill(~before, 1).amin(0) if len(ious) else scores
