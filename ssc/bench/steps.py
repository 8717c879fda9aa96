"""Each step of the pipeline twice: as the pipeline does it, and straightforwardly.

The straightforward way is what one writes from the paper with the same networks: one image, one
candidate, one expression at a time, the picture blurred anew for each candidate and at full
resolution, and nothing kept from one expression to the next. What no one would do is left out, lest
the ratios flatter: an image is encoded once per expression, not once per box, and the vocabulary is
read by CLIP when the models are loaded, not once per expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from ssc.cache import Cache
from ssc.result import Result
from ssc.select.prompts import make_prompts
from ssc.types import ClassMatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.types import Candidates

T = TypeVar("T")


class Task(NamedTuple):
    """A picture that is asked about.

    Attributes:
        image: RGB uint8 H×W×3.
        name: class of the vocabulary that all expressions are about.
        expressions: one per object.
        candidates: what stage 1 hands on, whatever the networks find: a fixed number.
    """

    image: NDArray[np.uint8]
    name: str
    expressions: tuple[str, ...]
    candidates: Candidates


Step = Callable[["Pipeline", Task], "list[Any]"]


def fresh(part: T) -> T:
    """A copy of a pipeline, or of a part of one, that has kept nothing; its models are shared."""
    other = copy(part)
    for name, value in vars(part).items():
        if isinstance(value, Cache):
            setattr(other, name, Cache(value.size))
        elif _is_part(value):
            setattr(other, name, fresh(value))
    return other


def in_float32(pipeline: Pipeline) -> Pipeline:
    """A copy that has kept nothing and computes in float32; networks that do so are shared."""
    import torch

    other = fresh(pipeline)
    for part in _parts(other):
        if getattr(part, "dtype", torch.float32) != torch.float32:
            part.dtype = torch.float32
            if any(p.dtype != torch.float32 for p in part.model.parameters()):
                part.model = deepcopy(part.model).float()
    return other


def _parts(part: Any) -> Iterator[Any]:
    yield part
    for value in vars(part).values():
        if _is_part(value):
            yield from _parts(value)


def _is_part(value: Any) -> bool:
    """Whether it may keep something; networks and the parser are shared, lest they load anew."""
    from torch import nn

    from ssc.words.nouns import Parser

    of_ours = type(value).__module__.startswith("ssc.")
    return of_ours and not isinstance(value, nn.Module | Parser)


def _classes(pipeline: Pipeline, task: Task) -> list[str]:
    segment = pipeline.segment
    return [m.name for m in segment.classes([segment.nouns(text) for text in task.expressions])]


def _classes_plainly(pipeline: Pipeline, task: Task) -> list[str]:
    names = []
    for text in task.expressions:
        segment = fresh(pipeline.segment)
        names += [match.name for match in segment.classes([segment.nouns(text)])]
    return names


def _boxes(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    detector = pipeline.segment.detector
    return [detector.detect(task.image, [task.name])[0] for _ in task.expressions]


def _boxes_plainly(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    detectors = (fresh(pipeline.segment.detector) for _ in task.expressions)
    return [detector.detect(task.image, [task.name])[0] for detector in detectors]


def _miss(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    """One expression about another picture, in which nothing of its class is."""
    return _boxes_of_none(pipeline.segment, task)


def _miss_plainly(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    """As `_miss`, looked on for whatever it takes."""
    return _boxes_of_none(fresh(pipeline.segment).with_options(nearest=True), task)


def _boxes_of_none(stage: Segment, task: Task) -> list[NDArray[np.float32]]:
    image = np.ascontiguousarray(task.image[::-1])
    return [stage.with_options(box_threshold=1.0)(image, task.expressions[:1]).candidates.boxes]


def _masks(pipeline: Pipeline, task: Task) -> list[NDArray[np.bool_]]:
    segmenter = pipeline.segment.segmenter
    return [segmenter.segment(task.image, task.candidates.boxes)[0] for _ in task.expressions]


def _masks_plainly(pipeline: Pipeline, task: Task) -> list[NDArray[np.bool_]]:
    masks = []
    for _ in task.expressions:
        segmenter = fresh(pipeline.segment.segmenter)
        single = [segmenter.segment(task.image, box[None])[0] for box in task.candidates.boxes]
        masks.append(np.concatenate(single))
    return masks


def _select(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    results = pipeline.select(task.image, _results(task))
    return [result.selection.scores for result in results if result.selection is not None]


def _select_plainly(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    import cv2

    def blur(image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
        return cv2.GaussianBlur(image, (0, 0), sigma)

    select, scores = pipeline.select, []
    candidates = task.candidates
    assert select.clip is not None  # pocket's, which has words alone, is not timed
    for text in task.expressions:
        clip = fresh(select.clip)
        [words] = clip.encode_text([text])
        row = []
        for mask, box in zip(candidates.masks, candidates.boxes):
            prompt = make_prompts(
                select.prompt, task.image, mask[None], box[None], select.sigma, blur
            )
            row.append(float(clip.encode_images(prompt)[0] @ words))
        scores.append(np.array(row, np.float32))
    return scores


def _correct(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    assert pipeline.correct is not None  # else `measure` leaves the step out
    results = pipeline.correct(task.image, _results(task))
    return [result.correction.probability for result in results if result.correction is not None]


def _correct_plainly(pipeline: Pipeline, task: Task) -> list[NDArray[np.float32]]:
    assert pipeline.correct is not None  # as above
    probabilities = []
    for text in task.expressions:
        [probability] = fresh(pipeline.correct.corrector).predict(task.image, [text])
        probabilities.append(probability)
    return probabilities


def _results(task: Task) -> list[Result]:
    """What stage 1 hands on, for each expression."""
    match = (ClassMatch(task.name, task.name, 1.0),)
    return [Result((text,), match, task.candidates) for text in task.expressions]


PIPELINE: dict[str, Step] = {
    "classes": _classes,
    "boxes": _boxes,
    "miss": _miss,
    "masks": _masks,
    "select": _select,
    "correct": _correct,
}
REFERENCE: dict[str, Step] = {
    "classes": _classes_plainly,
    "boxes": _boxes_plainly,
    "miss": _miss_plainly,
    "masks": _masks_plainly,
    "select": _select_plainly,
    "correct": _correct_plainly,
}
"""Name → function of pipeline and task; its answers, one per expression, are arrays or names."""
