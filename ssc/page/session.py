"""What one visitor is looking at: how it comes to be, and the pictures of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.correct import correct_at
from ssc.draw import colour_of, draw_candidates, draw_mask, draw_probability, for_screen
from ssc.errors import InputError
from ssc.export import result_record
from ssc.images import load_image
from ssc.metrics import mask_iou
from ssc.models.photo import is_unknown
from ssc.types import Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssc.page.choices import Choices
    from ssc.types import Candidates

    Picture = NDArray[np.uint8]


STAGES = (
    "Segment: finding candidates",
    "Select: comparing candidates with your words",
    "Correct: running the trained model",
)


@dataclass(eq=False)  # compared by identity: arrays have no equality of use here
class Session:
    """A picture, what was found in it, and which object is looked at.

    Attributes:
        name: of the picture's file.
        image: RGB uint8 H×W×3.
        results: one per object.
        active: index of the object whose stages are shown.
        unknown: whether the models asked can't know such a picture; see `ssc.models.photo`.
    """

    name: str
    image: Picture
    results: list[Result]
    active: int = 0
    unknown: bool = False
    _scaled: dict[int, tuple[Picture, Candidates]] = field(default_factory=dict, repr=False)

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
        result = self.result
        if result.correction is None:
            return self
        correction = correct_at(result.correction.probability, result.candidates, threshold)
        return self.with_result(replace(result, correction=correction))

    def record(self) -> dict[str, Any]:
        """{"results": [a record per object]}, as `result.json` has it."""
        return {"results": [result_record(self.name, self.image, r) for r in self.results]}

    def answers(self) -> list[tuple[Picture, str]]:
        """S+S, and S+S+C where there is one, of each object, with captions."""
        shown = []
        for number, result in enumerate(self.results):
            before = f"{number + 1} · " if len(self.results) > 1 else ""
            shown += [
                (picture, before + caption) for picture, caption in self._answers(number, result)
            ]
        return shown

    def pair(self) -> tuple[Picture, Picture] | None:
        """S+S and S+S+C of the active object, for the slider; None where one is missing."""
        pictures = [picture for picture, _ in self._answers(self.active, self.result)]
        return tuple(pictures) if len(pictures) == 2 else None

    def candidates(self) -> Picture:
        """The active object's candidates on the picture, the chosen one brought out."""
        drawn, scaled = self._screen(self.active)
        return draw_candidates(drawn, scaled, self.result.chosen)

    def prompts(self) -> list[tuple[Picture, str]]:
        """The active object's visual prompts, best first, with number and score."""
        selection = self.result.selection
        if selection is None:
            return []
        return [
            (selection.prompts[i], f"#{i + 1} · {selection.scores[i]:.3f}") for i in selection.order
        ]

    def heat(self) -> Picture | None:
        """The active object's probability on the picture, its threshold outlined."""
        correction = self.result.correction
        if correction is None:
            return None
        drawn, _ = self._screen(self.active)
        return draw_probability(drawn, _resize(correction.probability, drawn), correction.threshold)

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """A point of a picture shown here in pixels of the image."""
        factor = max(self.image.shape[:2]) / max(self._screen(self.active)[0].shape[:2])
        return x * factor, y * factor

    def _answers(self, number: int, result: Result) -> list[tuple[Picture, str]]:
        if result.selection is None:
            return []
        drawn, scaled = self._screen(number)
        chosen = result.chosen
        mask = scaled.masks[chosen] if chosen >= 0 else scaled.masks[:0].any(axis=0)
        name = "S+S" if result.override is None else "Your choice"
        caption = f"{name} · candidate {chosen + 1}" if chosen >= 0 else f"{name} · nothing"
        shown = [(draw_mask(drawn, mask, colour_of(chosen)), caption)]
        if (correction := result.correction) is not None:
            # From the probability, so that the outline is as smooth here as in the heat map.
            mask = _resize(correction.probability, drawn) > correction.threshold
            caption = f"S+S+C · {_meant(result)}"
            shown.append((draw_mask(drawn, mask, colour_of(correction.snapped)), caption))
        return shown

    def _screen(self, number: int) -> tuple[Picture, Candidates]:
        if number not in self._scaled:
            self._scaled[number] = for_screen(self.image, self.results[number].candidates)
        return self._scaled[number]


@dataclass(frozen=True)
class Question:
    """A picture and what is asked about it.

    Attributes:
        name: of the picture's file.
        image: RGB uint8 H×W×3.
        objects: the expressions of each object.
    """

    name: str
    image: Picture
    objects: list[list[str]]


def read_question(picture: str | None, expressions: str | None) -> Question:
    """What a visitor gave, opened.

    Args:
        picture: path of a file.
        expressions: an object a line; " | " joins expressions of one object.

    Raises:
        InputError: a picture that is none, or no expression.
    """
    if not picture:
        raise InputError("Choose a picture first: upload, paste or take one.")
    try:
        image = load_image(picture)
    except InputError as error:  # without the server's path
        raise InputError(str(error).replace(str(picture), "The file")) from error
    lines = [line.split(" | ") for line in (expressions or "").splitlines() if line.strip()]
    if not lines:
        raise InputError("Write what to look for, one object per line.")
    return Question(Path(picture).name, image, lines)


def stream(choices: Choices, question: Question, options: Sequence[Any]) -> Iterator[Session]:
    """A session after each stage.

    Args:
        choices: what the options choose from.
        question: the picture and its objects.
        options: in the order of `choices.OPTIONS`.

    Raises:
        InputError: an expression or an option that is none.
    """
    pipeline = choices.vary(options)
    for results in pipeline.stream(question.image, question.objects):
        unknown = is_unknown(pipeline.segment.detector, question.image)
        yield Session(question.name, question.image, results, unknown=unknown)


def compare(a: Session, b: Session) -> list[dict[str, Any]]:
    """Per object its expressions, and IoU of the masks of both: S+S, and S+S+C where both are."""
    rows = []
    for one, other in zip(a.results, b.results):
        corrected = None
        if one.correction is not None and other.correction is not None:
            corrected = mask_iou(one.correction.mask, other.correction.mask)
        rows.append(
            {
                "expressions": list(one.expressions),
                "iou": mask_iou(one.mask, other.mask),
                "corrected_iou": corrected,
            }
        )
    return rows


def _meant(result: Result) -> str:
    snapped = result.correction.snapped
    if snapped >= 0:
        return f"candidate {snapped + 1}"
    return "a region of its own" if result.correction.mask.any() else "nothing"


def _resize(probability: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    import cv2

    height, width = picture.shape[:2]
    return cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
