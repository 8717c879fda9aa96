"""Pictures whose true masks say which candidate is an object's own; for `train.matching`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ssc.correct.matching import object_scores, soft_iou
from ssc.metrics import pairwise_iou
from ssc.types import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct.predict import Corrector
    from train.data import Picture
    from train.store import PseudoPicture

RIGHT = 0.5  # IoU with the true mask from which on a candidate is an object's own
DRAWN = {"one": 1, "two": 2, "all": None}  # expressions of each object


@dataclass(frozen=True)
class Scene:
    """One picture's objects and all their candidates, each once.

    Attributes:
        iou: float N×C, soft IoU of each expression's prediction and each candidate.
        object_of: int64 N, object in [0, J) of each expression.
        allowed: bool J×C, the candidates of an object.
        right: int64 J, the candidate that is the object's own, -1 where none is.
        chosen: int64 J, that of S2, -1 for none.
    """

    iou: Tensor
    object_of: Tensor
    allowed: Tensor
    right: Tensor
    chosen: Tensor


def open_scene(picture: Picture, looked: PseudoPicture, corrector: Corrector) -> Scene | None:
    """None where nothing was found in the picture.

    Raises:
        InputError: an object without a true mask.
    """
    truth = []
    for thing in picture.objects:
        if thing.mask is None:
            raise InputError(f"{picture.name}: expected a true mask of object {thing.name}")
        truth.append(thing.mask)
    numbers: dict[bytes, int] = {}
    masks: list[NDArray[np.bool_]] = []
    own: list[list[int]] = []
    for thing in looked.objects:
        own.append([])
        for mask in thing.candidates.masks:
            own[-1].append(numbers.setdefault(mask.tobytes(), len(masks)))
            if own[-1][-1] == len(masks):
                masks.append(mask)
    if not masks:
        return None
    candidates, count = np.stack(masks), len(looked.objects)
    allowed = torch.zeros(count, len(masks), dtype=torch.bool)
    right = torch.full((count,), -1)
    for j, places in enumerate(own):
        allowed[j, places] = True
        overlap = pairwise_iou(truth[j][None], candidates)[0] * allowed[j].numpy()
        if overlap.max() >= RIGHT:
            right[j] = int(overlap.argmax())
    chosen = [own[j][x.chosen] if x.chosen >= 0 else -1 for j, x in enumerate(looked.objects)]
    texts = [text for thing in looked.objects for text in thing.expressions]
    object_of = [j for j, thing in enumerate(looked.objects) for _ in thing.expressions]
    iou = soft_iou(
        torch.from_numpy(corrector.predict(picture.image, texts)), torch.from_numpy(candidates)
    )
    return Scene(iou, torch.tensor(object_of), allowed, right, torch.tensor(chosen))


def scores_of(scene: Scene, drawn: int | None, pooled: str, rng: np.random.Generator) -> Tensor:
    """float J×C: the "best" or the "mean" of the expressions drawn, -inf where not allowed.

    Args:
        drawn: expressions of each object; None for all.
    """
    order = torch.from_numpy(rng.permutation(len(scene.object_of)))
    kept = [order[scene.object_of[order] == j][:drawn] for j in range(len(scene.allowed))]
    if pooled == "mean":
        mean = torch.stack([scene.iou[own].mean(0) for own in kept])
        return mean.masked_fill(~scene.allowed, -torch.inf)
    rows = torch.cat(kept)
    return object_scores(scene.iou[rows], scene.object_of[rows], scene.allowed)
