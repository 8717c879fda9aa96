"""Pixel classification on rendered scenes: the mini LAVT's visual layers begin with its weights, as
the paper's begin with ImageNet's. `train.mini.lavt` runs it first.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ssc.correct.lavt import LAVT
from ssc.correct.predict import CONFIGS, preprocess
from ssc.words.vocabulary import COCO_80
from ssc.writing import write_whole
from train.fit.rows import shrink
from train.mini.loop import in_half, train
from train.scenes import render

LABEL = {name: k for k, name in enumerate(COCO_80, 1)}
BACKGROUND = 0.3  # its weight: most of a picture is background
LEARNING_RATE = 1.5e-3


class PixelClasses(nn.Module):
    """LAVT without words as a classifier of pixels.

    The words' factor in each fusion is 1. The decoder's last layer gives classes instead of
    background and object, and so does one linear layer on each of the three finer maps.

    Args:
        whole: the decoder is kept too.
    """

    def __init__(self, lavt: LAVT, whole: bool) -> None:
        super().__init__()
        self.lavt, self.whole = lavt, whole
        classes = 1 + len(COCO_80)
        lavt.classifier.conv1_1 = nn.Conv2d(lavt.classifier.conv1_1.in_channels, classes, 1)
        widths = [len(next(norm.parameters())) for norm in lavt.backbone.norms[:3]]
        self.heads = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in widths)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits of float B×3×H×W, float B×81×h×w each: the decoder's, then strides 4, 8, 16."""
        maps = self.lavt.backbone.look(image)
        return [self.lavt.classifier(maps), *(head(m) for head, m in zip(self.heads, maps))]

    def visual_weights(self) -> dict[str, Tensor]:
        """What needs no words, as learnt, under LAVT's names: the backbone, and the decoder but for
        its last layer where its width is the model's."""
        unused = (".image_lang_att.", "classifier.conv1_1." if self.whole else "classifier.")
        weights = self.lavt.state_dict()
        return {k: v.contiguous() for k, v in weights.items() if not any(u in k for u in unused)}


def pixel_losses(logits: list[Tensor], classes: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of what `PixelClasses` gives against int64 B×H×W classes."""
    weight = torch.ones(1 + len(COCO_80), device=classes.device)
    weight[0] = BACKGROUND
    losses = {}
    for name, level in zip(("decoder", "stride 4", "stride 8", "stride 16"), logits):
        target = _at_cells(classes, level.shape[2:], corners=name == "decoder")
        losses[name] = F.cross_entropy(level.float(), target, weight) / len(logits)
    return losses


def _at_cells(classes: Tensor, size: torch.Size, corners: bool) -> Tensor:
    """int64 B×H×W to B×h×w: the class at each cell's centre; with `corners` the outer cells sit
    on the outer pixels, as where LAVT scales its logits up."""
    rows, columns = (
        torch.linspace(0, full - 1, cells).round().long()
        if corners
        else ((torch.arange(cells) + 0.5) * full / cells).long()
        for full, cells in zip(classes.shape[1:], size)
    )
    return classes[:, rows.clamp(max=classes.shape[1] - 1)[:, None], columns]


@dataclass(frozen=True)
class Scenes(Dataset):
    """Image uint8 h×w×3 and classes uint8 h×w of `count` scenes, at the model's size.

    Attributes:
        size: (h, w).
        first: number of the first scene.
        classes: how many the world has, see `train.scenes.render`; 0 for all.
    """

    split: str
    count: int
    seed: int
    size: tuple[int, int]
    first: int = 0
    classes: int = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        scene = render(self.split, self.first + i, self.seed, classes=self.classes)
        labels = np.array([0, *(LABEL[x.sprite.category] for x in scene.instances)], np.uint8)
        h, w = scene.ids.shape
        rows, columns = (
            ((np.arange(small) + 0.5) * full / small).astype(int)
            for small, full in zip(self.size, (h, w))
        )
        return shrink(scene.image, self.size), labels[scene.ids[rows[:, None], columns]]


def _rendered(scenes: Scenes, file: Path, workers: int) -> np.ndarray:
    """uint8 count×h×w×4 in a file, colours and class; rendered where the file is missing."""
    shape = (len(scenes), *scenes.size, 4)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        loader = DataLoader(
            scenes, batch_size=None, num_workers=workers, collate_fn=lambda row: row
        )
        with part.open("wb") as out:
            for image, classes in tqdm(loader, desc="rendering", mininterval=5):
                out.write(np.dstack([image, classes]).tobytes())
        os.replace(part, file)
    return np.memmap(file, np.uint8, "r").reshape(shape)


def pretrain(
    name: str,
    scenes: Scenes,
    steps: int,
    seed: int,
    folder: Path,
    workers: int,
    *,
    batch: int = 16,
    decoder: int | None = None,
) -> tuple[Path, float]:
    """Pixel classification of rendered scenes; a killed run continues.

    Args:
        name: of the model in `CONFIGS`.
        scenes: of the training split, at the model's size.
        folder: of the scenes as drawn and of the training's state.
        decoder: its width here, where it is not kept; None for the model's own.

    Returns:
        The file of visual weights, and the seconds spent.
    """
    data = _rendered(scenes, folder / "scenes.u8", workers)
    torch.manual_seed(seed)
    config = copy.deepcopy(CONFIGS[name]["lavt"])
    model = PixelClasses(
        LAVT(**config | ({"decoder_dim": decoder} if decoder else {})), whole=not decoder
    )

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(first, steps):
            rng = np.random.default_rng([seed, step])
            rows = torch.from_numpy(data[np.sort(rng.choice(len(data), batch, replace=False))])
            flip = torch.from_numpy(rng.random(batch) < 0.5)
            rows = torch.where(flip[:, None, None, None], rows.flip(2), rows)
            yield preprocess(rows[..., :3], scenes.size), rows[..., 3].long()

    def loss_of(model: PixelClasses, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        pixels, classes = batch
        with in_half(pixels.device):
            logits = model(pixels)
        return pixel_losses(logits, classes)

    average, seconds = train(
        model,
        loss_of,
        batches,
        steps,
        folder,
        lr=LEARNING_RATE,
        weight_decay=0.02,
        decay=0.995,
    )
    write_whole(folder / "visual.safetensors", save(average.visual_weights()))
    accuracy = _accuracy(average, replace(scenes, split="val", count=60, first=0))
    print(f"pixel classes, {steps} steps, {seconds / 60:.1f} min: {accuracy}")
    return folder / "visual.safetensors", seconds


@torch.inference_mode()
def _accuracy(model: nn.Module, scenes: Scenes) -> dict[str, float]:
    """Share of the decoder's cells with the right class, on objects and on background."""
    right = np.zeros(2)
    total = np.zeros(2)
    for i in range(len(scenes)):
        image, classes = scenes[i]
        logits = model(preprocess(torch.from_numpy(image)[None], scenes.size))[0]
        truth = _at_cells(torch.from_numpy(classes)[None].long(), logits.shape[2:], corners=True)
        hit = logits.argmax(1) == truth
        for k, group in enumerate((truth > 0, truth == 0)):
            right[k] += hit[group].sum()
            total[k] += group.sum()
    return {name: round(float(x), 3) for name, x in zip(("objects", "background"), right / total)}
