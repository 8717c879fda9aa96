"""The forms of export by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from train.export.coco import write_coco, write_grefcoco, write_refcoco
from train.export.items import Page
from train.export.others import write_labelme, write_masks, write_yolo

FORMATS: dict[str, Callable[[Iterable[Page], Path, str], list[str]]] = {
    "coco": write_coco,
    "refcoco": write_refcoco,
    "grefcoco": write_grefcoco,
    "yolo": write_yolo,
    "labelme": write_labelme,
    "masks": write_masks,
}
"""Name → writer of pages to a folder as a split; it returns what it leaves out, in words."""

TITLES = {
    "coco": "COCO",
    "refcoco": "RefCOCO",
    "grefcoco": "gRefCOCO",
    "yolo": "YOLO-seg",
    "labelme": "labelme",
    "masks": "PNG masks, JSONL",
}
"""Name → what pages call it."""
