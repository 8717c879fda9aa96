"""The zero-shot choice (paper §3.2, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def argmax_choice(scores: NDArray[np.float32]) -> int:
    """Index of the highest of the float32 N scores, the first of equals; -1 where N is 0."""
    return int(np.argmax(scores)) if len(scores) else -1
