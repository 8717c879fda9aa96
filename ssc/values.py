"""What all value objects share: arrays that cannot be written through, equality, pictures."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.draw import SCREEN, colour_of, draw_mask
from ssc.errors import OptionError, PictureError
from ssc.formats import png
from ssc.images import load_image
from ssc.writing import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ssc.images import PictureLike


class Value:
    """A frozen dataclass whose arrays are read-only views, and which equals what holds the same.

    A subclass that checks itself calls `super().__post_init__()`.
    """

    def __post_init__(self) -> None:
        for own in fields(self):  # type: ignore[arg-type]  # of the dataclass that this becomes
            value = getattr(self, own.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, own.name, _read_only(value))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickled arrays can be written to, until here."""
        self.__dict__.update(state)
        Value.__post_init__(self)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        parts = fields(self)  # type: ignore[arg-type]  # likewise
        compared = (own.name for own in parts if own.compare)
        return all(_same(getattr(self, name), getattr(other, name)) for name in compared)

    __hash__ = None  # type: ignore[assignment]  # as arrays have none


class Masked(Value):
    """A value with a mask: it can be saved, and laid over the picture.

    Attributes:
        mask: bool H×W.
        index: of the candidate whose colour it has, -1 for none.
        image: RGB uint8 H×W×3 that it was found in; None where it is not known.
    """

    mask: NDArray[np.bool_]
    index: int
    image: NDArray[np.uint8] | None = None

    def save(self, path: str | Path) -> Path:
        """Writes the mask as a PNG of 8 bits, 0 or 255, in one step; returns the path.

        Raises:
            OptionError: the name of another format.
            OSError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise OptionError(
                f"{path}: expected a name that ends in .png; other formats lose edges"
            )
        write_whole(path, png(self.mask.astype(np.uint8) * 255))
        return path

    def overlay(self, picture: PictureLike | None = None) -> Image.Image:
        """The picture with the mask tinted and outlined, the rest dimmed, as a PIL image.

        Args:
            picture: anything that `ssc.load_image` opens; by default the one that the mask was
                found in.

        Raises:
            PictureError: it cannot be opened, is of another size, or is not known.
        """
        from PIL import Image

        return Image.fromarray(draw_mask(self._on(picture), self.mask, color=colour_of(self.index)))

    def _on(self, picture: PictureLike | None) -> NDArray[np.uint8]:
        return canvas(picture, self.image, self.mask.shape)

    def _repr_png_(self) -> bytes:
        """For notebooks: the overlay, or the mask alone where the picture is not known."""
        return thumbnail(self.mask if self.image is None else np.array(self.overlay()))


def canvas(
    picture: PictureLike | None, own: NDArray[np.uint8] | None, frame: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The picture to draw on, RGB uint8 H×W×3: the one given, else the one known.

    Raises:
        PictureError: neither is there, or it is not of `frame`, (H, W).
    """
    if picture is None and own is None:
        raise PictureError("overlay: expected a picture to draw on, got none; give its path")
    image = own if picture is None else load_image(picture)
    assert image is not None
    if image.shape[:2] != frame:
        expected, got = (f"{width}×{height}" for height, width in (frame, image.shape[:2]))
        raise PictureError(
            f"overlay: expected the picture of {expected} pixels that was asked about, got {got}"
        )
    return image


def thumbnail(pixels: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """A PNG of a mask or picture for a screen, `SCREEN` pixels long at most."""
    from PIL import Image

    shown = pixels.astype(np.uint8) * 255 if pixels.dtype == np.bool_ else pixels
    image = Image.fromarray(shown)
    image.thumbnail((SCREEN, SCREEN))
    return png(np.array(image))


def share(mask: NDArray[np.bool_]) -> str:
    """A mask in words: "4.2 % of 320×240"."""
    height, width = mask.shape
    return f"{100 * mask.mean():.1f} % of {width}×{height}" if mask.size else "0×0"


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(type(one) is type(other) and one == other)
