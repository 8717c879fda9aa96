"""The methods that the tables compare: each answers every expression of a picture with a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from ssc.errors import InputError
from ssc.metrics import mask_box, pairwise_box_iou, pairwise_iou
from ssc.pipeline import MAX_OBJECTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.answer import Answer
    from ssc.pipeline import Pipeline
    from ssc.result import Result
    from ssc.select import Select
    from ssc.types import Candidates
    from train.data import Picture, Referred

    Mask = NDArray[np.bool_]


FOUND_IOU = 0.5
"""IoU with the truth from which a candidate is the right one."""
ZERO_SHOT = "S+S"
WITH_WORDS, BOTH_WITH_WORDS = f"{ZERO_SHOT} with words", f"{ZERO_SHOT} with words and S+S+C"


@dataclass(frozen=True)
class Question:
    """A picture, and the pipeline's answer to each of its expressions alone.

    Attributes:
        picture: with its truth.
        owners: for each expression, the index of the object that it names.
        results: the pipeline's answer to each expression.
        seed: for methods that draw at random.
        answers: what several rows need of this picture, each made once: see `heeding`.
        sure: of rows that say so, title → how sure the answer to each expression is.
    """

    picture: Picture
    owners: tuple[int, ...]
    results: tuple[Result, ...]
    seed: int = 0
    answers: dict[str, list[Result]] = field(default_factory=dict, compare=False)
    sure: dict[str, list[str | None]] = field(default_factory=dict, compare=False)

    @property
    def image(self) -> NDArray[np.uint8]:
        return self.picture.image

    @property
    def texts(self) -> list[str]:
        return [result.expressions[0] for result in self.results]

    def referent(self, number: int) -> Referred:
        """What expression `number` names."""
        return self.picture.objects[self.owners[number]]


class Row(NamedTuple):
    """A table row: its title, and a function from a picture to a bool H×W mask per expression."""

    title: str
    masks: Callable[[Question], list[Mask]]


def ask(pipeline: Pipeline, picture: Picture, seed: int = 0) -> Question:
    """Runs the pipeline by the paper's rule on every expression of a picture."""
    pipeline = pipeline.with_options(paper=True)
    pairs = [
        (k, text) for k, referent in enumerate(picture.objects) for text in referent.expressions
    ]
    results: list[Result] = []
    for start in range(0, len(pairs), MAX_OBJECTS):
        texts = [text for _, text in pairs[start : start + MAX_OBJECTS]]
        results += pipeline(picture.image, texts)
    return Question(picture, tuple(k for k, _ in pairs), tuple(results), seed)


def random_candidate(pipeline: Pipeline) -> Row:
    """A candidate drawn at random (Table 3)."""

    def masks(question: Question) -> list[Mask]:
        rng = np.random.default_rng([question.seed, crc32(question.picture.name.encode())])
        return [
            pick(r.candidates, int(rng.integers(len(r.candidates))) if r.found else -1)
            for r in question.results
        ]

    return Row("Random", masks)


def whole_picture(pipeline: Pipeline) -> Row:
    """All of the picture: what the map of a method that knows nothing is worth."""

    def masks(question: Question) -> list[Mask]:
        every = np.ones(question.image.shape[:2], np.bool_)
        return [every for _ in question.results]

    return Row("Whole picture", masks)


def oracle(pipeline: Pipeline) -> Row:
    """The candidate nearest to the truth: the best that stage 2 can reach (Tables 2 and 3)."""
    return Row(
        "Oracle", lambda question: nearest(question, [r.candidates for r in question.results])
    )


def zero_shot(pipeline: Pipeline) -> Row:
    """Stages 1 and 2 (Table 1)."""
    return Row(
        ZERO_SHOT, lambda question: [mask_of(result.selected) for result in question.results]
    )


def matched(pipeline: Pipeline) -> Row:
    """Stage 2 with the constraints of Algorithm 1, CLIP's score for the soft IoU (§4.3).

    The first expressions of all objects choose together, then the second ones, …
    """
    select = pipeline.select.with_options(rule="matching")

    def masks(question: Question) -> list[Mask]:
        turns: dict[int, list[int]] = {}
        for number, owner in enumerate(question.owners):
            turn = number - question.owners.index(owner)
            turns.setdefault(turn, []).append(number)
        done: dict[int, Mask] = {}
        for numbers in turns.values():
            together = select(question.image, [question.results[n] for n in numbers])
            done.update((n, mask_of(result.selected)) for n, result in zip(numbers, together))
        return [done[n] for n in range(len(question.results))]

    return Row("S+S matched", masks)


def with_words(pipeline: Pipeline) -> Row:
    """S+S where words count in stages 1 and 2 (not in the paper; `ssc.select.spatial`)."""

    def masks(question: Question) -> list[Mask]:
        return [mask_of(result.selected) for result in heeding(pipeline, question)]

    return Row(WITH_WORDS, masks)


def corrected(pipeline: Pipeline) -> Row:
    """All three stages (Table 1)."""
    _needs_stage_3(pipeline)
    return Row("S+S+C", lambda question: [mask_of(result.corrected) for result in question.results])


def above_a_half(pipeline: Pipeline) -> Row:
    """S+S+C where the probability is above 0.5, the paper's threshold; see `ssc.correct.mask`."""
    _needs_stage_3(pipeline)

    def masks(question: Question) -> list[Mask]:
        corrections = [result.correction for result in question.results]
        return [
            correction.probability > 0.5 for correction in corrections if correction is not None
        ]

    return Row("S+S+C above 0.5", masks)


def snapped(pipeline: Pipeline) -> Row:
    """The candidate that agrees best with stage 3's mask; that mask where none does."""
    _needs_stage_3(pipeline)

    return Row("S+S+C snapped", lambda question: [mask_of(r.snapped) for r in question.results])


def joint(pipeline: Pipeline) -> Row:
    """The candidate that stages 2 and 3 prefer together (`Result.joint`); else stage 3's mask."""
    _needs_stage_3(pipeline)
    return Row("S+S and S+S+C", lambda question: [mask_of(r.joint) for r in question.results])


def joint_with_words(pipeline: Pipeline) -> Row:
    """`joint` where words count in stages 1 and 2: the one answer, and how sure it is."""
    _needs_stage_3(pipeline)
    assert pipeline.correct is not None
    correct = pipeline.correct

    def masks(question: Question) -> list[Mask]:
        answered = correct(question.image, heeding(pipeline, question))
        question.sure[BOTH_WITH_WORDS] = [result.sure for result in answered]
        return [mask_of(result.joint) for result in answered]

    return Row(BOTH_WITH_WORDS, masks)


ROWS: dict[str, Callable[[Pipeline], Row]] = {
    "random": random_candidate,
    "whole": whole_picture,
    "oracle": oracle,
    "s+s": zero_shot,
    "matched": matched,
    "words": with_words,
    "s+s+c": corrected,
    "half": above_a_half,
    "snapped": snapped,
    "joint": joint,
    "joint-words": joint_with_words,
}
"""Name for `--rows` → function from a pipeline to the row; it raises InputError where the pipeline
lacks a model that the row needs."""

DEFAULT = ("random", "oracle", "s+s", "matched", "s+s+c", "half", "snapped", "joint")
STAGE_3 = ("s+s+c", "half", "snapped", "joint", "joint-words")


def selected(title: str, select: Select) -> Row:
    """The pipeline's candidates with another stage 2."""

    def masks(question: Question) -> list[Mask]:
        return [mask_of(result.selected) for result in select(question.image, question.results)]

    return Row(title, masks)


def pick(candidates: Candidates, index: int) -> Mask:
    """Candidate `index`, or nothing where that is -1."""
    if index < 0:
        return np.zeros(candidates.masks.shape[1:], np.bool_)
    return candidates.masks[index]


def nearest(question: Question, candidates: list[Candidates]) -> list[Mask]:
    """Of each expression's candidates the one of the highest IoU with the truth."""
    masks = []
    for number, own in enumerate(candidates):
        referent = question.referent(number)
        overlaps: NDArray[Any] = np.zeros((len(own), 1))
        if referent.mask is not None:
            overlaps = pairwise_iou(own.masks, referent.mask[None])
        elif referent.box is not None:
            boxes = np.array([mask_box(mask) for mask in own.masks], np.float32).reshape(-1, 4)
            overlaps = pairwise_box_iou(boxes, referent.box[None])
        masks.append(pick(own, int(overlaps[:, 0].argmax()) if len(own) else -1))
    return masks


def mask_of(answer: Answer | None) -> Mask:
    """The mask of a stage that has run."""
    assert answer is not None
    return answer.mask


def heeding(pipeline: Pipeline, question: Question) -> list[Result]:
    """Stages 1 and 2 of each expression, with words read; once a picture."""
    return once(question, "words", pipeline.with_options(paper=False, several=False))


def once(question: Question, name: str, pipeline: Pipeline) -> list[Result]:
    """Stages 1 and 2 of each expression by a pipeline, kept under a name; once a picture."""
    if name not in question.answers:
        results = [pipeline.segment(question.image, [text]) for text in question.texts]
        question.answers[name] = pipeline.select(question.image, results)
    return question.answers[name]


def _needs_stage_3(pipeline: Pipeline) -> None:
    if pipeline.correct is None:
        raise InputError("rows: expected a model set with stage 3 for S+S+C, got one without")
