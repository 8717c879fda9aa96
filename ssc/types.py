"""What the stages hand to each other: small frozen dataclasses that check themselves.

Everywhere images are RGB uint8 H×W×3 in the original frame, masks bool N×H×W, boxes float32 XYXY
pixels. Nothing found is length 0, never None.
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

JOINT = 0.6
"""Similarity that a soft IoU of 1 is worth where stages 2 and 3 choose together, by RefSprites' val
with the mini set, among 0.05 to 1.6; from 0.4 to 0.8 it hardly matters."""


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
    """Candidate masks of one object, best box first: a row of the paper's S1.

    Attributes:
        boxes: float32 N×4, XYXY pixels of the original frame.
        scores: float32 N, detector confidence in [0, 1].
        labels: N class names.
        masks: bool N×H×W, overlaps are kept.
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
        prompts: uint8 N×h×w×3 RGB, each candidate's visual prompt as CLIP was shown it; h×w is the
            image's frame, scaled down where it is over `prompts.FRAME` pixels long.
        scores: float32 N in [-1, 1], by which the choice was made: the mean over an object's
            expressions of CLIP's cosine similarity, less what a candidate is out of place where
            spatial guidance counted (`ssc.select.spatial.guide`; not in the paper).
        chosen: index of the selected candidate, -1 where there are none, or where matching gave
            all of them to other objects.
        prompt: name of the visual prompt, a key of `prompts.VISUAL_PROMPTS`.
        rule: how the choice was made, a key of `choose.RULES`.
        clip_scores: float32 N, the similarities alone where spatial guidance counted; None where
            `scores` are those: it was off, or no expression names a place.
    """

    prompts: NDArray[np.uint8]
    scores: NDArray[np.float32]
    chosen: int
    prompt: str
    rule: str = "argmax"
    clip_scores: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.scores):
            raise ValueError(
                f"expected a score for each prompt, got {len(self.scores)} scores for "
                f"{len(self.prompts)} prompts"
            )
        if self.clip_scores is not None and len(self.clip_scores) != len(self.scores):
            raise ValueError(
                f"clip_scores: expected {len(self.scores)} as of scores, "
                f"got {len(self.clip_scores)}"
            )
        if not -1 <= self.chosen < len(self.scores):
            raise ValueError(
                f"chosen: expected -1 or an index below {len(self.scores)}, got {self.chosen}"
            )

    @property
    def spatial(self) -> bool:
        """Whether spatial guidance counted in `scores`."""
        return self.clip_scores is not None

    @property
    def order(self) -> NDArray[np.int64]:
        """int64 N: candidate indices, best score first (ties: lower index first)."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def shares(self) -> NDArray[np.float64]:
        """float64 N in [0, 1]: softmax of the scores at CLIP's own temperature of 0.01."""
        if not len(self.scores):
            return np.zeros(0)
        shares = np.exp(100.0 * (self.scores.astype(np.float64) - self.scores.max()))
        return shares / shares.sum()

    @property
    def margin(self) -> float:
        """The largest of `shares` less the next; 1 for an only candidate, 0 for none."""
        best, second = sorted([*self.shares, 0.0, 0.0], reverse=True)[:2]
        return float(best - second)


@dataclass(frozen=True)
class Correction:
    """What the corrected model sees (paper §3.3); `ssc.correct.correct_at` makes it.

    Attributes:
        probability: float32 H×W in [0, 1], of each pixel being the object's.
        threshold: in [0, 1]; the mask is where the probability is above it.
        mask: bool H×W, the answer of S+S+C.
        ious: float32 N, IoU of that mask with each candidate.
        agreement: float32 N, soft IoU of the probability with each candidate.
        snapped: index of the candidate of the highest agreement, -1 where none reaches
            `ssc.correct.SNAP_IOU`: the corrected model's choice with stage 1's sharp borders.
    """

    probability: NDArray[np.float32]
    threshold: float
    mask: NDArray[np.bool_]
    ious: NDArray[np.float32]
    agreement: NDArray[np.float32]
    snapped: int

    def __post_init__(self) -> None:
        if self.probability.shape != self.mask.shape:
            raise ValueError(
                f"expected probability and mask of one frame, got {self.probability.shape} "
                f"and {self.mask.shape}"
            )
        if not -1 <= self.snapped < len(self.ious):
            raise ValueError(
                f"snapped: expected -1 or an index below {len(self.ious)}, got {self.snapped}"
            )


@dataclass(frozen=True)
class Result:
    """Everything known about one object of one image, filled in as the stages finish.

    Attributes:
        expressions: the referring expressions that name the object, one or more.
        matches: key noun and class of each expression, in the same order.
        candidates: stage 1.
        nearest: where nothing was found, up to three (class, similarity) pairs of what there is
            instead, nearest to the noun first.
        selection: stage 2; None until it has run.
        correction: stage 3; None until it has run, and where the pipeline has none.
        override: index of the candidate that a person chose instead; None where nobody did.
        timings: seconds of each step ("nouns", "classes", "boxes", "masks", "prompts", "scores",
            "correct"); work shared by several objects is counted with the first.
    """

    expressions: tuple[str, ...]
    matches: tuple[ClassMatch, ...]
    candidates: Candidates
    nearest: tuple[tuple[str, float], ...] = ()
    selection: Selection | None = None
    correction: Correction | None = None
    override: int | None = None
    timings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.override is not None and not 0 <= self.override < len(self.candidates):
            raise ValueError(
                f"override: expected an index below {len(self.candidates)}, got {self.override}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes looked for, in the order of the expressions."""
        return tuple(dict.fromkeys(match.name for match in self.matches))

    @property
    def found(self) -> bool:
        return len(self.candidates) > 0

    @property
    def chosen(self) -> int:
        """Index of the candidate that is the answer: a person's choice, else that of S+S; or -1."""
        if self.override is not None:
            return self.override
        return -1 if self.selection is None else self.selection.chosen

    @property
    def mask(self) -> NDArray[np.bool_]:
        """bool H×W: the mask of `chosen`, all False where nothing was found or chosen yet."""
        if self.chosen < 0:
            return np.zeros(self.candidates.masks.shape[1:], np.bool_)
        return self.candidates.masks[self.chosen]

    @property
    def snapped_mask(self) -> NDArray[np.bool_] | None:
        """bool H×W: the candidate that the corrected model means, else its own mask; or None."""
        if self.correction is None:
            return None
        snapped = self.correction.snapped
        return self.correction.mask if snapped < 0 else self.candidates.masks[snapped]

    @property
    def disagrees(self) -> bool:
        """Whether S+S and S+S+C mean different things; False while either has not run."""
        if self.selection is None or self.correction is None:
            return False
        if self.correction.snapped < 0:  # a mask of its own, or none
            return bool(self.correction.mask.any()) or self.selection.chosen >= 0
        return self.correction.snapped != self.selection.chosen

    @property
    def joint(self) -> int:
        """Index of the candidate that stages 2 and 3 prefer together, or -1 (not in the paper).

        The highest of stage 2's score plus `JOINT` times its agreement: CLIP knows looks better.
        """
        if self.selection is None or self.correction is None or not self.found:
            return -1
        return int((self.selection.scores + JOINT * self.correction.agreement).argmax())

    @property
    def joint_mask(self) -> NDArray[np.bool_] | None:
        """bool H×W: candidate `joint`, the corrected model's mask where there is none; or None."""
        if self.correction is None:
            return None
        return self.correction.mask if self.joint < 0 else self.candidates.masks[self.joint]

    def with_selection(self, selection: Selection, timings: dict[str, float]) -> Result:
        """This result with stage 2 done; timings are added to those of stage 1."""
        return replace(self, selection=selection, timings={**self.timings, **timings})

    def with_correction(self, correction: Correction, timings: dict[str, float]) -> Result:
        """This result with stage 3 done; timings are added to those of the stages before."""
        return replace(self, correction=correction, timings={**self.timings, **timings})

    def with_override(self, candidate: int | None) -> Result:
        """This result with a person's choice of candidate; None takes it back."""
        return replace(self, override=candidate)
