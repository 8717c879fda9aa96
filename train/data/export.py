"""Writes pictures as a JSONL data set with PNGs beside it, as `train.data.files` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ssc.writing import make_folder, write_whole, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.data import Picture


def export(pictures: Iterable[Picture], file: Path, masks: bool = False) -> Path:
    """Writes `file` and, in its folder, `STEM-000000.png`, … for pictures and masks.

    The file comes last: where it is, all that it names is there.

    Args:
        pictures: read one at a time.
        file: .jsonl; its folder is made where missing.
        masks: with the true masks of the objects, where they have one.
    """
    make_folder(file.parent)
    with written(file) as beside, beside.open("w", encoding="utf-8") as lines:
        for number, picture in enumerate(pictures):
            stem = f"{file.stem}-{number:06d}"
            _write(file.parent / f"{stem}.png", picture.image[..., ::-1])  # OpenCV's order
            objects = []
            for k, referent in enumerate(picture.objects):
                row: dict[str, Any] = {"name": referent.name, "expressions": referent.expressions}
                if referent.kinds:
                    row["kinds"] = referent.kinds
                if masks and referent.mask is not None:
                    row["mask"] = f"{stem}-{k}.png"
                    _write(file.parent / row["mask"], referent.mask.astype(np.uint8) * 255)
                objects.append(row)
            row = {"image": f"{stem}.png", "name": picture.name, "objects": objects}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return file


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    write_whole(path, cv2.imencode(".png", pixels)[1].tobytes())
