"""Classes that are easily taken for each other: where one is not found, the next is looked at.

Not in the paper. Groups within COCO's supercategories (Lin et al. 2014), and the toy of an animal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssc.segment.detect import Boxes

GROUPS = (
    "bicycle motorcycle",
    "car truck bus",
    "bus train",
    "bear, teddy bear",
    "cat dog",
    "dog bear",
    "horse cow",
    "cow sheep",
    "horse zebra",
    "chair couch",
    "couch bed",
    "chair bench",
    "tv laptop",
    "laptop keyboard",
    "remote, cell phone",
    "cup, wine glass",
    "cup bowl vase",
    "bottle vase",
    "vase, potted plant",
    "fork knife spoon",
    "handbag backpack suitcase",
    "skis snowboard",
    "snowboard skateboard surfboard",
    "oven microwave",
    "oven toaster",
    "donut cake",
    "sandwich, hot dog, pizza",
    "apple orange",
    "frisbee, sports ball",
)
"""Commas part the classes of a group where one of them has two words."""

_SETS = tuple(
    frozenset(name.strip() for name in group.split("," if "," in group else None))
    for group in GROUPS
)


def neighbours(names: Iterable[str]) -> frozenset[str]:
    """The classes next to any of `names`, without these themselves."""
    classes = frozenset(names)
    return frozenset().union(*(group for group in _SETS if group & classes)) - classes


def of_neighbours(present: Boxes, targets: Iterable[str]) -> Boxes:
    """What is there of the classes next to `targets`, of which nothing is; not in the paper."""
    near = neighbours(targets)
    boxes, scores, labels = present
    keep = [k for k, label in enumerate(labels) if label in near]
    return boxes[keep], scores[keep], tuple(labels[k] for k in keep)
