"""The paper's stages in order, every intermediate result kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import InputError
from ssc.types import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct import Correct
    from ssc.segment import Segment
    from ssc.select import Select

MAX_EXPRESSION = 500
"""Longest expression taken, in characters; RefCOCO's longest is under 200."""
MAX_OBJECTS = 32
"""Most objects taken in one call."""


class Pipeline:
    """Image + referring expressions → one `Result` per object (paper figure 1).

    Args:
        segment: stage 1, expressions → candidate masks (set S1).
        select: stage 2, candidate masks → the chosen one (set S2); 1 + 2 are S+S.
        correct: stage 3, the corrected model's own mask: S+S+C; None for a pipeline without.
    """

    def __init__(self, segment: Segment, select: Select, correct: Correct | None = None) -> None:
        self.segment = segment
        self.select = select
        self.correct = correct

    def varied(
        self,
        prompt: str | None = None,
        sigma: float | None = None,
        rule: str | None = None,
        box_threshold: float | None = None,
        correct: bool = True,
        text_threshold: float | None = None,
        vocabulary: Sequence[str] | None = None,
        project: bool | None = None,
        spatial: bool | None = None,
    ) -> Pipeline:
        """This pipeline with other settings; the models and what they have kept are shared.

        Args:
            prompt, sigma, rule, spatial: of `Select.varied`; None keeps the setting.
            box_threshold, text_threshold, vocabulary, project: of `Segment.varied`; likewise.
            correct: False leaves stage 3 out.

        Raises:
            InputError: a setting that the stages do not know.
        """
        segment = self.segment.varied(vocabulary, project, box_threshold, text_threshold)
        select = self.select.varied(prompt, sigma, rule, spatial)
        return Pipeline(segment, select, self.correct if correct else None)

    def __call__(
        self, image: NDArray[np.uint8], objects: Sequence[str | Sequence[str]]
    ) -> list[Result]:
        """Runs all stages.

        Args:
            image: RGB uint8 H×W×3.
            objects: one entry per object: its expression, or several that all name it.

        Returns:
            A result for each object, in the order given.

        Raises:
            InputError: an image of another shape or type, no object, or an expression that is
                blank, too long or not text.
        """
        *_, results = self.stream(image, objects)
        return results

    def stream(
        self, image: NDArray[np.uint8], objects: Sequence[str | Sequence[str]]
    ) -> Iterator[list[Result]]:
        """As a call, but yields the results after each stage, more filled in each time."""
        check_image(image)
        groups = check_objects(objects)
        results = [self.segment(image, expressions) for expressions in groups]
        yield results
        results = self.select(image, results)
        yield results
        if self.correct is not None:
            results = self.correct(image, results)
            yield results


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises InputError unless `image` is RGB uint8 H×W×3 with at least one pixel."""
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise InputError(
            f"expected an RGB uint8 image of shape H×W×3, got {type(image).__name__} "
            f"{dtype} {shape}; ssc.load_image opens any picture that way"
        )


def check_objects(objects: Sequence[str | Sequence[str]]) -> list[tuple[str, ...]]:
    """The expressions of each object as a stripped tuple; raises InputError, naming the bad one."""
    if not isinstance(objects, (list, tuple)):
        raise InputError(
            f"expected a list of expressions, got {type(objects).__name__}; write [expression]"
        )
    if not 0 < len(objects) <= MAX_OBJECTS:
        raise InputError(f"expected 1 to {MAX_OBJECTS} objects, got {len(objects)}")
    groups = []
    for number, item in enumerate(objects, 1):
        expressions = tuple(item) if isinstance(item, (list, tuple)) else (item,)
        if not expressions:
            raise InputError(f"object {number}: expected an expression, got none")
        for expression in expressions:
            if not isinstance(expression, str):
                raise InputError(f"object {number}: expected text, got {type(expression).__name__}")
            if not expression.strip():
                raise InputError(f"object {number}: the expression is empty; say what to look for")
            if len(expression) > MAX_EXPRESSION:
                raise InputError(
                    f"object {number}: expected at most {MAX_EXPRESSION} characters, "
                    f"got {len(expression)}"
                )
        groups.append(tuple(" ".join(expression.split()) for expression in expressions))
    return groups
