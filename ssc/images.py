"""Any picture a user has → RGB uint8 H×W×3."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from glob import glob
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ssc.arrays import to_uint8
from ssc.errors import PictureError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL import Image

    PictureLike: TypeAlias = str | Path | bytes | Image.Image | NDArray[Any]

MAX_PIXELS = 40_000_000
"""Most pixels of an image taken; the header is asked before anything is decoded."""

FORMATS = "PNG JPEG MPO WEBP GIF BMP TIFF PPM JPEG2000 AVIF"
"""File formats taken; PIL's others run outside programs (EPS) or match almost any file (TGA)."""

_EXPECTED = "expected a picture (PNG, JPEG, WebP, GIF, BMP or TIFF)"
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError),
    *(ArithmeticError, struct.error),
)
"""What PIL's decoders raise on damaged data."""

NAMED = 10  # files, in a message about several
_WARNINGS = Lock()
"""Held while PIL's warnings are muted, as the filters that mute them belong to all threads."""


@cache
def suffixes() -> frozenset[str]:
    """How the names of files end that hold `FORMATS`, in lower case: a folder's pictures."""
    from PIL import Image

    Image.init()
    extensions = Image.registered_extensions().items()
    return frozenset(
        end for end, name in extensions if name in FORMATS.split() and name in Image.OPEN
    )


def load_image(source: PictureLike, *, upright: bool = True) -> NDArray[np.uint8]:
    """Opens a picture as the pipeline takes it.

    Files are turned as their EXIF orientation says; of an animation the first frame is taken;
    transparency is laid on white; values of more than 8 bits are scaled, not cut off.

    Args:
        source: file name, the bytes of a file, a PIL image, or an array H×W, H×W×1, H×W×3 (RGB)
            or H×W×4 (RGBA) of booleans, integers from 0 to 255 or to 65535, or floats from 0 to
            1 or to 255. An array's range is read off its type where that is uint8 or uint16,
            else off its highest value.
        upright: whether to turn a file as its EXIF orientation says; False keeps the frame that it
            is stored in, in which data sets such as COCO have their boxes and masks.

    Returns:
        RGB uint8 H×W×3, contiguous, in the frame that a viewer would show.

    Raises:
        PictureError: no such file, not a picture, damaged, over `MAX_PIXELS`, or an array of
            another shape, type or range; the message names the source and the remedy.

    >>> import ssc
    >>> ssc.load_image("assets/examples/faces.jpg").shape
    (480, 640, 3)
    """
    from PIL import Image

    with _quiet():
        if isinstance(source, (str, Path)):
            refuse_address(str(source))
            with _opened(Path(source)) as image:
                return _from_pil(image, str(source), upright)
        if isinstance(source, bytes):
            with _read(BytesIO(source), "image", len(source)) as image:
                return _from_pil(image, "image", upright)
        if isinstance(source, Image.Image):
            return _from_pil(source, "image", upright)
        if isinstance(source, np.ndarray):
            return _from_array(source)
    raise PictureError(
        "expected a file name, the bytes of a file, a PIL image or an array, "
        f"got {type(source).__name__}"
    )


def find_pictures(image: str) -> tuple[list[Path], list[Path]]:
    """The files that IMAGE names, sorted, and what in a folder is passed over, folders too.

    Raises:
        PictureError: there are none, or it is an address.
    """
    refuse_address(image)
    path = Path(image)
    others: list[Path] = []
    if path.is_dir():
        files = [p for p in path.iterdir() if not p.name.startswith(".")]
        pictures = [p for p in files if p.suffix.lower() in suffixes() and p.is_file()]
        others = sorted({*files} - {*pictures})
        expected = f"a folder with pictures ({' '.join(sorted(suffixes()))})"
    elif path.exists() or not any(sign in image for sign in "*?["):
        return [path], []
    else:
        pictures = [p for p in map(Path, glob(image, recursive=True)) if p.is_file()]
        expected = "a glob that matches pictures"
    if not pictures:
        got = f"no picture among {several(others)}" if others else "none"
        raise PictureError(f"{image}: expected {expected}, found {got}")
    return sorted(pictures), others


def several(paths: Sequence[Path]) -> str:
    """Their number, and the names of the first."""
    more = f" … and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    names = [path.name + "/" * path.is_dir() for path in paths]
    folders = sum(name.endswith("/") for name in names)
    counts = [f"{len(names) - folders} files"] if len(names) > folders else []
    counts += [f"{folders} folders"] if folders else []
    return f"{' and '.join(counts)}, {', '.join(names[:NAMED])}{more}"


def refuse_address(text: str) -> None:
    """Raises PictureError for an address in place of a file; to be asked before `Path` changes it.

    >>> from ssc.images import refuse_address
    >>> refuse_address("photo.jpg")
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise PictureError(f"{text}: {_EXPECTED}, got an address; download it first")


@contextmanager
def open_stored(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """A file's picture as it is stored, decoded: in its own mode, not turned.

    Args:
        content: the file's bytes where they are not at `path`, which then is for messages.

    Raises:
        PictureError: as `load_image`.
    """
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if content is None:
            image = stack.enter_context(_opened(path))
        else:
            image = stack.enter_context(_read(BytesIO(content), str(path), len(content)))
        _decode(image, str(path))
        yield image


@contextmanager
def _quiet() -> Iterator[None]:
    """Mutes PIL's warnings."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        if path.is_dir():
            raise PictureError(f"{path}: {_EXPECTED}, got a folder; name a file in it")
        if not path.exists():
            raise PictureError(f"{path}: {_EXPECTED}, got no such file; check the path")
        if not path.is_file():
            raise PictureError(
                f"{path}: {_EXPECTED}, got something that is no file; check the path"
            )
        file = path.open("rb")
    except OSError as error:
        reason = error.strerror or error
        raise PictureError(f"{path}: {_EXPECTED}, got: {reason}; check the path") from error
    with file, _read(file, str(path), path.stat().st_size) as image:
        yield image


def _read(file: IO[bytes], name: str, size: int) -> Image.Image:
    """The picture in an open file of `size` bytes; `name` is for messages."""
    from PIL import Image, UnidentifiedImageError

    if not size:
        raise PictureError(f"{name}: {_EXPECTED}, got an empty file; save or download it again")
    Image.init()
    try:
        return Image.open(file, formats=[f for f in FORMATS.split() if f in Image.OPEN])
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name}: {_EXPECTED}, got a file of another kind or a damaged one; "
            "convert it to PNG or JPEG"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(name, "far more")) from error
    except _DAMAGED as error:
        raise PictureError(_damaged(name, error)) from error


def _decode(image: Image.Image, name: str) -> None:
    """Decodes the pixels in place; the header is asked first for their number."""
    width, height = image.size
    if not width * height:
        raise PictureError(f"{name}: {_EXPECTED}, got one of {width}×{height} pixels")
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large(name, f"{width}×{height}"))
    try:
        image.load()
    except _DAMAGED as error:
        raise PictureError(_damaged(name, error)) from error


def _from_pil(image: Image.Image, name: str, upright: bool) -> NDArray[np.uint8]:
    from PIL import ImageOps

    _decode(image, name)
    if upright:
        with suppress(*_DAMAGED):  # the pixels are whole where EXIF is damaged
            image = ImageOps.exif_transpose(image)
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _from_array(np.asarray(image), name)
    try:
        return np.array(_opaque(image))
    except ValueError as error:
        raise PictureError(
            f"{name}: {_EXPECTED}, got one of mode {image.mode}; convert it to RGB"
        ) from error


def _opaque(image: Image.Image) -> Image.Image:
    """`image` in mode RGB, what is transparent in it laid on white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _from_array(array: NDArray, name: str = "image") -> NDArray[np.uint8]:
    from PIL import Image

    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in array.shape:
        raise PictureError(
            f"{name}: expected an array H×W, H×W×1, H×W×3 (RGB) or H×W×4 (RGBA), "
            f"got shape {array.shape}"
        )
    height, width = array.shape[:2]
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large(name, f"{width}×{height}"))
    pixels = to_uint8(array, name)
    if channels == 1:
        pixels = pixels.reshape(height, width)  # H×W×1 → H×W
    return np.array(_opaque(Image.fromarray(pixels)))


def _too_large(name: str, size: str) -> str:
    return (
        f"{name}: expected at most {MAX_PIXELS // 1_000_000} megapixels, got {size} pixels; "
        "make it smaller first"
    )


def _damaged(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"{name}: {_EXPECTED}, got a damaged or truncated one ({reason}); save or download it again"
    )
