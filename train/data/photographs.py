"""Photographs with expressions, as two folders of JSON have them: for measuring real networks.

- `photos:FOLDER`: `photos.json`, a list of pictures `file` with `objects` (`expression`, `box`).
- `coco62:FOLDER`: `coco62.jsonl`, a picture `image` a line with `instances` (`name`, `poly`, `box`)
  and `objects` (`object`, the index of an instance, and `expressions`).

Boxes and polygons are shares of width and height.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from train.data import Picture, Referred
from train.data.masks import decode_segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Photographs:
    """The pictures of such a folder.

    Args:
        kind: "photos" or "coco62".
        folder: where the list and the pictures are.

    Raises:
        InputError: no such list, or one of another form.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        path = folder / ("photos.json" if kind == "photos" else "coco62.jsonl")
        try:
            content = path.read_bytes()
            if kind == "photos":
                rows = json.loads(content)
            else:
                rows = [json.loads(line) for line in content.splitlines() if line.strip()]
            self.rows: list[dict[str, Any]] = [
                {"image": row.get("file") or row["image"], **row} for row in rows
            ]
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: expected a list of photographs, got: {error}") from error
        self.name = f"{kind}-{sha256(content).hexdigest()[:12]}"

    def __len__(self) -> int:
        return len(self.rows)

    def picture_name(self, index: int) -> str:
        return Path(self.rows[index]["image"]).stem

    def __getitem__(self, index: int) -> Picture:
        from ssc.images import load_image

        row = self.rows[index]
        upright = self.kind == "photos"  # coco62 is COCO's, which has its pictures as stored
        image = load_image(self.folder / row["image"], upright=upright)
        h, w = image.shape[:2]
        if self.kind == "photos":
            objects = tuple(
                Referred(str(k), (entry["expression"],), box=_pixels(entry["box"], w, h))
                for k, entry in enumerate(row["objects"])
            )
            return Picture(self.picture_name(index), image, objects)
        masks = [_mask(instance["poly"], h, w) for instance in row["instances"]]
        objects = tuple(
            Referred(
                str(k),
                tuple(entry["expressions"]),
                masks[entry["object"]],
                tuple(map(_kind, entry["expressions"])),
                _pixels(row["instances"][entry["object"]]["box"], w, h),
            )
            for k, entry in enumerate(row["objects"])
        )
        instances = np.array(masks, np.bool_).reshape(-1, h, w)
        names = tuple(instance["name"] for instance in row["instances"])
        return Picture(self.picture_name(index), image, objects, instances, names)

    def files(self) -> Iterator[Path]:
        return (self.folder / row["image"] for row in self.rows)


def _pixels(box: Sequence[float], width: int, height: int) -> NDArray[np.float32]:
    return np.array(box, np.float32) * np.array([width, height] * 2, np.float32)


def _mask(polygons: Any, height: int, width: int) -> NDArray[np.bool_]:
    """bool H×W of one polygon x, y, x, y, …, or a list of them, in shares."""
    parts = polygons if polygons and isinstance(polygons[0], list) else [polygons]
    scale = np.array([width, height], np.float64)
    pixels = [(np.reshape(part, (-1, 2)) * scale).ravel().tolist() for part in parts]
    return decode_segmentation(pixels, height, width)


def _kind(expression: str) -> str:
    """What an expression names beside its class: a size, a place, or nothing."""
    words = set(expression.lower().split())
    if words & {"biggest", "smallest", "largest", "big", "small"}:
        return "size"
    if words & {"left", "right", "top", "bottom", "middle", "first", "second", "third", "from"}:
        return "place"
    return "name"
