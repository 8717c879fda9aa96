"""Measures of a training under way: validation mIoU, and predictions on some of its own pictures.

The report draws the matches and predictions of these pictures over time (the paper's Figure 6). In
a training's folder `watch/`:

    objects.npz       the watched objects and their candidate masks at the model's size
    0000500.npz       after 500 updates: each object's matched mask and predicted probability
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ssc.correct.mask import FAINT
from ssc.writing import written
from train.fit.assign import assign
from train.fit.batches import Sampler, inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct.predict import ReferringModel
    from train.fit.examples import Examples
    from train.fit.options import Options

OBJECTS = "objects.npz"
SIDE = 128  # longest side of the probabilities that are kept, px


@torch.no_grad()
def validate(
    model: ReferringModel, tokenizer: Any, config: dict[str, Any], examples: Examples
) -> float:
    """mIoU at the model's size, over all expressions of examples that hold true masks.

    A mask is what is above half of the peak, as in `ssc.correct.mask.threshold_of`.
    """
    device = next(model.parameters()).device
    model.eval()
    sampler = Sampler(examples)
    total = count = 0.0
    for position in range(len(examples)):  # one permutation: each picture once
        batch = sampler.batch(position)
        logits = model(*inputs(batch, tokenizer, config, device)).float()
        probability = logits.softmax(1)[:, 1].cpu()  # N×h×w
        peak = probability.amax((1, 2), keepdim=True)
        prediction = probability > (peak / 2).clamp(min=FAINT)
        truth = batch.masks[0][batch.chosen[0][batch.object_of[0]]]  # N×h×w
        both = (prediction & truth).sum((1, 2))
        either = (prediction | truth).sum((1, 2))
        iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
        total, count = total + iou.sum().item(), count + len(iou)
    model.train()
    return total / count


class Watch:
    """Some of a training's pictures, neither mirrored nor shuffled, with all their expressions.

    Args:
        count: of pictures, drawn at random; all where there are fewer. All trainings of a data set
            have the same ones.
        options: of the training; they decide the matching, and its folder.
    """

    def __init__(
        self,
        examples: Examples,
        count: int,
        tokenizer: Any,
        config: dict[str, Any],
        options: Options,
    ) -> None:
        self.tokenizer, self.config, self.options = tokenizer, config, options
        self.folder = options.out / "watch"
        self.folder.mkdir(parents=True, exist_ok=True)
        sampler = Sampler(examples)
        self.batches = [sampler.batch(position) for position in range(min(count, len(examples)))]
        # The file numbers the masks of all pictures through: each picture's begin at its first.
        counts = [len(batch.masks[0]) for batch in self.batches]
        self.first = np.cumsum([0, *counts[:-1]]).tolist()
        objects = [
            {
                "picture": picture,
                "name": batch.names[0],
                "expressions": [
                    text for text, k in zip(batch.texts, batch.object_of[0].tolist()) if k == j
                ],
                "masks": (first + np.flatnonzero(candidates)).tolist(),
                "chosen": chosen,
            }
            for picture, (batch, first) in enumerate(zip(self.batches, self.first))
            for j, (candidates, chosen) in enumerate(
                zip(batch.allowed[0].numpy(), _numbered(batch.chosen[0], first))
            )
        ]
        masks = torch.cat([batch.masks[0] for batch in self.batches]).numpy()
        _write(
            self.folder / OBJECTS,
            objects=np.array(json.dumps(objects)),
            images=torch.cat([batch.images for batch in self.batches]).numpy(),
            masks=np.packbits(masks.reshape(len(masks), -1), axis=1),
        )

    @torch.no_grad()
    def draw(self, update: int, model: ReferringModel) -> None:
        """Writes each object's prediction, and the mask that it would learn from."""
        options, device = self.options, next(model.parameters()).device
        model.eval()
        matched, predictions = [], []
        for batch, first in zip(self.batches, self.first):
            logits = model(*inputs(batch, self.tokenizer, self.config, device)).float()
            [assignment] = assign(
                options.method, options.match, options.prior, batch.to(device), logits
            )
            matched += _numbered(assignment, first)
            probability = logits.softmax(1)[:, 1:]  # N×1×h×w
            scale = min(1.0, SIDE / max(probability.shape[2:]))
            if scale < 1:
                size = [round(side * scale) for side in probability.shape[2:]]
                probability = F.interpolate(probability, size, mode="bilinear", antialias=True)
            objects = batch.object_of[0].tolist()
            leading = [objects.index(j) for j in range(len(assignment))]  # each one's first text
            predictions.append((255 * probability[leading, 0]).round().byte().cpu().numpy())
        model.train()
        _write(
            self.folder / f"{update:07d}.npz",
            matched=np.array(matched, np.int64),
            seen=np.concatenate(predictions),
        )


def _numbered(assignment: Tensor, first: int) -> list[int]:
    """A picture's masks by their numbers in the file; -1 stays."""
    return [first + mask if mask >= 0 else -1 for mask in assignment.tolist()]


@dataclass(frozen=True)
class Watched:
    """The files of `Watch`.

    Attributes:
        names: pictures of J objects.
        expressions: of each object; `seen` is the prediction for the first one.
        images: RGB uint8 h×w×3 of each.
        masks: bool C×h×w, all candidates of all pictures.
        allowed: of each object, its candidates.
        chosen: int64 J, S2's; -1 for none.
        matched: update → int64 J, the mask matched then; -1 for none.
        seen: update → uint8 J×h'×w', probability times 255.
    """

    names: list[str]
    expressions: list[tuple[str, ...]]
    images: list[NDArray[np.uint8]]
    masks: NDArray[np.bool_]
    allowed: list[list[int]]
    chosen: NDArray[np.int64]
    matched: dict[int, NDArray[np.int64]]
    seen: dict[int, NDArray[np.uint8]]


def read_watched(folder: Path) -> Watched | None:
    """The watched pictures of the training in `folder`; None where it has none."""
    folder = folder / "watch"
    if not (folder / OBJECTS).exists():
        return None
    with np.load(folder / OBJECTS, allow_pickle=False) as file:
        objects, images, bits = json.loads(str(file["objects"])), file["images"], file["masks"]
    h, w = images.shape[1:3]
    matched, seen = {}, {}
    for path in sorted(folder.glob("[0-9]*.npz")):
        with np.load(path, allow_pickle=False) as file:
            matched[int(path.stem)], seen[int(path.stem)] = file["matched"], file["seen"]
    return Watched(
        [entry["name"] for entry in objects],
        [tuple(entry["expressions"]) for entry in objects],
        [images[entry["picture"]] for entry in objects],
        np.unpackbits(bits, axis=1, count=h * w).reshape(-1, h, w).astype(np.bool_),
        [entry["masks"] for entry in objects],
        np.array([entry["chosen"] for entry in objects], np.int64),
        matched,
        seen,
    )


def _write(path: Path, **arrays: Any) -> None:
    with written(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)
