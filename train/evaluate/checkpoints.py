"""Rows of other checkpoints than the pipeline's own: of stage 3, or of a text-supervised system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssc.metrics import mask_box
from ssc.types import Candidates
from train.evaluate.methods import ZERO_SHOT, Question, Row, mask_of, nearest, pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct import Correct
    from ssc.result import Result
    from train.evaluate.methods import Mask


def checkpoint(title: str, folder: str | Path, *, together: bool = False) -> list[Row]:
    """Another checkpoint of stage 3, or one of a text-supervised system (`train.weak`).

    The latter has a second row, "snapped": the candidate of stage 1 that its map agrees with best,
    and the map where there is none; Shatter & Gather also a third, "best entity": of what it
    shatters the picture into, the entity nearest to the truth, which bounds what it can gather.

    Args:
        together: also what S+S and it prefer together (`Result.joint`), as a row of its own.

    Raises:
        InputError: it is not one.
    """
    from ssc.correct import Correct
    from train.weak.build import load
    from train.weak.gather import Gather, entities
    from train.weak.system import System

    corrector = load(Path(folder))
    snaps = isinstance(corrector.model, System)
    rows = of_stage_3(title, Correct(corrector), together=together, snaps=snaps)
    if isinstance(corrector.model, Gather):

        def best(question: Question) -> list[Mask]:
            own = _candidates(entities(corrector, question.image))
            return nearest(question, [own] * len(question.texts))

        rows.append(Row(f"{title} best entity", best))
    return rows


def of_stage_3(
    title: str, correct: Correct, *, together: bool = False, snaps: bool = False
) -> list[Row]:
    """A stage 3 of its own; arguments as `checkpoint`, and whether it has a row "snapped"."""
    asked: list[tuple[Question, list[Result]]] = []  # the last question, which both rows have

    def results(question: Question) -> list[Result]:
        if not asked or asked[0][0] is not question:
            asked[:] = [(question, correct(question.image, question.results))]
        return asked[0][1]

    rows = [Row(title, lambda question: [mask_of(r.corrected) for r in results(question)])]
    if snaps:
        rows.append(Row(f"{title} snapped", lambda q: [_best_of_stage_1(r) for r in results(q)]))
    if together:
        joint = Row(f"{ZERO_SHOT} and {title}", lambda q: [mask_of(r.joint) for r in results(q)])
        rows.append(joint)
    return rows


def _candidates(masks: NDArray[np.bool_]) -> Candidates:
    """Masks bool S×H×W that no detector gave."""
    boxes = np.array([mask_box(mask) for mask in masks], np.float32)
    ones = np.ones(len(masks), np.float32)
    return Candidates(boxes, ones, ("",) * len(masks), masks, ones)


def _best_of_stage_1(result: Result) -> Mask:
    """The candidate of the highest agreement, however low: such maps are coarse."""
    correction = result.correction
    assert correction is not None
    if not result.found:
        return correction.mask
    return pick(result.candidates, int(correction.agreement.argmax()))
