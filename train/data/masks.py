"""True masks: pictures of them and COCO's segmentations → bool; damaged ones raise an error.

A picture of a mask is no photograph: it is read in its own mode and depth, as it is stored. The
object is where it is opaque and not zero:

    1, grey, 8 to 32 bit, float   other than 0
    palette                       index other than 0, and other than the transparent colour's
    RGB, CMYK                     other than black
    with alpha                    the same, where alpha is a half or more; of a cut-out, a picture
                                  in many colours, alpha alone decides
    JPEG and other lossy ones     a half of white or more, with a warning

EXIF orientation is never applied: a mask is of its picture's frame, which the data set's reader
decides (`train.data`).
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.images import open_stored
from train.data.notes import say_once

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_CODE = re.compile(r"[0-o]*[0-O]|")
"""COCO's run lengths as text: six bits a character, the last of each number without its sixth."""

LOSSY = {"JPEG", "MPO", "JPEG2000", "AVIF", "WEBP"}  # WebP has a lossless form too
HALF = 128
MANY = 16  # colours: of more, what is not transparent is a photograph's


def read_mask(
    path: Path, height: int, width: int, content: bytes | None = None
) -> NDArray[np.bool_]:
    """A picture of a mask → bool height×width; see the top of this file for what is the object.

    Args:
        content: the file's bytes where they are not at `path`, which then is for messages.

    Raises:
        PictureError: no such file, damaged, or no picture.
        InputError: of another size than its picture, without any pixel of the object, or of a mode
            in which black is unknown.
    """
    with open_stored(path, content) as image:
        if image.size != (width, height):
            turned = "; it is of the other orientation: masks are never turned by EXIF"
            raise InputError(
                f"{path}: expected a mask of {width}×{height} pixels as the picture, got "
                f"{image.size[0]}×{image.size[1]}"
                + (turned if image.size == (height, width) else "")
            )
        lossy = image.format in LOSSY and not _is_lossless_webp(path, image, content)
        truth = _marked(image, path, lossy, _deep(image, path, content))
    if not truth.any():
        hint = "; save it as PNG, as JPEG loses labels" if lossy else ""
        raise InputError(f"{path}: expected some pixels of the object, got none{hint}")
    return truth


def _is_lossless_webp(path: Path, image: Image.Image, content: bytes | None) -> bool:
    if image.format != "WEBP":
        return False
    with BytesIO(content) if content is not None else path.open("rb") as file:
        return b"VP8L" in file.read(64)  # of the first chunk, or the one after VP8X


def _deep(image: Image.Image, path: Path, content: bytes | None) -> NDArray[np.uint16] | None:
    """Colours of 16 bits, uint16 H×W×C, of which Pillow keeps the upper 8; None of other pictures.

    Of labels, which are small numbers, nothing would be left.
    """
    import cv2

    if image.mode not in ("RGB", "RGBA") or image.format not in ("PNG", "TIFF"):
        return None
    stored = content if content is not None else path.read_bytes()
    if image.format == "PNG" and stored[24] != 16:  # the depth, of its first chunk
        return None
    pixels = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_UNCHANGED)
    whole = pixels is not None and pixels.dtype == np.uint16 and pixels.ndim == 3
    return pixels if whole and pixels.shape[2] == len(image.getbands()) else None


def _marked(
    image: Image.Image, path: Path, lossy: bool, deep: NDArray[np.uint16] | None
) -> NDArray[np.bool_]:
    """bool H×W, where the object is.

    Args:
        deep: its pixels where Pillow has not all their bits.
    """
    transparency, solid = image.info.get("transparency"), _opaque(image)
    if image.mode in ("P", "PA"):
        indices = np.asarray(image if image.mode == "P" else image.getchannel(0))
        mask = _named(indices, image) & solid
        if isinstance(transparency, bytes):  # an opacity for each colour
            opacity = np.full(256, 255, np.uint8)
            opacity[: len(transparency)] = list(transparency)
            return mask & (opacity[indices] >= HALF)
        return mask if transparency is None else mask & (indices != transparency)
    if image.mode == "LAB":
        raise InputError(f"{path}: expected a mask in grey or RGB, got one in LAB; convert it")
    if image.mode in ("CMYK", "YCbCr"):
        image = image.convert("RGB")
    pixels = np.asarray(image) if deep is None else deep
    pixels = pixels.reshape(*pixels.shape[:2], -1)  # H×W → H×W×1
    colours = pixels[..., :-1] if image.mode in ("LA", "La", "RGBA", "RGBa") else pixels
    if colours.dtype.kind == "f" and not np.isfinite(colours).all():
        raise InputError(f"{path}: expected numbers, got NaN or infinity")
    if not solid.all() and len(np.unique(colours[solid], axis=0)) > MANY:
        return solid
    if transparency is not None:
        solid = solid & (colours != np.array(transparency)).any(axis=2)
    if not lossy:
        return colours.any(axis=2) & solid
    if not np.isin(colours, (0, 255)).all():
        say_once(
            f"{path}: a mask in a lossy format, {image.format or 'JPEG'}: a half of white or more "
            "is taken for the object; PNG keeps masks as they are",
            "lossy masks",
        )
    return (colours.max(axis=2) >= HALF) & solid


def _named(indices: NDArray[np.uint8], image: Image.Image) -> NDArray[np.bool_]:
    """bool H×W of a palette's indices: not background, which is index 0.

    Of two colours, black is the background: quantising sorts them by how often they come.
    """
    used = np.unique(indices)
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    black = [k for k in used.tolist() if k < len(palette) and not palette[k].any()]
    if len(used) == 2 and used[0] == 0 and black == [int(used[1])]:
        return indices == 0
    return indices != 0


def _opaque(image: Image.Image) -> NDArray[np.bool_]:
    """bool H×W, where alpha is a half or more; everywhere without alpha."""
    if "A" in image.getbands() or "a" in image.getbands():
        return np.asarray(image)[..., -1] >= HALF
    return np.ones((image.height, image.width), np.bool_)


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
