"""Trains the mini detector and segmenter: a small FCOS with masks, on RefSprites.

python -m train.mini detector --steps 3000 --batch 8 --seed 0
python -m train.mini detector --start assets/mini/detector/model.safetensors --seed 1
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
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou, roi_align

from ssc.segment.mini import MASK_CELLS, STRIDES, MiniFCOS, MiniNetwork
from ssc.weights.reading import load_weights
from ssc.words.vocabulary import COCO_80
from train.mini.loop import train
from train.scenes import Scene, render

SMALL, FULL = (144, 192), (240, 320)  # height × width; multiples of the network's stride
SMALL_SHARE = 0.65  # of the steps, the first ones
SIDES = ((0, 48), (40, 96), (80, 10_000))  # longer sides of the boxes that a level learns, px
BACKGROUND = 0.4  # weight of the background's pixels among pixel classes
JITTER = 0.08  # of a box's sides: the mask head must bear boxes that are a little off
LABEL = {name: k for k, name in enumerate(COCO_80, 1)}


class _Scenes(Dataset):
    """Scene `i` of the training split at the size of its step, every other one mirrored."""

    def __init__(self, first: int, last: int, small: int, seed: int) -> None:
        self.first, self.last, self.small, self.seed = first, last, small, seed

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        index = self.first + i
        size = SMALL if index < self.small else FULL
        return example(render("train", index, self.seed), size, flip=index % 2 == 1)


def example(scene: Scene, size: tuple[int, int], flip: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Image float 3×h×w in [0, 1], and what is true of it: `boxes` float N×4, `labels` int64 N,
    `ids` int64 h×w (1 + object, 0 for background); mirrored where `flip`."""
    h, w = size
    image = cv2.resize(scene.image, (w, h), interpolation=cv2.INTER_AREA)
    ids = cv2.resize(scene.ids, (w, h), interpolation=cv2.INTER_NEAREST)
    if flip:
        image, ids = image[:, ::-1], ids[:, ::-1]
    numbers = [k for k in range(1, len(scene.instances) + 1) if (ids == k).sum() > 12]
    renumber = np.zeros(len(scene.instances) + 1, np.int64)
    renumber[numbers] = np.arange(1, len(numbers) + 1)
    ids = renumber[ids]
    boxes = []
    for k in range(1, len(numbers) + 1):
        left, top, width, height = cv2.boundingRect((ids == k).astype(np.uint8))
        boxes.append((left, top, left + width, top + height))
    labels = [LABEL[scene.instances[k - 1].sprite.category] for k in numbers]
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # h×w×3 → 3×h×w
    return pixels.float() / 255, {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "ids": torch.from_numpy(ids),
    }


def _collate(batch: list) -> tuple[Tensor, list[dict[str, Tensor]]]:
    images, targets = zip(*batch)
    return torch.stack(images), list(targets)


def train_detector(
    steps: int, batch: int, seed: int, runs: Path, start: Path | None = None
) -> tuple[MiniFCOS, float]:
    """Trains on new scenes only: first in small pictures, then in full-size ones.

    Beside the losses of FCOS and of the masks, a linear classifier of the pyramid's pixels teaches
    classes to the backbone, in place of ImageNet. It is not part of the model.

    Args:
        start: weights to start from; all pictures are then full-size, and that classifier is left
            out.
    """
    torch.manual_seed(seed)
    model = MiniFCOS()
    if start:
        load_weights(model, start)
    else:
        model.pixels = nn.Conv2d(model.backbone.out_channels, 1 + len(COCO_80), 1)
    small = 0 if start else int(SMALL_SHARE * steps) * batch

    def batches(first: int) -> Iterator[Any]:
        scenes = _Scenes(first * batch, steps * batch, small, seed + 7)
        return iter(
            DataLoader(scenes, batch, num_workers=1, collate_fn=_collate, prefetch_factor=8)
        )

    model, seconds = train(
        model,
        lambda model, data: losses(model, *data),
        batches,
        steps,
        runs / "detector",
        lr=1e-3,
        weight_decay=1e-4,
        decay=0.995,
    )
    if not start:
        del model.pixels
    return model, seconds


def losses(model: MiniFCOS, pixels: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """All losses of B×3×h×w pixels in [0, 1] whose truth is as `example` gives it."""
    pixels = model.transform.normalize(pixels)
    images = ImageList(pixels, [tuple(pixels.shape[2:])] * len(pixels))
    features = model.backbone(pixels)
    anchors = model.anchor_generator(images, list(features.values()))
    matched = [match(target["ids"], target["boxes"], a) for target, a in zip(targets, anchors)]
    terms = model.head.compute_loss(targets, model.heads(features), anchors, matched)
    boxes = [_jitter(target["boxes"]) for target in targets]
    masks = torch.cat([_crops(t["ids"], b) for t, b in zip(targets, boxes)])
    mask = F.binary_cross_entropy_with_logits(model.mask_logits(features, boxes), masks)
    terms["mask"] = mask
    if hasattr(model, "pixels"):
        classes = torch.stack(
            [torch.cat([t["labels"].new_zeros(1), t["labels"]])[t["ids"]] for t in targets]
        )
        terms["pixels"] = _pixel_loss(model.pixels, features, classes)
    return terms


def match(ids: Tensor, boxes: Tensor, anchors: Tensor) -> Tensor:
    """int64, for each cell of all levels: the object seen there, −1 where none is to be learned.

    A cell learns the object at its centre where the object's size suits the level and its box
    holds the centre. FCOS's own rule, cells near the box's centre, would give an object's cells
    to what hides it.

    Args:
        ids: int64 h×w, 1 + object.
        boxes: float N×4.
        anchors: float cells×4, all levels in a row.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    cells = []
    for stride, (low, high) in zip(STRIDES, SIDES):
        # A 3×3 window, so that what is thinner than the stride is met.
        nearest = F.max_pool2d(ids[None].float(), 3, stride, 1)[0].long().flatten() - 1
        suits = torch.cat([(low <= sides) & (sides < high), torch.tensor([False])])
        cells.append(torch.where(suits[nearest], nearest, -1))  # −1 reads the False at the end
    matched = torch.cat(cells)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    box = torch.cat([boxes, torch.zeros(1, 4)])[matched]
    inside = ((centres > box[:, :2]) & (centres < box[:, 2:])).all(1)
    return torch.where(inside, matched, -1)


def _jitter(boxes: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + JITTER * sides * torch.randn_like(boxes).clamp(-2, 2)


def _crops(ids: Tensor, boxes: Tensor) -> Tensor:
    """float N×28×28 in {0, 1}: object n of `ids` in box n."""
    masks = (ids[None] == torch.arange(1, len(boxes) + 1)[:, None, None]).float()  # N×h×w
    rois = torch.cat([torch.arange(len(boxes), dtype=torch.float32)[:, None], boxes], 1)
    crops = roi_align(masks[:, None], rois, 2 * MASK_CELLS, sampling_ratio=2, aligned=True)
    return (crops[:, 0] > 0.5).float()


def _pixel_loss(classify: nn.Module, features: dict[str, Tensor], classes: Tensor) -> Tensor:
    """Cross-entropy of each level's cells against B×h×w classes, 0 for background."""
    weight = torch.ones(1 + len(COCO_80))
    weight[0] = BACKGROUND
    levels = []
    for stride, level in zip(STRIDES, features.values()):
        target = classes[:, ::stride, ::stride]  # a cell is centred on pixel stride·i
        levels.append(F.cross_entropy(classify(level), target, weight))
    return torch.stack(levels).mean()


def choose_threshold(network: MiniNetwork, count: int) -> float:
    """The score threshold with the best F2 of boxes at IoU 0.5 on `count` val scenes.

    F2, where a miss weighs more than a false box: Select may pass over a candidate, but cannot
    choose what is not there.
    """
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

    def f2(threshold: float) -> float:
        hits = [hit for score, hit in rows if score > threshold]
        return 5 * sum(hits) / max(1, len(hits) + 4 * total)

    return max((t / 20 for t in range(2, 19)), key=f2)
