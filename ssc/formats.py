"""Masks and pictures as others take them: PNG, COCO, supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import ResourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray


FAST = 1
"""Level of a PNG's compression, of 9: the others take several times as long for little less."""
QUALITY = 90
"""Of a JPEG, of 100."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8 H×W (grey), H×W×3 (RGB) or H×W×4 (RGBA)."""
    import cv2

    return _encoded(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, FAST])


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A JPEG file of RGB uint8 H×W×3."""
    import cv2

    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    """By OpenCV, which takes a third of PIL's time and lets other threads run; it wants BGR."""
    import cv2

    if pixels.ndim == 3:
        code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = cv2.cvtColor(pixels, code)
    _, data = cv2.imencode(suffix, pixels, options)
    return bytes(data)


def rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's run-length encoding of bool H×W: `size`, and `counts` as text."""
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def coco_instances(
    masks: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: Sequence[str],
) -> dict[str, Any]:
    """A COCO instance file of one picture, as `pycocotools.coco.COCO` reads it.

    Args:
        masks: bool N×H×W.
        boxes: float32 N×4, XYXY pixels.
        scores: float32 N.
        labels: N class names; the categories are the distinct ones, numbered from 1.

    Returns:
        {"images", "annotations", "categories"} in types that JSON has; boxes are XYWH, masks RLE.
    """
    height, width = masks.shape[1:]
    category = {name: k for k, name in enumerate(dict.fromkeys(labels), 1)}
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": category[label],
            "bbox": [float(v) for v in (x0, y0, x1 - x0, y1 - y0)],
            "area": int(mask.sum()),
            "segmentation": rle(mask),
            "iscrowd": 0,
            "score": float(score),
        }
        for number, (mask, (x0, y0, x1, y1), score, label) in enumerate(
            zip(masks, boxes, scores, labels), 1
        )
    ]
    return {
        "images": [{"id": 1, "height": height, "width": width}],
        "annotations": annotations,
        "categories": [{"id": k, "name": name} for name, k in category.items()],
    }


def detections(
    masks: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: Sequence[str],
) -> Any:
    """`supervision.Detections` of the same; class k is the k-th distinct label, from 0.

    Raises:
        ResourceError: supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise ResourceError(
            f"to_detections: expected the package supervision, got none ({error}): "
            "pip install supervision"
        ) from error
    number = {name: k for k, name in enumerate(dict.fromkeys(labels))}
    arguments: dict[str, Any] = {
        "xyxy": np.array(boxes),
        "mask": np.array(masks),
        "confidence": np.array(scores),
        "class_id": np.array([number[label] for label in labels], int),
    }
    if "data" in Detections.__dataclass_fields__:  # older versions have no names of classes
        arguments["data"] = {"class_name": np.array(labels, dtype=str)}
    return Detections(**arguments)
