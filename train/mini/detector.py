"""Trains the mini detector and segmenter: a small Mask R-CNN on RefSprites.

python -m train.mini detector --steps 4500 --batch 8 --seed 0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.ops import box_iou

from ssc.metrics import mask_iou
from ssc.segment.rcnn import MiniNetwork, build_rcnn
from ssc.vocabulary import COCO_80
from train.mini.loop import train
from train.scenes import Scene, render

SMALL = 160
LABEL = {name: k for k, name in enumerate(COCO_80, 1)}


class _Scenes(Dataset):
    """Scene `first + i` of the training split, as torchvision's detectors take it."""

    def __init__(self, first: int, count: int, seed: int) -> None:
        self.first, self.count, self.seed = first, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        scene = render("train", self.first + i, self.seed)
        flip = (self.first + i) % 2 == 1
        return example(scene, flip)


def example(scene: Scene, flip: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
    """Image float 3×H×W in [0, 1] and its boxes, labels and masks; mirrored where `flip`."""
    image, masks, boxes = scene.image, scene.masks, scene.boxes
    if flip:
        image, masks = image[:, ::-1], masks[:, :, ::-1]
        boxes = boxes.copy()
        boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    target = {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor([LABEL[i.sprite.category] for i in scene.instances]),
        "masks": torch.from_numpy(np.ascontiguousarray(masks).astype(np.uint8)),
    }
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # H×W×3 → 3×H×W
    return pixels.float() / 255, target


def _collate(batch: list) -> tuple[list, list]:
    images, targets = zip(*batch)
    return list(images), list(targets)


def train_detector(steps: int, batch: int, seed: int, runs: Path) -> tuple[nn.Module, float]:
    """Trains from scratch on fresh scenes: no scene is seen twice.

    The first half runs on small pictures (twice as many a second), the second half on full ones.
    """
    torch.manual_seed(seed)
    model = build_rcnn()
    full = model.transform.min_size, model.transform.max_size
    small = (SMALL,), SMALL * 4 // 3

    def batches(first: int) -> Iterator[Any]:
        scenes = _Scenes(first * batch, (steps - first) * batch, seed)
        loader = DataLoader(scenes, batch, num_workers=1, collate_fn=_collate, prefetch_factor=8)
        for step, (images, targets) in enumerate(loader, first):
            model.transform.min_size, model.transform.max_size = small if 2 * step < steps else full
            yield images, targets

    def loss_of(model: nn.Module, images_and_targets: tuple[list, list]) -> dict[str, Tensor]:
        return model(*images_and_targets)

    return train(
        model, loss_of, batches, steps, runs / "detector", lr=1e-3, weight_decay=1e-4
    )


def measure(network: MiniNetwork, split: str, count: int, seed: int) -> dict[str, float]:
    """AP50 of boxes (area under the interpolated precision–recall curve, mean over the classes
    that occur) and mean IoU of the masks given the true boxes, on `count` scenes."""
    found: dict[int, list[tuple[float, bool]]] = {}
    total: dict[int, int] = {}
    ious: list[float] = []
    for index in range(count):
        scene = render(split, index, seed)
        _, target = example(scene)
        boxes, scores, names = network.boxes(scene.image)
        labels = torch.tensor([LABEL[name] for name in names])
        for label in target["labels"].tolist():
            total[label] = total.get(label, 0) + 1
        for label in set(labels.tolist()):
            mine = (labels == label).numpy()
            truth = target["boxes"][target["labels"] == label]
            free = torch.ones(len(truth), dtype=torch.bool)
            overlaps = box_iou(torch.from_numpy(boxes[mine]), truth)
            for score, row in zip(scores[mine].tolist(), overlaps):
                row = row * free
                hit = len(truth) > 0 and row.max().item() >= 0.5
                if hit:
                    free[row.argmax()] = False
                found.setdefault(label, []).append((score, hit))
        masks, _ = network.masks(scene.image, scene.boxes)
        ious += [mask_iou(mask, truth) for mask, truth in zip(masks, scene.masks)]
    aps = [average_precision(found.get(label, []), n) for label, n in total.items()]
    return {"AP50": float(np.mean(aps)), "mask IoU in true boxes": float(np.mean(ious))}


def average_precision(found: list[tuple[float, bool]], total: int) -> float:
    """Area under the precision–recall curve, precision made monotone as PASCAL VOC 2010 does."""
    hits = np.array([hit for _, hit in sorted(found, key=lambda row: -row[0])], bool)
    if not len(hits):
        return 0.0
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[hits].sum() / total)
