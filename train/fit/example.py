"""A picture as training sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """A picture with the masks that each of its objects may be matched to.

    Attributes:
        name: of the picture.
        image: RGB uint8 h×w×3, at the model's size.
        expressions: of each of J objects.
        masks: bool C×h×w, all objects' masks, each once.
        allowed: bool J×C, whether a mask is one of the object's.
        chosen: int64 J, the object's mask in S2, or its true mask in a set made for `supervised`.
        fixed: bool J, whether a person chose it, in every matching too (`train.review`).
    """

    name: str
    image: NDArray[np.uint8]
    expressions: tuple[tuple[str, ...], ...]
    masks: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    chosen: NDArray[np.int64]
    fixed: NDArray[np.bool_]


def example_of(
    picture: dict[str, Any], image: NDArray[np.uint8], packed: NDArray[np.uint8]
) -> Example:
    """An example.

    Args:
        picture: its row, as `train.fit.rows` makes it.
        image: RGB uint8 h×w×3.
        packed: uint8 C×⌈hw/8⌉, the bits of its masks.
    """
    h, w = image.shape[:2]
    count = len(packed)
    bits = np.unpackbits(packed, axis=1, count=h * w)
    allowed = np.zeros((len(picture["objects"]), count), np.bool_)
    for row, entry in zip(allowed, picture["objects"]):
        row[entry["masks"]] = True
    return Example(
        picture["name"],
        image,
        tuple(tuple(entry["expressions"]) for entry in picture["objects"]),
        bits.reshape(count, h, w).astype(np.bool_),  # C×hw → C×h×w
        allowed,
        np.array([entry["chosen"] for entry in picture["objects"]], np.int64),
        np.array([entry.get("fixed", False) for entry in picture["objects"]], np.bool_),
    )
