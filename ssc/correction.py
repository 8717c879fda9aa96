"""What stage 3 sees of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ssc.values import Value, share

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Correction(Value):
    """What the corrected model sees (paper §3.3); `ssc.correct.correct_at` makes it.

    Attributes:
        probability: float32 H×W in [0, 1], of each pixel being the object's.
        threshold: in [0, 1]; the mask is where the probability is above it, in one place where
            the model is torn between several (`ssc.correct.mask`).
        mask: bool H×W, the answer of S+S+C.
        ious: float32 N, IoU of that mask with each candidate.
        agreement: float32 N, soft IoU of the probability with each candidate.
        snapped_index: of the candidate of the highest agreement, -1 where none reaches
            `ssc.correct.SNAP_IOU`: the corrected model's choice with stage 1's sharp borders.
        unread: words of the expressions that the model did not read, as they are too long.
    """

    probability: NDArray[np.float32]
    threshold: float
    mask: NDArray[np.bool_]
    ious: NDArray[np.float32]
    agreement: NDArray[np.float32]
    snapped_index: int
    unread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.probability.shape != self.mask.shape:
            raise ValueError(
                f"expected probability and mask of one frame, got {self.probability.shape} "
                f"and {self.mask.shape}"
            )
        if not -1 <= self.snapped_index < len(self.ious):
            raise ValueError(
                f"snapped_index: expected -1 or an index below {len(self.ious)}, "
                f"got {self.snapped_index}"
            )
        super().__post_init__()

    def __repr__(self) -> str:
        agreement = np.array2string(self.agreement, precision=2, threshold=8, max_line_width=200)
        return (
            f"Correction({share(self.mask)} above {self.threshold:.2f}, "
            f"snapped_index={self.snapped_index} of agreement {agreement})"
        )
