"""What one visitor is looking at: how it comes to be, and the pictures of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.answer import YOURS, Answer
from ssc.correct import correct_at
from ssc.correct.mask import mask_at
from ssc.draw import colour_of, draw_candidates, draw_mask, draw_probability, draw_set, for_screen
from ssc.errors import ExpressionError, PictureError
from ssc.export import result_document
from ssc.images import load_image
from ssc.metrics import mask_iou
from ssc.models.by_picture import ByPicture
from ssc.models.photo import is_unknown
from ssc.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.page.choices import Choices

    Picture = NDArray[np.uint8]
    Scaled = tuple[Picture, NDArray[np.bool_], NDArray[np.float32]]


STAGES = (
    "Segment: finding candidates",
    "Select: comparing candidates with your words",
    "Correct: running the trained model",
)

NOT_MEANINGFUL = "not meaningful"
"""Ends the captions of what models answer that can't know such a picture."""


@dataclass(eq=False)  # compared by identity: arrays have no equality of use here
class Session:
    """A picture, what was found in it, and which object is looked at.

    Attributes:
        name: of the picture's file.
        image: RGB uint8 H×W×3.
        results: one per object.
        active: index of the object whose stages are shown.
        unknown: whether the models asked can't know such a picture; see `ssc.models.photo`.
        corrects: whether the models asked have a stage 3.
        could_look_on: whether nothing was found of an object and more could be asked for it; see
            `Segment.nearest`.
        source: the picture's file; empty where it is not known.
        packed: arrays of the results that came packed with loss, each with what it came as; see
            `ssc.page.parked`.
    """

    name: str
    image: Picture
    results: list[Result]
    active: int = 0
    unknown: bool = False
    corrects: bool = True
    could_look_on: bool = False
    source: bytes = field(default=b"", repr=False)
    packed: Sequence[tuple[NDArray[Any], Any]] = field(default=(), repr=False)
    _scaled: dict[int, Scaled] = field(default_factory=dict, repr=False)

    @property
    def result(self) -> Result:
        return self.results[self.active]

    def looking_at(self, active: int) -> Session:
        return replace(self, active=active)

    def with_result(self, result: Result) -> Session:
        """With another result of the active object; what is already drawn of others is kept."""
        results = [*self.results]
        results[self.active] = result
        return replace(self, results=results)

    def at_threshold(self, threshold: float) -> Session:
        """With the active object's corrected mask at another threshold; no model is run."""
        result, own = self.result, self.result.correction
        if own is None:
            return self
        several = result.members is not None
        moved = correct_at(own.probability, result.candidates, threshold=threshold, several=several)
        moved = replace(moved, unread=own.unread)
        return self.with_result(replace(result, correction=moved))

    def record(self) -> dict[str, Any]:
        """As `result.json` has it; see `ssc.export`."""
        return result_document(self.name, self.image, self.results)

    def answers(self) -> list[tuple[Picture, str]]:
        """The answer to each object, with captions; none before stage 2."""
        return self._captioned(self._answer)

    def sides(self) -> list[tuple[Picture, str]]:
        """S+S beside S+S+C of each object, with captions; none without stage 3."""
        return self._captioned(self._sides)

    def pair(self) -> tuple[Picture, Picture] | None:
        """S+S and S+S+C of the active object, for the slider; None without stage 3."""
        pictures = [picture for picture, _ in self._sides(self.active, self.result)]
        return (pictures[0], pictures[1]) if pictures else None

    def candidates(self) -> Picture:
        """The active object's candidates on the picture, the chosen one brought out."""
        return draw_candidates(*self._screen(self.active), chosen=self.result.answer.indices)

    def prompts(self) -> list[tuple[Picture, str]]:
        """The active object's visual prompts, best first, with number and score."""
        selection = self.result.selection
        if selection is None:
            return []
        return [
            (selection.prompts[i], f"#{i + 1} · {selection.scores[i]:.3f}") for i in selection.order
        ]

    def heat(self) -> Picture | None:
        """The active object's probability on the picture, what is above its threshold outlined."""
        correction = self.result.correction
        if correction is None:
            return None
        drawn, *_ = self._screen(self.active)
        return draw_probability(
            drawn, _resize(correction.probability, drawn), threshold=correction.threshold
        )

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """A point of a picture shown here in pixels of the image."""
        factor = max(self.image.shape[:2]) / max(self._screen(self.active)[0].shape[:2])
        return x * factor, y * factor

    def _captioned(
        self, draw: Callable[[int, Result], list[tuple[Picture, str]]]
    ) -> list[tuple[Picture, str]]:
        """What `draw` makes of each object, with its number where there are several, and whether
        the models can know such a picture."""
        doubt = f" · {NOT_MEANINGFUL}" if self.unknown else ""
        return [
            (picture, (f"{number + 1} · {caption}" if len(self.results) > 1 else caption) + doubt)
            for number, result in enumerate(self.results)
            for picture, caption in draw(number, result)
        ]

    def _answer(self, number: int, result: Result) -> list[tuple[Picture, str]]:
        if result.selection is None:
            return []
        answer = result.answer
        name = "Your choice" if answer.by == YOURS else "Answer"
        if not answer.indices and not answer.empty:
            return [(self._draw_corrected(number, result), f"{name} · a region of its own")]
        if result.sure is not None:
            name = f"{name} ({result.sure})"
        return [self._draw_several(number, answer.indices, name)]

    def _sides(self, number: int, result: Result) -> list[tuple[Picture, str]]:
        if result.selection is None or result.correction is None:
            return []
        chosen = (result.selection.index,) if result.members is None else result.members
        return [
            self._draw_several(number, chosen, "S+S"),
            (self._draw_corrected(number, result), f"S+S+C · {_meant(result)}"),
        ]

    def _draw_several(self, number: int, indices: Sequence[int], name: str) -> tuple[Picture, str]:
        """Each of a set in its own colour and numbered, the rest dimmed; one or none as such."""
        if len(indices) < 2:
            return self._draw_candidate(number, indices[0] if indices else -1, name)
        drawn, masks, boxes = self._screen(number)
        listed = ", ".join(str(index + 1) for index in indices)
        return draw_set(drawn, masks, boxes, indices), f"{name} · candidates {listed}"

    def _draw_candidate(self, number: int, index: int, name: str) -> tuple[Picture, str]:
        drawn, masks, _ = self._screen(number)
        mask = masks[index] if index >= 0 else np.zeros(drawn.shape[:2], np.bool_)
        caption = f"{name} · candidate {index + 1}" if index >= 0 else f"{name} · nothing"
        return draw_mask(drawn, mask, color=colour_of(index)), caption

    def _draw_corrected(self, number: int, result: Result) -> Picture:
        assert result.correction is not None
        drawn, *_ = self._screen(number)
        # From the probability, so that the outline is as smooth here as in the heat map.
        own, several = result.correction, result.members is not None
        mask = mask_at(_resize(own.probability, drawn), own.threshold, several=several)
        return draw_mask(drawn, mask, color=colour_of(own.snapped_index))

    def _screen(self, number: int) -> Scaled:
        if number not in self._scaled:
            own = self.results[number].candidates
            self._scaled[number] = for_screen(self.image, own.masks, own.boxes)
        return self._scaled[number]


@dataclass(frozen=True)
class Question:
    """A picture and what is asked about it.

    Attributes:
        name: of the picture's file.
        image: RGB uint8 H×W×3.
        objects: the expressions of each object.
        source: the picture's file; empty where it is not known.
    """

    name: str
    image: Picture
    objects: list[list[str]]
    source: bytes = b""


def read_question(picture: str | bytes | None, expressions: str | None) -> Question:
    """What a visitor gave, opened.

    Args:
        picture: path of a file, or its bytes.
        expressions: an object a line; " | " joins expressions of one object.

    Raises:
        PictureError: none, or one that cannot be opened.
        ExpressionError: none.
    """
    if not picture:
        raise PictureError("Choose a picture first: upload, paste or take one.")
    try:
        image = load_image(picture)
    except PictureError as error:  # without the server's path
        raise PictureError(str(error).replace(str(picture), "The file")) from error
    lines = [line.split(" | ") for line in (expressions or "").splitlines() if line.strip()]
    if not lines:
        raise ExpressionError("Write what to look for, one object per line.")
    if isinstance(picture, bytes):
        return Question("picture", image, lines, picture)
    return Question(Path(picture).name, image, lines, Path(picture).read_bytes())


def stream(choices: Choices, question: Question, options: Sequence[Any]) -> Iterator[Session]:
    """A session after each stage.

    Args:
        choices: what the options choose from.
        question: the picture and its objects.
        options: in the order of `choices.OPTIONS`.

    Raises:
        OptionError, ExpressionError: an option or an expression that is none.
    """
    pipeline = choices.with_options(options)
    if isinstance(pipeline, ByPicture):
        pipeline = pipeline.of(question.image)
    for results in pipeline.stream(question.image, question.objects):
        unknown = is_unknown(pipeline.segment.detector, question.image)
        yield Session(
            question.name,
            question.image,
            results,
            unknown=unknown,
            corrects=pipeline.correct is not None,
            could_look_on=any(map(pipeline.segment.could_look_on, results)),
            source=question.source,
        )


def compare(a: Session, b: Session) -> list[dict[str, Any]]:
    """Per object its expressions, and IoU of the masks of both: the answers, S+S, and S+S+C where
    both are."""
    return [
        {
            "expressions": list(one.expressions),
            "iou": mask_iou(one.mask, other.mask),
            "selected_iou": _iou(one.selected, other.selected),
            "corrected_iou": _iou(one.corrected, other.corrected),
        }
        for one, other in zip(a.results, b.results)
    ]


def _iou(one: Answer | None, other: Answer | None) -> float | None:
    return None if one is None or other is None else mask_iou(one.mask, other.mask)


def _meant(result: Result) -> str:
    meant = result.snapped
    assert meant is not None
    if meant.number is not None:
        return f"candidate {meant.number}"
    return "nothing" if meant.empty else "a region of its own"


def _resize(probability: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    import cv2

    height, width = picture.shape[:2]
    return cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
