"""What the stages hand to each other: small frozen dataclasses that check themselves.

Frame and format everywhere: images are RGB uint8 H×W×3 in the original frame, masks are bool
N×H×W, boxes are XYXY pixels in float32. Nothing found is length 0, never None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY_CLASS = "any object"
"""The class of an expression that names none ("blue", "the left one"): all are candidates."""


class InputError(ValueError):
    """Bad input from the user: one line that says what was expected, what came, and the remedy."""


@dataclass(frozen=True)
class ClassMatch:
    """A key noun and the vocabulary class that it was projected to (paper §3.1, step 2).

    Attributes:
        noun: key noun of the expression; empty where the expression has none.
        name: class of the vocabulary, or `ANY_CLASS`.
        similarity: cosine similarity of noun and class in CLIP text space, in [-1, 1];
            1.0 where noun and class are the same word, 0.0 where there is no noun.
        runners_up: the next nearest classes with their similarities, best first.
    """

    noun: str
    name: str
    similarity: float
    runners_up: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Candidates:
    """Candidate masks of one object, best box first: a row of the paper's set S1.

    Attributes:
        boxes: float32 N×4, XYXY pixels of the original frame.
        scores: float32 N, detector confidence in [0, 1].
        labels: N class names.
        masks: bool N×H×W, original frame; overlaps are kept.
        qualities: float32 N, the segmenter's own estimate of each mask's IoU, in [0, 1].
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    masks: NDArray[np.bool_]
    qualities: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4):
            raise ValueError(f"boxes: expected N×4 XYXY, got shape {self.boxes.shape}")
        if self.masks.ndim != 3 or self.masks.dtype != np.bool_:
            raise ValueError(
                f"masks: expected bool N×H×W, got {self.masks.dtype} {self.masks.shape}"
            )
        for name in ("scores", "labels", "masks", "qualities"):
            if len(getattr(self, name)) != n:
                raise ValueError(
                    f"{name}: expected {n} rows as in boxes, got {len(getattr(self, name))}"
                )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray[np.int64] | Sequence[int]) -> Candidates:
        """The candidates at `index` (integers or a bool array of length N), in that order."""
        chosen = np.arange(len(self))[np.asarray(index, dtype=None if len(index) else np.int64)]
        return Candidates(
            self.boxes[chosen],
            self.scores[chosen],
            tuple(self.labels[i] for i in chosen),
            self.masks[chosen],
            self.qualities[chosen],
        )

    @classmethod
    def empty(cls, height: int, width: int) -> Candidates:
        """No candidates, in a frame of height×width."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            (),
            np.zeros((0, height, width), np.bool_),
            np.zeros(0, np.float32),
        )


@dataclass(frozen=True)
class Selection:
    """The zero-shot choice (paper §3.2, equation 1): a row of the paper's set S2.

    Attributes:
        prompts: uint8 N×h×w×3 RGB, the visual prompt of each candidate as CLIP was shown it;
            h×w is the image's frame, scaled down where it is over `prompts.FRAME` pixels long.
        scores: float32 N, cosine similarity in [-1, 1]; the mean over an object's expressions.
        chosen: index of the selected candidate, -1 where there are none.
        prompt: name of the visual prompt, a key of `prompts.VISUAL_PROMPTS`.
    """

    prompts: NDArray[np.uint8]
    scores: NDArray[np.float32]
    chosen: int
    prompt: str

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.scores):
            raise ValueError(
                f"expected a score for each prompt, got {len(self.scores)} scores for "
                f"{len(self.prompts)} prompts"
            )
        if not -1 <= self.chosen < len(self.scores) or (len(self.scores) and self.chosen < 0):
            raise ValueError(
                f"chosen: expected an index below {len(self.scores)}, got {self.chosen}"
            )

    @property
    def order(self) -> NDArray[np.int64]:
        """int64 N: candidate indices, best score first (ties: lower index first)."""
        return np.argsort(-self.scores, kind="stable")


@dataclass(frozen=True)
class Result:
    """Everything known about one object of one image, filled in as the stages finish.

    Attributes:
        expressions: the referring expressions that name the object, one or more.
        matches: key noun and class of each expression, in the same order.
        candidates: stage 1.
        nearest: where nothing was found, up to three (class, similarity) pairs that were found
            in the image, nearest to the noun first: what one may have meant.
        selection: stage 2; None until it has run.
        timings: seconds spent per step of this object ("nouns", "classes", "boxes", "masks",
            "prompts", "scores"); work shared by several objects is counted with the first.
    """

    expressions: tuple[str, ...]
    matches: tuple[ClassMatch, ...]
    candidates: Candidates
    nearest: tuple[tuple[str, float], ...] = ()
    selection: Selection | None = None
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes looked for, in the order of the expressions."""
        return tuple(dict.fromkeys(match.name for match in self.matches))

    @property
    def found(self) -> bool:
        return len(self.candidates) > 0

    @property
    def mask(self) -> NDArray[np.bool_]:
        """bool H×W: the answer of S+S, all False where nothing was found or chosen yet."""
        if self.selection is None or self.selection.chosen < 0:
            return np.zeros(self.candidates.masks.shape[1:], np.bool_)
        return self.candidates.masks[self.selection.chosen]

    @property
    def message(self) -> str:
        """One plain sentence on what was looked for and what came of it."""
        looked_for = " or ".join(self.classes)
        if not self.found:
            nearest = ", ".join(f"{name}" for name, _ in self.nearest)
            hint = f" Found instead: {nearest}." if nearest else ""
            return f'No {looked_for} found for "{self.expressions[0]}".{hint}'
        n = len(self.candidates)
        if self.selection is None:
            return f"Found {n} candidate{'s' * (n > 1)} of class {looked_for}."
        order, scores = self.selection.order, self.selection.scores
        if n == 1:
            return f"The only {looked_for} found was chosen."
        return (
            f"Chose candidate {order[0] + 1} of {n} (score {scores[order[0]]:.3f}, "
            f"next {scores[order[1]]:.3f})."
        )

    def with_selection(self, selection: Selection, timings: dict[str, float]) -> Result:
        """This result with stage 2 done; timings are added to those of stage 1."""
        return replace(self, selection=selection, timings={**self.timings, **timings})
