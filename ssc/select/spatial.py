"""What words say of geometry, counted beside CLIP's scores (not in the paper).

CLIP hardly tells left from right. In the manner of recent zero-shot work (ReCLIP, Subramanian et
al., ACL 2022; HybridGL, Liu and Li, CVPR 2025), places, sizes and relations become a preference
over the candidates' boxes: `ssc.words.read` reads them, `ssc.words.geometry` measures them, and
`guide` is the one rule that combines them with looks. Nothing is learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.words.geometry import penalties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Expression

STRENGTH = 1.5
"""Cosine similarity that a candidate loses per frame's length out of place.

Chosen on RefSprites' val split with the mini set, among 0.3 to 3.
"""


def guide(
    scores: NDArray[np.float32],
    words: Sequence[Expression],
    boxes: NDArray[np.float32],
    height: int,
    width: int,
    others: Mapping[str, NDArray[np.float32]] | None = None,
    strength: float = STRENGTH,
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """CLIP's scores less what each candidate is out of place, the mean over the expressions.

    Args:
        scores: float32 N, cosine similarity in [-1, 1].
        words: what each expression that names the object says.
        boxes: float32 N×4, XYXY pixels of a frame of height×width.
        others: as of `ssc.words.geometry.penalties`.
        strength: as `STRENGTH`, 0 or more.

    Returns:
        float32 N in [-1, 1], `scores` themselves where no expression says anything of geometry; and
        the means of its parts, "place", "size" and "relation", of those that are said.
    """
    if not len(scores) or not any(reading.decides for reading in words):
        return scores, {}
    out = [penalties(reading, boxes, height, width, others) for reading in words]
    total = [one.total for one in out if one.total is not None]
    if not total:
        return scores, {}
    parts = {}
    for name in ("place", "size", "relation"):
        rows = [row for one in out if (row := getattr(one, name)) is not None]
        if rows:
            parts[name] = (np.sum(rows, axis=0) / len(words)).astype(np.float32)
    penalty = strength * np.sum(total, axis=0) / len(words)
    return np.clip(scores - penalty, -1, 1).astype(np.float32), parts
