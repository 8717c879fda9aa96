"""Arrays of numbers as the pixels of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import PictureError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_uint8(array: NDArray, name: str) -> NDArray[np.uint8]:
    """An array's values brought to 0–255; see `ssc.images.load_image` for the ranges taken."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "buif":
        raise PictureError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
    low, high = float(array.min()), float(array.max())
    is_float = array.dtype.kind == "f"
    most = 255 if is_float else 65535
    if not (low >= 0 and high <= most):  # also where a value is NaN
        ranges = "0–1 or 0–255" if is_float else "0–255 or 0–65535"
        raise PictureError(
            f"{name}: expected {array.dtype} values in {ranges}, got {low:g} to {high:g}; "
            "rescale them"
        )
    if array.dtype.str[1:] == "u2" or high > 255:
        white = 65535.0
    else:
        white = 1.0 if array.dtype.kind == "b" or (is_float and high <= 1) else 255.0
    return np.rint(array.astype(np.float32) * (255.0 / white)).astype(np.uint8)
