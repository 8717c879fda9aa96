"""What a click on a picture means: which candidate, and what becomes of the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ssc.result import Result
    from ssc.types import Candidates


def candidate_at(candidates: Candidates, x: float, y: float) -> int:
    """The candidate that a click at pixel (x, y) means, -1 for none.

    Of the masks there, the smallest, as it may lie on a larger one; else of the boxes there.
    """
    height, width = candidates.masks.shape[1:]
    column, row = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
    here = np.flatnonzero(candidates.masks[:, row, column])
    if len(here):
        return int(here[candidates.masks[here].sum(axis=(1, 2)).argmin()])
    x0, y0, x1, y1 = candidates.boxes.T
    here = np.flatnonzero((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
    if len(here):
        return int(here[((x1 - x0) * (y1 - y0))[here].argmin()])
    return -1


def clicked(result: Result, index: int | None) -> Result:
    """The result after a click on candidate `index`; None takes a person's choice back.

    Where several or none are asked for, the candidate is taken out of the set or added; else it is
    the choice. What the stages chose themselves is no choice.
    """
    own = result.with_override(None)
    if index is None:
        return own
    if own.members is None or not result.answer.indices:
        chosen: tuple[int, ...] = (index,)
    else:
        chosen = tuple(sorted({*result.answer.indices} ^ {index}))
    return own if chosen == own.answer.indices else own.with_override(chosen)
