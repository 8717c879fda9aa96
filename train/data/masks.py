"""COCO's segmentations → bool masks; damaged ones raise an error and are not decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CODE = re.compile(r"[0-o]*[0-O]|")
"""COCO's run lengths as text: six bits a character, the last of each number without its sixth."""


def decode_segmentation(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """A COCO segmentation → bool height×width.

    Args:
        segmentation: polygons, each a sequence of x, y, x, y, …, pixels, or a run-length code
            {"size": [height, width], "counts": text or list of numbers}.

    Raises:
        InputError: neither of them, damaged, or of another size.
    """
    from pycocotools import mask as coco

    if isinstance(segmentation, dict):
        code = _checked(segmentation, height, width)
    elif isinstance(segmentation, (list, tuple)):
        polygons = [[float(v) for v in polygon] for polygon in segmentation]
        if not polygons or any(len(p) < 6 or len(p) % 2 for p in polygons):
            raise InputError("mask: expected polygons of three points or more, got less")
        code = coco.merge(coco.frPyObjects(polygons, height, width))
    else:
        raise InputError(
            f"mask: expected polygons or a run-length code, got {type(segmentation).__name__}"
        )
    try:
        return coco.decode(code).astype(np.bool_)
    except ValueError as error:
        raise InputError(f"mask: expected a run-length code, got a damaged one: {error}") from error


def _checked(segmentation: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    """A run-length code that pycocotools decodes without reading past its end."""
    from pycocotools import mask as coco

    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not (isinstance(size, (list, tuple)) and list(size) == [height, width]):
        raise InputError(f"mask: expected size [{height}, {width}] as the picture, got {size}")
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str) and _CODE.fullmatch(counts):
        return {"size": [height, width], "counts": counts.encode()}
    if isinstance(counts, list) and all(type(n) is int and n >= 0 for n in counts):
        if sum(counts) == height * width:
            return coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        raise InputError(f"mask: expected counts of {height * width} pixels, got {sum(counts)}")
    raise InputError("mask: expected counts as COCO writes them, got others")
