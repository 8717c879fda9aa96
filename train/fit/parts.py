"""An update of more expressions than one pass holds: the same gradient, in parts of a bounded size.

Memory grows with expressions, not with pictures. Each part is a pass of its own whose gradient is
added to the others'; normalisations over a batch see a part, as they do with --accumulate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ssc.correct.matching import matched_loss

if TYPE_CHECKING:
    from torch import nn

    from train.fit.batches import Batch

MOST = 512  # expressions of a pass; about 1.5 GB of the mini model's, in training


class Part(NamedTuple):
    """Some of a batch's expressions, in its order.

    Attributes:
        arguments: of the model, for these expressions and their pictures alone.
        pictures: numbers of the pictures.
        object_of: int64 of each of these pictures, the object of each of its expressions here.
    """

    arguments: tuple[Tensor, ...]
    pictures: list[int]
    object_of: list[Tensor]


def parts_of(arguments: tuple[Tensor, ...], batch: Batch, most: int = MOST) -> list[Part]:
    """A batch in parts of at most `most` expressions."""
    images, input_ids, attention_mask, image_of = arguments
    ends = torch.tensor([len(objects) for objects in batch.object_of]).cumsum(0).tolist()
    parts = []
    for first in range(0, len(image_of), most):
        rows = slice(first, min(first + most, len(image_of)))
        pictures, objects = [], []
        for number, (own, end) in enumerate(zip(batch.object_of, ends)):
            start = end - len(own)
            here = own[max(0, rows.start - start) : max(0, rows.stop - start)]
            if len(here):
                pictures.append(number)
                objects.append(here)
        held = images[pictures]
        among = image_of[rows] - pictures[0]  # pictures of a part come one after the other
        parts.append(Part((held, input_ids[rows], attention_mask[rows], among), pictures, objects))
    return parts


def pass_in_parts(
    model: nn.Module,
    arguments: tuple[Tensor, ...],
    batch: Batch,
    assign: Callable[[Tensor], list[Tensor]],
    backward: Callable[[Tensor], None],
    most: int = MOST,
) -> tuple[Tensor, list[Tensor]]:
    """Forward and backward of a batch, `most` expressions at a time.

    Args:
        model: `ReferringModel`; pictures are matched by what it sees in evaluation mode.
        arguments: its arguments, of the whole batch.
        assign: float N×2×h×w logits → the mask that each object learns from.
        backward: adds a loss's gradient.

    Returns:
        The loss of the batch, and the assignment.
    """
    parts = parts_of(arguments, batch, most)
    training = model.training
    model.eval()  # nothing is learned yet: no dropout, and no statistics are kept
    with torch.no_grad():
        assignment = assign(torch.cat([model(*part.arguments) for part in parts]))
    model.train(training)
    whole = torch.zeros((), device=arguments[0].device)
    for part in parts:
        loss = matched_loss(
            model(*part.arguments),
            [batch.masks[number] for number in part.pictures],
            part.object_of,
            [assignment[number] for number in part.pictures],
        )
        loss = loss * (sum(map(len, part.object_of)) / len(batch.texts))
        backward(loss)
        whole += loss.detach()
    return whole, assignment
