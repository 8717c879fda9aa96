"""A mask that answers, and whose answer it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssc.values import Masked, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOTHING, YOURS = "nothing yet", "your choice"
SELECTED, CORRECTED = "S+S", "S+S+C"
SNAPPED, BOTH = "S+S+C snapped", "S+S and S+S+C"
SEVERAL, NONE = "S+S, several", "S+S, none"
"""What an `Answer` can be by, as the evaluation's tables name it."""


@dataclass(frozen=True, eq=False, repr=False)
class Answer(Masked):
    """A mask that answers the expressions, and how it came to be.

    Attributes:
        by: "S+S", "S+S+C", "S+S+C snapped", "S+S and S+S+C", "S+S, several", "S+S, none",
            "your choice", or "nothing yet".
        mask: bool H×W, of several candidates their union.
        index: of the candidate whose mask it is; -1 for a mask of several, of the corrected
            model's own, or an empty one.
        indices: of all candidates that it is made of, in order.
        image: RGB uint8 H×W×3 that it was found in, where it is known; not compared.

    >>> import ssc
    >>> result = ssc.find("assets/examples/faces.jpg", "guy with a turban", models="mini")
    >>> result.selected.by, result.corrected.by, result.answer.by
    ('S+S', 'S+S+C', 'S+S and S+S+C')
    >>> result.answer == result.joint, result.selected.overlay().size
    (True, (640, 480))
    """

    by: str
    mask: NDArray[np.bool_]
    index: int = -1
    indices: tuple[int, ...] = ()
    image: NDArray[np.uint8] | None = field(default=None, compare=False)

    @property
    def number(self) -> int | None:
        """The candidate's number on pictures and in messages, from 1; None for no candidate."""
        return self.index + 1 if self.index >= 0 else None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all candidates that it is made of."""
        return tuple(index + 1 for index in self.indices)

    @property
    def empty(self) -> bool:
        return not self.mask.any()

    def __repr__(self) -> str:
        what = f"candidate{'s' * (len(self.indices) > 1)} {', '.join(map(str, self.numbers))}"
        what = what if self.indices else "no candidate"
        return f"Answer({self.by}: {what}, {share(self.mask)})"
