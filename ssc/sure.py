"""How sure the one answer is, in a plain word (not in the paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE, LIKELY, NOT_SURE = "sure", "likely", "not sure"

# Chosen on RefSprites' val split with the mini set (60 scenes), so that of the answers called sure
# 96 of 100 are right there, by an IoU of 0.5: nine of ten are to be right on other scenes too.
PLAIN = 0.2
"""Lead on the next candidate, in the score by which stages choose together, of what is sure."""
SEEN = 0.4
"""Soft IoU with stage 3's probability of what is sure."""
LEAD, GLIMPSED = 0.1, 0.2
"""The same of what is likely: the lead where there is no stage 3, else the soft IoU."""


def how_sure(
    scores: NDArray[np.float32], index: int, agree: bool | None = None, agreement: float = 0.0
) -> str:
    """How sure candidate `index` of N ≥ 1 is.

    Args:
        scores: float32 N, by which it was chosen.
        agree: whether stage 2 and stage 3 alone each choose it too; None without stage 3, where
            nothing is sure.
        agreement: soft IoU of the candidate with stage 3's probability.
    """
    lead = float(scores[index] - np.delete(scores, index).max(initial=-np.inf))
    if agree is None:
        return LIKELY if lead >= LEAD else NOT_SURE
    if agree and agreement >= SEEN and lead >= PLAIN:
        return SURE
    return LIKELY if agree and agreement >= GLIMPSED else NOT_SURE
