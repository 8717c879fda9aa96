"""Trains the mini detector and segmenter: a small Mask R-CNN on RefSprites.

python -m train.mini detector --steps 4500 --batch 8 --seed 0
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.ops import box_iou

from ssc.metrics import mask_iou
from ssc.segment.rcnn import MiniNetwork, build_rcnn
from ssc.vocabulary import COCO_80
from train.mini.loop import train
from train.scenes import Scene, render

SMALL = 144  # times 4/3, a multiple of the network's stride
PIXEL_CYCLES, PIXEL_BATCH, PIXEL_SIZE = ((750, 3e-3), (1700, 2e-3), (350, 1e-3)), 16, (208, 160)
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

    First the backbone learns pixel classes, in place of ImageNet, three times as many pictures a
    second as the detector. The detector's first half then runs on small pictures, its second half
    on full ones.
    """
    torch.manual_seed(seed)
    model: nn.Module = build_rcnn()
    pixels, spent = _pretrain(model.backbone, seed, runs)
    model.backbone.load_state_dict(pixels.backbone.state_dict())
    with torch.no_grad():  # a box starts with the mean opinion of its pixels
        cells = model.roi_heads.box_predictor.cls_score
        cells.weight[:, : model.backbone.out_channels] = pixels.classify.weight[..., 0, 0]
        cells.bias.copy_(pixels.classify.bias)
    full = model.transform.min_size[0], model.transform.max_size
    small = SMALL, SMALL * 4 // 3

    # Pixel classes go on being learned beside the detector: they teach the backbone classes faster
    # than a few boxes a picture do.
    levels: dict[str, Tensor] = {}
    model.backbone.register_forward_hook(lambda _, __, output: levels.update(output))
    model.pixels = pixels.classify

    def loss_of(model: nn.Module, data: tuple) -> dict[str, Tensor]:
        size, (images, targets) = data
        model.transform.min_size, model.transform.max_size = (size[0],), size[1]
        losses = model(images, targets)
        classes = torch.stack([_class_map(target, size) for target in targets])
        pixel_losses = _pixel_losses(model.pixels, levels, classes)
        return {**losses, "pixels": sum(pixel_losses.values()) / len(pixel_losses)}

    def batches(first: int) -> Iterator[Any]:
        scenes = _Scenes(first * batch, (steps - first) * batch, seed)
        loader = DataLoader(scenes, batch, num_workers=1, collate_fn=_collate, prefetch_factor=8)
        for step, data in enumerate(loader, first):
            yield small if 2 * step < steps else full, data

    model, seconds = train(
        model,
        loss_of,
        batches,
        steps,
        runs / "detector",
        lr=6e-4,
        weight_decay=1e-4,
        slower=("backbone", 0.5),
        decay=0.995,
    )
    del model.pixels
    return model, spent + seconds


class _PixelClasses(nn.Module):
    """The backbone with one linear classifier for the pixels of every pyramid level."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classify = nn.Conv2d(backbone.out_channels, 1 + len(COCO_80), 1)

    def forward(self, pixels: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Loss of B×3×H×W pixels in [0, 1] against B×H×W class labels, 0 for background."""
        return _pixel_losses(self.classify, self.backbone((pixels - 0.45) / 0.23), classes)


def _pixel_losses(
    classify: nn.Module, levels: dict[str, Tensor], classes: Tensor
) -> dict[str, Tensor]:
    """Cross-entropy of each pyramid level's cells against B×H×W classes; background weighs less."""
    weight = torch.ones(1 + len(COCO_80))
    weight[0] = 0.15
    losses = {}
    for name, level in levels.items():
        stride = classes.shape[-1] // level.shape[-1]
        target = classes[:, ::stride, ::stride]  # a cell is centred on pixel stride·i, for RoIAlign
        losses[f"level {name}"] = F.cross_entropy(classify(level), target, weight)
    return losses


def _class_map(target: dict[str, Tensor], size: tuple[int, int]) -> Tensor:
    """int64 h×w of the given size: the label at each pixel, 0 for background."""
    labels = target["masks"] * target["labels"].view(-1, 1, 1).to(torch.uint8)  # N×H×W
    return F.interpolate(labels.amax(0)[None, None], size, mode="nearest")[0, 0].long()


class _PixelScenes(Dataset):
    """Small pictures with the class of each pixel, from scenes that the detector will not see."""

    def __init__(self, first: int, count: int, seed: int) -> None:
        self.first, self.count, self.seed = first, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        scene = render("train", self.first + i, self.seed)
        image = cv2.resize(scene.image, PIXEL_SIZE, interpolation=cv2.INTER_AREA)
        ids = cv2.resize(scene.ids, PIXEL_SIZE, interpolation=cv2.INTER_NEAREST)
        labels = np.array([0, *(LABEL[x.sprite.category] for x in scene.instances)])
        pixels = torch.from_numpy(image).permute(2, 0, 1)  # H×W×3 → 3×H×W
        return pixels.float() / 255, torch.from_numpy(labels[ids])


def _pretrain(backbone: nn.Module, seed: int, runs: Path) -> tuple[nn.Module, float]:
    """Pixel classification on small pictures: the `_PixelClasses`, and the seconds spent."""
    model: nn.Module = _PixelClasses(backbone)
    spent = 0.0
    for cycle, (steps, lr) in enumerate(PIXEL_CYCLES):

        def batches(first: int, cycle: int = cycle, steps: int = steps) -> Iterator[Any]:
            start = first * PIXEL_BATCH
            scenes = _PixelScenes(start, steps * PIXEL_BATCH - start, seed + 1_000_003 + cycle)
            return iter(DataLoader(scenes, PIXEL_BATCH, num_workers=1, prefetch_factor=8))

        model, seconds = train(
            model.train(),
            lambda model, batch: model(*batch),
            batches,
            steps,
            runs / f"backbone-{cycle}",
            lr=lr,
            weight_decay=1e-4,
            decay=0.99,
        )
        spent += seconds
    return model, spent


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


def choose_threshold(network: MiniNetwork, count: int) -> float:
    """The score threshold with the best F1 of boxes at IoU 0.5 on `count` val scenes."""
    rows: list[tuple[float, bool]] = []
    total = 0
    for index in range(count):
        scene = render("val", index, seed=0)
        truth = [LABEL[i.sprite.category] for i in scene.instances]
        total += len(truth)
        boxes, scores, names = network.boxes(scene.image)
        if not len(boxes):
            continue
        overlaps = box_iou(torch.from_numpy(boxes), torch.from_numpy(scene.boxes)).numpy()
        free = np.ones(len(truth), bool)
        for k in np.argsort(-scores):
            fits = overlaps[k] * free * (np.array(truth) == LABEL[names[k]])
            hit = fits.max() >= 0.5
            if hit:
                free[fits.argmax()] = False
            rows.append((float(scores[k]), bool(hit)))

    def f1(threshold: float) -> float:
        kept = [hit for score, hit in rows if score > threshold]
        return 2 * sum(kept) / max(1, len(kept) + total)

    return max((t / 20 for t in range(2, 19)), key=f1)
