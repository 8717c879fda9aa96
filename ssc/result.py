"""Everything known about one object, and the one answer that it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.answer import BOTH, CORRECTED, NONE, NOTHING, SELECTED, SEVERAL, SNAPPED, YOURS, Answer
from ssc.correction import Correction
from ssc.formats import coco_instances, detections
from ssc.metrics import mask_box
from ssc.sure import NOT_SURE, how_sure
from ssc.types import ANY_CLASS, Candidates, ClassMatch, Selection
from ssc.values import Masked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Ask, Expression

JOINT, JOINT_WITH_WORDS = 0.6, 0.1
"""What a soft IoU of 1 is worth in stage 2's score where stages 2 and 3 choose together: by the
paper's rule, and where words count. By RefSprites' val with the mini set, among 0 to 0.8."""


@dataclass(frozen=True, eq=False, repr=False)
class Result(Masked):
    """Everything known about one object of one image, filled in as the stages finish.

    `mask` is the plain answer, the best that is known; each stage's own has a name:

        selected     S+S: the candidate that CLIP finds most like the expressions (stages 1 and 2)
        corrected    S+S+C: the corrected model's own mask (stage 3)
        snapped      S+S+C as the candidate that the corrected model agrees with best
        joint        S+S and S+S+C: the candidate that stages 2 and 3 prefer together

    Each is an `Answer` with a mask, None until its stages have run. Where several objects are asked
    for, or one that is not there, the answer is stage 2's `members` instead.

    Attributes:
        expressions: the referring expressions that name the object, one or more.
        matches: key noun and class of each expression, in the same order.
        candidates: stage 1.
        nearest: where nothing was found, up to three (class, similarity) pairs of what there is
            instead, nearest to the noun first.
        selection: stage 2's scores; None until it has run.
        correction: stage 3's probability; None until it has run, and where the pipeline has none.
        override: indices of the candidates that a person chose instead, () for none of them; None
            where nobody did.
        joint_index: of the candidate that `joint` is where objects choose together
            (`ssc.select.choose.match_joint`), -1 where all went to others; else None.
        words: what each expression says, in the same order; () by the paper's rule.
        asks: the parts of the set that is asked for ("the man and his dog"); () for one object.
        others: noun of a relation → boxes of its objects, float32 M×4. Not compared.
        absent: those of these nouns that are not there, by a detector that misses little.
        timings: seconds of each step ("nouns", "classes", "boxes", "masks", "prompts", "scores",
            "correct"); work shared by several objects is counted with the first. Not compared.
        image: RGB uint8 H×W×3 that was asked about, for `overlay`; None where a result is made
            without. Not compared.

    >>> import ssc
    >>> result = ssc.find("assets/examples/faces.jpg", "guy with a turban", models="mini")
    >>> result.mask.shape, result.mask.dtype.name, len(result.candidates) > 1
    ((480, 640), 'bool', True)
    >>> result.overlay().size  # a PIL image: show it, or save it
    (640, 480)
    """

    expressions: tuple[str, ...]
    matches: tuple[ClassMatch, ...]
    candidates: Candidates
    nearest: tuple[tuple[str, float], ...] = ()
    selection: Selection | None = None
    correction: Correction | None = None
    override: tuple[int, ...] | None = None
    joint_index: int | None = None
    words: tuple[Expression, ...] = ()
    asks: tuple[Ask, ...] = ()
    others: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, compare=False)
    absent: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)
    image: NDArray[np.uint8] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        named = [("override", index, 0) for index in self.override or ()]
        if self.joint_index is not None:
            named.append(("joint_index", self.joint_index, -1))
        for name, index, least in named:
            if not least <= index < len(self.candidates):
                raise ValueError(
                    f"{name}: expected an index below {len(self.candidates)}, got {index}"
                )
        super().__post_init__()

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes looked for, in the order of the expressions."""
        named = [(match.name, *match.others) for match in self.matches]
        return tuple(dict.fromkeys(name for names in named for name in names))

    @property
    def taken(self) -> tuple[str, ...]:
        """Classes of the candidates that stand in for those looked for (`ssc.segment.neighbours`);
        () where one of these was found."""
        if ANY_CLASS in self.classes or not set(self.classes).isdisjoint(self.candidates.labels):
            return ()
        return tuple(dict.fromkeys(self.candidates.labels))

    @property
    def found(self) -> bool:
        """Whether stage 1 found candidates."""
        return len(self.candidates) > 0

    @property
    def answer(self) -> Answer:
        """The one answer: a person's choice, else the set that is asked for, else `joint`, else
        `selected`; empty before stage 2.

        `joint` has the highest mIoU of the four on RefSprites' val with the mini set, with spatial
        guidance and without (`python -m train.evaluate --splits val`).
        """
        if self.override is not None:
            return self._of_candidates(YOURS, self.override)
        if self.members is not None:
            return self._of_candidates(SEVERAL if self.members else NONE, self.members)
        return self.joint or self.selected or self._of_candidate(NOTHING, -1)

    @property
    def members(self) -> tuple[int, ...] | None:
        """Indices of all candidates that are meant, () where none is; None where one is."""
        return None if self.selection is None else self.selection.members

    @property
    def instances(self) -> Candidates:
        """The candidates that the answer is made of, each with its own mask."""
        return self.candidates[list(self.answer.indices)]

    @property
    def mask(self) -> NDArray[np.bool_]:  # type: ignore[override]  # read, never set
        """bool H×W: the mask of `answer`."""
        return self.answer.mask

    @property
    def index(self) -> int:  # type: ignore[override]  # likewise
        """Index of the candidate that is the answer; -1 where it is none of them."""
        return self.answer.index

    @property
    def selected(self) -> Answer | None:
        """S+S: stage 2's choice; empty where it chose none."""
        if self.selection is None:
            return None
        return self._of_candidate(SELECTED, self.selection.index)

    @property
    def corrected(self) -> Answer | None:
        """S+S+C: the corrected model's own mask, which needs no candidates."""
        if self.correction is None:
            return None
        return Answer(CORRECTED, self.correction.mask, image=self.image)

    @property
    def snapped(self) -> Answer | None:
        """The candidate that the corrected model means, else its own mask (not in the paper)."""
        if self.correction is None:
            return None
        return self._of_stage_3(SNAPPED, self.correction.snapped_index)

    @property
    def joint_weight(self) -> float:
        """`JOINT`, or `JOINT_WITH_WORDS` where words are read."""
        return JOINT_WITH_WORDS if self.words else JOINT

    @property
    def joint(self) -> Answer | None:
        """The candidate that stages 2 and 3 prefer together, else stage 3's own mask.

        Not in the paper. The highest of `joint_scores`; by the rule "matching" no candidate is the
        joint answer of two objects of a call, and an object to which none is left has an empty one.
        """
        scores = self.joint_scores
        if scores is None:
            return None
        if self.found and self.joint_index is not None:
            return self._of_candidate(BOTH, self.joint_index)
        return self._of_stage_3(BOTH, int(scores.argmax()) if self.found else -1)

    @property
    def joint_scores(self) -> NDArray[np.float32] | None:
        """float32 N: stage 2's score plus `joint_weight` times the corrected model's agreement.

        CLIP knows looks better, the corrected model places. None until both stages have run.
        """
        if self.selection is None or self.correction is None:
            return None
        return self.selection.scores + self.joint_weight * self.correction.agreement

    @property
    def sure(self) -> str | None:
        """How sure `answer` is (`ssc.sure`); None before stage 2, for several, for none, and for a
        person's choice."""
        selection, correction, index = self.selection, self.correction, self.answer.index
        if selection is None or self.override is not None or self.members is not None:
            return None
        if index < 0 or any(reading.unclear(len(self.candidates)) for reading in self.words):
            return NOT_SURE
        scores = self.joint_scores
        if scores is None or correction is None:
            return how_sure(selection.scores, index)
        agree = selection.index == correction.snapped_index == index
        return how_sure(scores, index, agree, float(correction.agreement[index]))

    @property
    def disagrees(self) -> bool:
        """Whether S+S and S+S+C mean different things; False while either has not run."""
        if self.selection is None or self.correction is None:
            return False
        if self.correction.snapped_index < 0:  # a mask of its own, or none
            return bool(self.correction.mask.any()) or self.selection.index >= 0
        return self.correction.snapped_index != self.selection.index

    def with_selection(self, selection: Selection, timings: Mapping[str, float]) -> Result:
        """This result with stage 2 done; timings are added to those of stage 1."""
        return replace(self, selection=selection, timings={**self.timings, **timings})

    def with_correction(self, correction: Correction, timings: Mapping[str, float]) -> Result:
        """This result with stage 3 done; timings are added to those of the stages before."""
        return replace(self, correction=correction, timings={**self.timings, **timings})

    def with_override(self, chosen: int | Sequence[int] | None) -> Result:
        """This result with a person's choice: a candidate, several, or () for none of them; None
        takes it back."""
        if chosen is None:
            return replace(self, override=None)
        indices = (chosen,) if isinstance(chosen, (int, np.integer)) else chosen
        return replace(self, override=tuple(sorted({int(index) for index in indices})))

    def to_coco(self) -> dict[str, Any]:
        """The answer as a COCO instance file of one picture; see `ssc.formats.coco_instances`."""
        return coco_instances(*self._instances())

    def to_detections(self) -> Any:
        """The answer as `supervision.Detections`; ResourceError where that is not installed."""
        return detections(*self._instances())

    def _instances(self) -> tuple[NDArray, NDArray, NDArray, tuple[str, ...]]:
        """Masks, boxes, scores and classes of the answer's instances; of none where it is empty."""
        answer = self.answer
        if answer.indices:
            own = self.instances
            return own.masks, own.boxes, own.scores, own.labels
        masks = answer.mask[None][: not answer.empty]
        boxes = np.array([mask_box(mask) for mask in masks], np.float32).reshape(-1, 4)
        score = 0.0 if self.correction is None else float(self.correction.probability.max())
        return masks, boxes, np.full(len(masks), score, np.float32), self.classes[: len(masks)]

    def _of_candidate(self, by: str, index: int) -> Answer:
        return self._of_candidates(by, (index,) if index >= 0 else ())

    def _of_candidates(self, by: str, indices: tuple[int, ...]) -> Answer:
        masks = self.candidates.masks
        if len(indices) == 1:
            return Answer(by, masks[indices[0]], indices[0], indices, self.image)
        union = np.asarray(masks[list(indices)].any(axis=0))  # K×H×W → H×W
        return Answer(by, union, -1, indices, self.image)

    def _of_stage_3(self, by: str, index: int) -> Answer:
        assert self.correction is not None
        if index >= 0:
            return self._of_candidate(by, index)
        return Answer(by, self.correction.mask, image=self.image)

    def __repr__(self) -> str:
        question, n = " | ".join(self.expressions), len(self.candidates)
        return f"Result({question!r} → {' | '.join(self.classes)}, {n} found; {self.answer!r})"
