"""YOLO-seg, labelme, and our own JSONL with PNG masks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ssc.formats import png
from ssc.writing import make_folder, write_whole
from train.data import Picture, Referred
from train.data.export import export
from train.data.outlines import outline
from train.export.items import Page


def write_yolo(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """`images/SPLIT`, `labels/SPLIT` and `data.yaml`: a line for each mask.

    It has the class, and the polygon in shares of the picture. YOLO has no expressions:
    `expressions.jsonl` has them, line by line.
    """
    images, labels = out / "images" / split, out / "labels" / split
    make_folder(images)
    make_folder(labels)
    names: dict[str, int] = {}
    rows, empty = list[str](), 0
    for number, page in enumerate(pages, 1):
        height, width = page.image.shape[:2]
        lines = []
        for item in page.items:
            empty += not len(item.masks)
            for mask in item.masks:
                kind = names.setdefault(item.label, len(names))
                shares = (outline(mask) / (width, height)).reshape(-1)
                lines.append(" ".join([str(kind), *(f"{share:.6f}" for share in shares)]))
                row = {"file": f"{number:06d}", "line": len(lines), "expressions": item.expressions}
                rows.append(json.dumps(row, ensure_ascii=False))
        write_whole(images / f"{number:06d}.png", png(page.image))
        write_whole(labels / f"{number:06d}.txt", "".join(f"{line}\n" for line in lines).encode())
    table = "".join(f"  {k}: {json.dumps(name)}\n" for name, k in names.items())
    head = f"path: .\n{split}: images/{split}\n"
    head += f"val: images/{split}\n" if split == "train" else f"train: images/{split}\n"
    write_whole(out / "data.yaml", f"{head}nc: {len(names)}\nnames:\n{table}".encode())
    write_whole(out / "expressions.jsonl", "".join(f"{line}\n" for line in rows).encode())
    return [f"{empty} objects that mean nothing"] if empty else []


def write_labelme(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """A picture and its JSON beside it: a polygon for each mask, those of an object in one group.

    `label` is the class, `description` the expressions, joined by " | ".
    """
    make_folder(out)
    empty = 0
    for number, page in enumerate(pages, 1):
        height, width = page.image.shape[:2]
        shapes = []
        for group, item in enumerate(page.items):
            empty += not len(item.masks)
            shapes += [
                {
                    "label": item.label,
                    "points": outline(mask).tolist(),
                    "group_id": group,
                    "description": " | ".join(item.expressions),
                    "shape_type": "polygon",
                    "flags": {},
                }
                for mask in item.masks
            ]
        document = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{number:06d}.png",
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_whole(out / f"{number:06d}.png", png(page.image))
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        write_whole(out / f"{number:06d}.json", text.encode("utf-8", "backslashreplace"))
    return [f"{empty} objects that mean nothing"] if empty else []


def write_masks(pages: Iterable[Page], out: Path, split: str) -> list[str]:
    """`SPLIT.jsonl` with PNGs beside it, the form of `train.data.files`: `--data` reads it."""
    empty = 0

    def pictures() -> Iterator[Picture]:
        nonlocal empty
        for page in pages:
            own = tuple(
                Referred(item.name, item.expressions, item.union)
                for item in page.items
                if len(item.masks)
            )
            empty += len(page.items) - len(own)
            if own:
                yield Picture(page.name, page.image, own)

    export(pictures(), out / f"{split}.jsonl", masks=True)
    return [f"{empty} objects that mean nothing"] if empty else []
