"""How well a detector and a segmenter find the instances of a data set, apart from any words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import InputError
from ssc.metrics import mask_box, mask_iou, pairwise_box_iou
from ssc.segment.detect import known_classes, with_thresholds

if TYPE_CHECKING:
    from ssc.segment.detect import Detector
    from ssc.segment.masks import Segmenter
    from train.data import Dataset

MATCHED = 0.5  # IoU from which a box is the instance's


def measure(
    detector: Detector, segmenter: Segmenter, data: Dataset, pictures: int | None = None
) -> dict[str, float]:
    """Boxes and masks against the truth, of pictures whose instances and their classes are known.

    Args:
        detector: of a closed vocabulary, with a threshold.
        pictures: how many, from the first on; None for all.

    Returns:
        "AP50": area under the interpolated precision–recall curve of all boxes, whatever their
        score, mean over the classes that occur. "recall": share of the instances that have a box,
        at the detector's own threshold, when their class is asked for. "mask IoU in true boxes":
        mean over the instances. A box is an instance's from an IoU of 0.5. {} where no picture's
        instances are known.
    """
    classes = known_classes(detector) or ()
    hits_of: dict[str, list[tuple[float, bool]]] = {}
    total: dict[str, int] = {}
    recalled: list[bool] = []
    ious: list[float] = []
    for index in range(len(data) if pictures is None else min(pictures, len(data))):
        try:
            picture = data[index]
        except (InputError, OSError):  # named where expressions are counted
            continue
        if picture.instances is None or not picture.names:
            continue
        truths = np.array([mask_box(mask) for mask in picture.instances], np.float32).reshape(-1, 4)
        names = np.array(picture.names)
        everything = with_thresholds(detector, box_threshold=0.0)
        boxes, scores, labels = everything.detect(picture.image, classes)
        for name in set(labels) | set(picture.names):
            mine, own = np.array(labels) == name, truths[names == name]
            total[name] = total.get(name, 0) + len(own)
            overlaps = pairwise_box_iou(boxes[mine], own)
            hits_of.setdefault(name, []).extend(zip(scores[mine].tolist(), claim(overlaps)))
            if len(own):
                proposals = detector.detect(picture.image, [name])[0]
                overlaps = pairwise_box_iou(proposals, own)
                recalled += (overlaps.max(axis=0, initial=0) >= MATCHED).tolist()
        masks, _ = segmenter.segment(picture.image, truths)
        ious += [mask_iou(mask, truth) for mask, truth in zip(masks, picture.instances)]
    if not recalled:
        return {}
    aps = [average_precision(hits_of[name], count) for name, count in total.items() if count]
    return {
        "AP50": float(np.mean(aps)),
        "recall": float(np.mean(recalled)),
        "mask IoU in true boxes": float(np.mean(ious)),
    }


def claim(overlaps: np.ndarray) -> list[bool]:
    """Whether each of N boxes, best score first, is one of M truths that no earlier box has.

    Args:
        overlaps: IoU of each box with each truth, N×M.
    """
    free = np.ones(overlaps.shape[1], bool)
    hits = []
    for row in overlaps:
        best = int((row * free).argmax()) if free.any() else -1
        hits.append(best >= 0 and bool(free[best] and row[best] >= MATCHED))
        if hits[-1]:
            free[best] = False
    return hits


def average_precision(detections: list[tuple[float, bool]], total: int) -> float:
    """Area under the precision–recall curve, precision made monotone as PASCAL VOC 2010 does.

    Args:
        detections: score of each box, and whether it is an instance.
        total: how many instances there are.
    """
    hits = np.array([hit for _, hit in sorted(detections, key=lambda row: -row[0])], bool)
    if not len(hits):
        return 0.0
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[hits].sum() / total)
