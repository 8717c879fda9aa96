"""The paper's stages in order, every intermediate result kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict

from ssc.errors import ExpressionError, OptionError, unknown
from ssc.images import load_image
from ssc.result import Result
from ssc.select.choose import match_joint

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ssc.correct import Correct
    from ssc.images import PictureLike
    from ssc.segment import Segment
    from ssc.select import Select

MAX_EXPRESSION = 500
"""Longest expression taken, in characters; RefCOCO's longest is under 200."""
MAX_OBJECTS = 32
"""Most objects taken in one call."""


class Options(TypedDict, total=False):
    """The options of `ssc.find` and `Pipeline.with_options`, all by keyword; None keeps one.

    Attributes:
        prompt: how a candidate is shown to CLIP, a key of `ssc.select.prompts.VISUAL_PROMPTS`.
        sigma: blur, in pixels of a picture of 640; refused with a prompt that does not blur.
        rule: how stage 2 chooses, a key of `ssc.select.choose.RULES`. By "matching" no candidate
            goes to two objects of a call, in S+S and in the joint answer.
        spatial: whether words for place, size and relation count in stage 2 (not in the paper);
            True is refused where stage 1 reads none, with `paper` or without projection.
        several: whether all objects that are asked for are answered ("all the dogs"), and what is
            not there refused (not in the paper), which needs what `spatial` needs; True is refused
            as of it, and False is one object, whatever is asked for.
        paper: True is the paper's rule in stages 1 and 2: one nearest class, and looks alone; False
            has words read and counted.
        vocabulary: class names that a noun is projected to.
        project: False looks for the noun itself, not for the nearest class of the vocabulary.
        box_threshold: least score of a detected box, in [0, 1].
        text_threshold: least probability of a word of a box's phrase, in [0, 1]; refused where
            the model set's detector reads no words.
        nearest: True has it looked on where nothing is found, for "all …s" and for the nearest
            classes that are in the picture, which is left out where it takes long (Grounding DINO
            on a processor); False leaves it out.
    """

    prompt: str | None
    sigma: float | None
    rule: str | None
    spatial: bool | None
    several: bool | None
    paper: bool | None
    vocabulary: Sequence[str] | None
    project: bool | None
    box_threshold: float | None
    text_threshold: float | None
    nearest: bool | None


class Pipeline:
    """Picture + referring expressions → one `Result` per object (paper figure 1).

    Args:
        segment: stage 1, expressions → candidate masks (set S1).
        select: stage 2, candidate masks → the chosen one (set S2); 1 + 2 are S+S.
        correct: stage 3, the corrected model's own mask: S+S+C; None for a pipeline without.

    >>> import ssc
    >>> pipeline = ssc.load("mini")
    >>> results = pipeline("assets/examples/faces.jpg", ["guy with a turban", "left guy"])
    >>> [result.expressions for result in results]
    [('guy with a turban',), ('left guy',)]
    >>> pipeline.with_options(prompt="crop", spatial=True).select.prompt
    'crop'
    """

    def __init__(self, segment: Segment, select: Select, correct: Correct | None = None) -> None:
        self.segment = segment
        self.select = select
        self.correct = correct

    def with_options(self, **options: Unpack[Options]) -> Pipeline:
        """This pipeline with other `Options`; the models and what they have kept are shared.

        Raises:
            OptionError: no such option, or a value that the stages do not take.
        """
        for name in options.keys() - Options.__annotations__.keys():
            raise unknown("option", name, Options.__annotations__)
        paper, spatial = options.get("paper"), options.get("spatial")
        segment = self.segment.with_options(
            vocabulary=options.get("vocabulary"),
            project=options.get("project"),
            box_threshold=options.get("box_threshold"),
            text_threshold=options.get("text_threshold"),
            paper=paper,
            nearest=options.get("nearest"),
            several=options.get("several"),
        )
        asked = [name for name in ("spatial", "several") if options.get(name)]
        if asked and (segment.paper or not segment.project):
            why = "paper=True" if segment.paper else "project=False"
            raise OptionError(f"{asked[0]}: expected no True with {why}, which reads no such words")
        if spatial is None and paper is not None:
            spatial = not paper
        select = self.select.with_options(
            prompt=options.get("prompt"),
            sigma=options.get("sigma"),
            rule=options.get("rule"),
            spatial=spatial,
            several=options.get("several"),
        )
        return Pipeline(segment, select, self.correct)

    def with_correct(self, correct: Correct | None) -> Pipeline:
        """This pipeline with another stage 3, or without one."""
        return Pipeline(self.segment, self.select, correct)

    def __call__(
        self, picture: PictureLike, objects: Sequence[str | Sequence[str]]
    ) -> list[Result]:
        """Runs all stages.

        Args:
            picture: anything that `ssc.load_image` opens: a path, the bytes of a file, a PIL image
                or an array.
            objects: one entry per object: its expression, or several that all name it.

        Returns:
            A result for each object, in the order given.

        Raises:
            PictureError: the picture cannot be opened.
            ExpressionError: no object, or an expression that is blank, too long or not text.
        """
        *_, results = self.stream(picture, objects)
        return results

    def stream(
        self, picture: PictureLike, objects: Sequence[str | Sequence[str]]
    ) -> Iterator[list[Result]]:
        """As a call, but yields the results after each stage, more filled in each time."""
        groups = check_objects(objects)
        image = load_image(picture)
        results = [self.segment(image, expressions) for expressions in groups]
        yield results
        results = self.select(image, results)
        yield results
        if self.correct is not None:
            results = self.correct(image, results)
            yield match_joint(results) if self.select.rule == "matching" else results


def check_objects(objects: Sequence[str | Sequence[str]]) -> list[tuple[str, ...]]:
    """The expressions of each object as a stripped tuple; an ExpressionError names the bad one."""
    if not isinstance(objects, (list, tuple)):
        raise ExpressionError(
            f"expected a list of expressions, got {type(objects).__name__}; write [expression]"
        )
    if not 0 < len(objects) <= MAX_OBJECTS:
        raise ExpressionError(f"expected 1 to {MAX_OBJECTS} objects, got {len(objects)}")
    groups = []
    for number, item in enumerate(objects, 1):
        expressions = tuple(item) if isinstance(item, (list, tuple)) else (item,)
        if not expressions:
            raise ExpressionError(f"object {number}: expected an expression, got none")
        for expression in expressions:
            if not isinstance(expression, str):
                raise ExpressionError(
                    f"object {number}: expected text, got {type(expression).__name__}"
                )
            if any("\ud800" <= sign <= "\udfff" for sign in expression):  # half a sign, of JSON
                raise ExpressionError(
                    f"object {number}: expected text in UTF-8, got {expression!a}"
                )
            if not expression.strip():
                raise ExpressionError(
                    f"object {number}: the expression is empty; say what to look for"
                )
            if len(expression) > MAX_EXPRESSION:
                raise ExpressionError(
                    f"object {number}: expected at most {MAX_EXPRESSION} characters, "
                    f"got {len(expression)}"
                )
        groups.append(tuple(" ".join(expression.split()) for expression in expressions))
    return groups
