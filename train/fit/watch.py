"""How a training does as it goes: mIoU on other pictures, and what it makes of some of its own.

The latter is for the report, where a run's matches and predictions are drawn over time (the
paper's Figure 6). In a training's folder `watch/`:

    objects.npz       the watched objects and their candidate masks at the model's size
    0000500.npz       after 500 updates: each object's matched mask, and where the model sees it
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from ssc.correct import FAINT
from train.fit.assign import assign
from train.fit.batches import Plan, inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct.predict import ReferringModel
    from train.fit.examples import Examples
    from train.fit.options import Settings

OBJECTS = "objects.npz"
SIDE = 128  # longest side of the probabilities that are kept, px
SEED = 0  # which pictures; the same ones in all trainings of a data set
ONE_BY_ONE = Plan(batch=1, parts=1, expressions=0, flip=False, seed=SEED)


@torch.no_grad()
def validate(
    model: ReferringModel, tokenizer: Any, config: dict[str, Any], examples: Examples
) -> float:
    """mIoU at the model's size, over all expressions of examples that hold true masks.

    A mask is what is above half of the peak, as in `ssc.correct.threshold_of`.
    """
    device = next(model.parameters()).device
    model.eval()
    total = count = 0.0
    for position in range(len(examples)):  # one permutation: each picture once
        batch = ONE_BY_ONE.part(examples, position, 0)
        logits = model(*inputs(batch, tokenizer, config, device)).float()
        probability = logits.softmax(1)[:, 1].cpu()  # N×h×w
        peak = probability.amax((1, 2), keepdim=True)
        answer = probability > (peak / 2).clamp(min=FAINT)
        truth = batch.masks[batch.chosen[batch.object_of]]  # N×h×w
        both, either = (answer & truth).sum((1, 2)), (answer | truth).sum((1, 2))
        iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
        total, count = total + iou.sum().item(), count + len(iou)
    model.train()
    return total / count


class Watch:
    """Some of a training's pictures, neither mirrored nor shuffled, all their sentences read.

    Args:
        count: of pictures, drawn at random; all where there are fewer.
        settings: of the training, which decide the matching.
        out: the training's folder.
    """

    def __init__(
        self,
        examples: Examples,
        count: int,
        tokenizer: Any,
        config: dict[str, Any],
        settings: Settings,
        out: Path,
    ) -> None:
        self.tokenizer, self.config = tokenizer, config
        self.matching = settings.method, settings.match, settings.prior
        self.folder = out / "watch"
        self.folder.mkdir(parents=True, exist_ok=True)
        count = min(count, len(examples))
        self.batches = [ONE_BY_ONE.part(examples, position, 0) for position in range(count)]
        about, allowed, chosen = [], [], []
        first = 0
        for picture, batch in enumerate(self.batches):
            for j, row in enumerate(batch.allowed[0].numpy()):
                said = [t for t, of in zip(batch.texts, batch.object_of.tolist()) if of == j]
                about.append({"picture": picture, "name": batch.names[0], "expressions": said})
                allowed.append(first + np.flatnonzero(row))
                own = int(batch.chosen[j])
                chosen.append(own if own < 0 else first + own)
            first += len(batch.masks)
        for thing, numbers, own in zip(about, allowed, chosen):
            thing |= {"masks": numbers.tolist(), "chosen": own}
        masks = torch.cat([batch.masks for batch in self.batches]).numpy()
        _write(
            self.folder / OBJECTS,
            objects=np.array(json.dumps(about)),
            images=torch.cat([batch.images for batch in self.batches]).numpy(),
            masks=np.packbits(masks.reshape(len(masks), -1), axis=1),
        )

    @torch.no_grad()
    def look(self, update: int, model: ReferringModel) -> None:
        """Writes what the model sees now, and which masks it would learn from."""
        device = next(model.parameters()).device
        model.eval()
        matched, seen = [], []
        first = 0
        for batch in self.batches:
            logits = model(*inputs(batch, self.tokenizer, self.config, device)).float()
            own = assign(*self.matching, batch, logits).cpu()
            matched += torch.where(own < 0, own, own + first).tolist()
            probability = logits.softmax(1)[:, 1:]  # N×1×h×w
            scale = min(1.0, SIDE / max(probability.shape[2:]))
            if scale < 1:
                size = [round(side * scale) for side in probability.shape[2:]]
                probability = F.interpolate(probability, size, mode="bilinear", antialias=True)
            objects = batch.object_of.tolist()
            of_first = [objects.index(j) for j in range(len(own))]  # an object's first sentence
            seen.append((255 * probability[of_first, 0]).round().byte().cpu().numpy())
            first += len(batch.masks)
        model.train()
        _write(
            self.folder / f"{update:07d}.npz",
            matched=np.array(matched, np.int64),
            seen=np.concatenate(seen),
        )


@dataclass(frozen=True)
class Watched:
    """What `Watch` left.

    Attributes:
        names: pictures of J objects.
        expressions: of each object; the first one is what `seen` answers.
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
    """What a training in `folder` was seen to do; None where nothing was watched."""
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
        [thing["name"] for thing in objects],
        [tuple(thing["expressions"]) for thing in objects],
        [images[thing["picture"]] for thing in objects],
        np.unpackbits(bits, axis=1, count=h * w).reshape(-1, h, w).astype(np.bool_),
        [thing["masks"] for thing in objects],
        np.array([thing["chosen"] for thing in objects], np.int64),
        matched,
        seen,
    )


def _write(path: Path, **arrays: NDArray) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(temporary, path)
