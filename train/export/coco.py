"""COCO instances with captions, REFER's refs and gRefCOCO's, over the same instances."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssc.formats import png, rle
from ssc.metrics import mask_box
from ssc.writing import make_folder, write_whole
from train.export.items import Item, Page

IMAGES = "images/mscoco/images/train2014"  # where REFER looks for pictures, beside its folder


class Instances:
    """COCO's three lists, filled picture by picture."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.categories: dict[str, int] = {}

    def add_picture(self, page: Page, file: str) -> int:
        """Its id."""
        height, width = page.image.shape[:2]
        number = len(self.images) + 1
        size = {"height": height, "width": width}
        self.images.append({"id": number, "file_name": file, **size, "name": page.name})
        return number

    def add_mask(self, picture: int, mask: Any, item: Item) -> dict[str, Any]:
        """The annotation of one mask; its RLE is exact."""
        x0, y0, x1, y1 = (float(v) for v in mask_box(mask))
        row = {
            "id": len(self.annotations) + 1,
            "image_id": picture,
            "category_id": self.categories.setdefault(item.label, len(self.categories) + 1),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": int(mask.sum()),
            "segmentation": rle(mask),
            "iscrowd": 0,
        }
        self.annotations.append(row)
        return row

    def document(self) -> bytes:
        rows = [
            {"id": k, "name": name, "supercategory": name} for name, k in self.categories.items()
        ]
        lists = {"images": self.images, "annotations": self.annotations, "categories": rows}
        return (json.dumps({"info": {}, "licenses": [], **lists}) + "\n").encode()


def write_coco(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """`annotations.json` and `images/`: an annotation for each object, the union of its masks.

    Its expressions are its `captions`, a key that COCO's tools leave alone. One that means nothing
    has no annotation.

    Returns:
        What is left out, in words.
    """
    instances, empty = Instances(), 0
    make_folder(out / "images")
    for page in pages:
        file = f"{len(instances.images) + 1:06d}.png"
        write_whole(out / "images" / file, png(page.image))
        picture = instances.add_picture(page, file)
        for item in page.items:
            if not len(item.masks):
                empty += 1
                continue
            row = instances.add_mask(picture, item.union, item)
            row |= {"captions": list(item.expressions), "object": item.name}
    write_whole(out / "annotations.json", instances.document())
    return [f"{empty} objects that mean nothing"] if empty else []


def write_refcoco(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """`refcoco/refs(ssc).p` and `instances.json` as REFER publishes them; reads as
    `refer:OUT/refcoco:ssc:SPLIT`.

    A ref means one thing: one that means nothing is left out, and several are one annotation.
    """
    instances, refs, empty = Instances(), list[dict[str, Any]](), 0
    _make_folders(folder := out / "refcoco")
    for page in pages:
        picture, file = _add(instances, page, out)
        for item in page.items:
            if not len(item.masks):
                empty += 1
                continue
            row = instances.add_mask(picture, item.union, item)
            ids = {"ann_id": row["id"], "category_id": row["category_id"]}
            refs.append(_ref(refs, picture, file, split, item) | ids)
    write_whole(folder / "instances.json", instances.document())
    # Plain containers alone, of the protocol that REFER's own readers take.
    write_whole(folder / "refs(ssc).p", pickle.dumps(refs, protocol=2))
    return [f"{empty} objects that mean nothing, which gRefCOCO has"] if empty else []


def write_grefcoco(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """`grefcoco/grefs(ssc).json` and `instances.json`: `ann_id` is a list, [-1] for nothing."""
    instances, refs = Instances(), list[dict[str, Any]]()
    _make_folders(folder := out / "grefcoco")
    for page in pages:
        picture, file = _add(instances, page, out)
        for item in page.items:
            rows = [instances.add_mask(picture, mask, item) for mask in item.masks]
            ids = {
                "ann_id": [row["id"] for row in rows] or [-1],
                "category_id": [row["category_id"] for row in rows] or [-1],
                "no_target": not rows,
            }
            refs.append(_ref(refs, picture, file, split, item) | ids)
    write_whole(folder / "instances.json", instances.document())
    write_whole(folder / "grefs(ssc).json", (json.dumps(refs) + "\n").encode())
    return []


def _make_folders(folder: Path) -> None:
    make_folder(folder)
    make_folder(folder.parent / IMAGES)


def _add(instances: Instances, page: Page, out: Path) -> tuple[int, str]:
    """Id and file of a picture."""
    file = f"COCO_train2014_{len(instances.images) + 1:012d}.png"
    write_whole(out / IMAGES / file, png(page.image))
    return instances.add_picture(page, file), file


def _ref(
    refs: list[dict[str, Any]], picture: int, file: str, split: str, item: Item
) -> dict[str, Any]:
    number = len(refs) + 1
    first = refs[-1]["sent_ids"][-1] + 1 if refs else 1
    sentences = [
        {"sent_id": first + k, "sent": text, "raw": text, "tokens": text.split()}
        for k, text in enumerate(item.expressions)
    ]
    stem = file.removesuffix(".png")
    return {
        "ref_id": number,
        "image_id": picture,
        "split": split,
        "file_name": f"{stem}_{number}.png",
        "sent_ids": [sentence["sent_id"] for sentence in sentences],
        "sentences": sentences,
    }
