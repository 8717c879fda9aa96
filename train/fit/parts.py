"""An update of more expressions than one pass holds: the same gradient, in parts of a bounded size.

Memory grows with expressions, not with pictures. Each part is a pass of its own whose gradient is
added to the others'; normalisations over a batch see a part, as they do with --accumulate.

Processes that train together make as many passes as the one with the most expressions needs, for
they wait for each other in each pass.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ssc.correct.matching import matched_loss

if TYPE_CHECKING:
    from torch import nn

    from train.fit.batches import Batch

MOST = 512  # expressions of a pass; about 1.5 GB of the mini model's, in training
ROOM = 1e9  # pixels × channels of a pass: 33 expressions of Swin-B at 480 px, 48 GB in float32


class Part(NamedTuple):
    """Some of a batch's expressions, in its order.

    Attributes:
        arguments: of the model, for these expressions and their pictures alone.
        pictures: numbers of the pictures.
        object_of: int64 of each of these pictures, the object of each of its expressions here.
        share: of the batch's expressions; 0 of a pass that only others need.
    """

    arguments: tuple[Tensor, ...]
    pictures: list[int]
    object_of: list[Tensor]
    share: float


def most_of(config: dict[str, Any]) -> int:
    """Expressions that a pass of the model of `config` may have."""
    h, w = config["size"]
    return max(1, min(MOST, int(ROOM / (h * w * config["lavt"]["embed_dim"]))))


def parts_of(arguments: tuple[Tensor, ...], batch: Batch, most: int) -> list[Part]:
    """A batch in parts of at most `most` expressions, as many as `batch.largest` needs."""
    images, input_ids, attention_mask, image_of = arguments
    ends = torch.tensor([len(objects) for objects in batch.object_of]).cumsum(0).tolist()
    count, total = -(-batch.largest // most), len(image_of)
    edges = [total * k // count for k in range(count + 1)]
    parts = []
    for first, last in pairwise(edges):
        rows = slice(first, last) if last > first else slice(min(first, total - 1), first + 1)
        pictures, objects = [], []
        for number, (own, end) in enumerate(zip(batch.object_of, ends)):
            start = end - len(own)
            here = own[max(0, rows.start - start) : max(0, rows.stop - start)]
            if len(here):
                pictures.append(number)
                objects.append(here)
        held = images[pictures]
        among = image_of[rows] - pictures[0]  # pictures of a part come one after the other
        chosen = (held, input_ids[rows], attention_mask[rows], among)
        parts.append(Part(chosen, pictures, objects, (last - first) / total))
    return parts


def pass_in_parts(
    model: nn.Module,
    arguments: tuple[Tensor, ...],
    batch: Batch,
    assign: Callable[[Tensor], list[Tensor]] | None,
    backward: Callable[[Tensor], None],
    most: int,
    alone: Callable[[], AbstractContextManager] = nullcontext,
) -> tuple[Tensor, list[Tensor]]:
    """Forward and backward of a batch, `most` expressions at a time.

    Args:
        model: `ReferringModel`; pictures are matched by what it sees in evaluation mode.
        arguments: its arguments, of the whole batch.
        assign: float N×2×h×w logits → the mask that each object learns from; None: the chosen one.
        backward: adds a loss's gradient.
        most: expressions of a pass.
        alone: makes a context in which processes do not add their gradients; the last part's is
            outside, and adds those of all parts.

    Returns:
        The loss of the batch, and the assignment.
    """
    parts = parts_of(arguments, batch, most)
    assignment = batch.chosen
    if assign is not None:
        training = model.training
        model.eval()  # nothing is learned yet: no dropout, and no statistics are kept
        with torch.no_grad():
            logits = [model(*part.arguments) for part in parts]
            assignment = assign(torch.cat([own for own, part in zip(logits, parts) if part.share]))
        model.train(training)
    whole = torch.zeros((), device=arguments[0].device)
    for number, part in enumerate(parts, 1):
        with alone() if number < len(parts) else nullcontext():
            loss = matched_loss(
                model(*part.arguments),
                [batch.masks[k] for k in part.pictures],
                part.object_of,
                [assignment[k] for k in part.pictures],
            )
            loss = loss * part.share
            backward(loss)
        whole += loss.detach()
    return whole, assignment
