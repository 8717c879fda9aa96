"""Rows that answer sets: all that is asked for, and nothing where that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from train.evaluate.methods import Row, nearest, once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from ssc.result import Result
    from train.evaluate.methods import Mask, Question


def several(pipeline: Pipeline) -> Row:
    """`with_words` where all that is asked for is answered, and what is not there refused."""
    return Row("S+S several", lambda question: [r.mask for r in asking_all(pipeline, question)])


def several_oracle(pipeline: Pipeline) -> Row:
    """All candidates that lie in what is meant: the best that a choice among them can be.

    Where a box alone is known, which is of one object, the candidate nearest to it.
    """

    def inside(own: NDArray[np.bool_], truth: Mask) -> Mask:
        kept = (own & truth).sum(axis=(1, 2))  # N×H×W → N
        return own[2 * kept > own.sum(axis=(1, 2))].any(axis=0)

    def masks(question: Question) -> list[Mask]:
        found = [result.candidates for result in asking_all(pipeline, question)]
        best = nearest(question, found)
        truths = [question.referent(number).mask for number in range(len(found))]
        return [
            one if truth is None else inside(own.masks, truth)
            for own, truth, one in zip(found, truths, best)
        ]

    return Row("Oracle several", masks)


def asking_all(pipeline: Pipeline, question: Question) -> list[Result]:
    """`heeding` where sets are answered; once a picture."""
    return once(question, "several", pipeline.with_options(paper=False, several=True))


SETS: dict[str, Callable[[Pipeline], Row]] = {
    "several": several,
    "oracle-several": several_oracle,
}
"""As `train.evaluate.methods.ROWS`."""
