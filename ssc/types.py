"""What the stages hand to each other: small frozen values that check themselves.

Everywhere images are RGB uint8 H×W×3 in the original frame, masks bool N×H×W, boxes float32 XYXY
pixels. Nothing found is length 0, never None. An `index` counts from 0 and is -1 for none; a
`number` is what people read, on pictures, in messages and in result.json, and counts from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ssc.draw import draw_candidates
from ssc.formats import coco_instances, detections
from ssc.values import Masked, Value, canvas, share, thumbnail

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ssc.images import PictureLike

ANY_CLASS = "any object"
"""The class of an expression that names none ("blue", "the left one"): all are candidates."""
NO_CLASS = "no class"
"""The class of a noun that is far from every class ("sky"): nothing is looked for."""


@dataclass(frozen=True)
class ClassMatch:
    """A key noun and the vocabulary class that it was projected to (paper §3.1, step 2).

    Attributes:
        noun: key noun of the expression; empty where the expression has none.
        name: class of the vocabulary, `ANY_CLASS` or `NO_CLASS`.
        similarity: cosine similarity of noun and class in CLIP text space, in [-1, 1];
            1.0 where noun and class are the same word, 0.0 where there is no noun.
        runners_up: the next nearest classes with their similarities, best first.
        others: further classes that the noun may mean ("bike"), looked for too; not in the paper.
    """

    noun: str
    name: str
    similarity: float
    runners_up: tuple[tuple[str, float], ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Candidate(Masked):
    """One of `Candidates`.

    Attributes:
        box: float32 4, XYXY pixels of the original frame.
        score: detector confidence in [0, 1].
        label: class name.
        mask: bool H×W.
        quality: the segmenter's own estimate of the mask's IoU, in [0, 1].
        index: its place among the candidates that it was taken from; not compared.

    >>> import ssc
    >>> result = ssc.find("assets/examples/faces.jpg", "guy with a turban", models="mini")
    >>> first = result.candidates[0]
    >>> first.number, first.label, first.mask.shape
    (1, 'person', (480, 640))
    """

    box: NDArray[np.float32]
    score: float
    label: str
    mask: NDArray[np.bool_]
    quality: float
    index: int = field(default=-1, compare=False)

    @property
    def number(self) -> int:
        """Its number on pictures and in messages, from 1."""
        return self.index + 1

    def __repr__(self) -> str:
        return f"Candidate({self.number}: {self.label} {self.score:.2f}, {share(self.mask)})"


@dataclass(frozen=True, eq=False, repr=False)
class Candidates(Value):
    """Candidate masks of one object, best box first: a row of the paper's S1.

    A sequence: it has a length, is iterated over as `Candidate`, and takes indices and slices.

    Attributes:
        boxes: float32 N×4, XYXY pixels of the original frame.
        scores: float32 N, detector confidence in [0, 1].
        labels: N class names.
        masks: bool N×H×W, overlaps are kept.
        qualities: float32 N, the segmenter's own estimate of each mask's IoU, in [0, 1].

    Raises:
        ValueError: arrays of other shapes, or of different lengths.

    >>> from ssc import Candidates
    >>> none = Candidates.empty(240, 320)
    >>> len(none), list(none), none == Candidates.empty(240, 320)
    (0, [], True)
    >>> none
    Candidates(none in 320×240)
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
        super().__post_init__()

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Candidate]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> Candidates: ...

    def __getitem__(
        self, index: int | np.integer | slice | Sequence[int] | NDArray[Any]
    ) -> Candidate | Candidates:
        """The candidate at an integer; at a slice, integers, or N booleans those, in that order."""
        places = np.arange(len(self))
        if isinstance(index, (int, np.integer)):
            i = int(places[index])
            box, score, label = self.boxes[i], float(self.scores[i]), self.labels[i]
            return Candidate(box, score, label, self.masks[i], float(self.qualities[i]), i)
        if not isinstance(index, slice):
            index = np.asarray(index, dtype=None if len(index) else np.int64)
        chosen = places[index]
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

    def overlay(self, picture: PictureLike) -> Image.Image:
        """The picture with every candidate tinted, outlined and numbered, as a PIL image.

        Raises:
            PictureError: it cannot be opened, or is of another size.
        """
        from PIL import Image

        image = canvas(picture, None, self.masks.shape[1:])
        return Image.fromarray(draw_candidates(image, self.masks, self.boxes))

    def to_coco(self) -> dict[str, Any]:
        """As a COCO instance file of one picture; see `ssc.formats.coco_instances`."""
        return coco_instances(self.masks, self.boxes, self.scores, self.labels)

    def to_detections(self) -> Any:
        """As `supervision.Detections`; raises ResourceError where supervision is not installed."""
        return detections(self.masks, self.boxes, self.scores, self.labels)

    def __repr__(self) -> str:
        height, width = self.masks.shape[1:]
        shown = [f"{label} {score:.2f}" for label, score in zip(self.labels[:5], self.scores)]
        more = f", and {len(self) - 5} more" if len(self) > 5 else ""
        text = f"{len(self)} in {width}×{height}: {', '.join(shown)}{more}"
        return f"Candidates({text if len(self) else f'none in {width}×{height}'})"

    def _repr_png_(self) -> bytes:
        """For notebooks: the candidates on a grey ground."""
        ground = np.full((*self.masks.shape[1:], 3), 224, np.uint8)
        return thumbnail(draw_candidates(ground, self.masks, self.boxes))


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 N in [0, 1]: softmax of N scores at CLIP's own temperature of 0.01."""
    if not len(scores):
        return np.zeros(0)
    shares = np.exp(100.0 * (scores.astype(np.float64) - scores.max()))
    return shares / shares.sum()


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Value):
    """The zero-shot choice (paper §3.2, equation 1): a row of the paper's set S2.

    Attributes:
        prompts: uint8 N×h×w×3 RGB, each candidate's visual prompt as CLIP was shown it; h×w is the
            image's frame, scaled down where it is over `prompts.FRAME` pixels long.
        scores: float32 N in [-1, 1], by which the choice was made: the mean over an object's
            expressions of CLIP's cosine similarity, less what a candidate is out of place where
            spatial guidance counted (`ssc.select.spatial.guide`; not in the paper).
        index: of the selected candidate, -1 where there are none, or where matching gave
            all of them to other objects.
        prompt: name of the visual prompt, a key of `prompts.VISUAL_PROMPTS`.
        rule: how the choice was made, a key of `choose.RULES`.
        clip_scores: float32 N, the similarities alone where spatial guidance counted; None where
            `scores` are those: it was off, or no expression says anything of geometry.
        parts: "place", "size", "relation" → float32 N, what each candidate is out of it, and
            "colour" → its share in a colour that is named, where no CLIP looked; means over the
            expressions, of those only that are said. Not compared.
        by_words: whether no CLIP looked, and words and the detector's score alone chose.
        unread: words of the expressions that CLIP did not read, as they are too long.
        members: indices of the candidates that are meant, in order, where several are asked for
            or where what is asked for is not there, then (); None where one is chosen.
        evidence: float32 N in [0, 1], how much speaks for each being what is asked for at all
            (`ssc.select.several`); None where that is not asked.
    """

    prompts: NDArray[np.uint8]
    scores: NDArray[np.float32]
    index: int
    prompt: str
    rule: str = "argmax"
    clip_scores: NDArray[np.float32] | None = None
    parts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, compare=False)
    by_words: bool = False
    unread: tuple[str, ...] = ()
    members: tuple[int, ...] | None = None
    evidence: NDArray[np.float32] | None = None

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
        if not -1 <= self.index < len(self.scores):
            raise ValueError(
                f"index: expected -1 or an index below {len(self.scores)}, got {self.index}"
            )
        if any(not 0 <= index < len(self.scores) for index in self.members or ()):
            raise ValueError(
                f"members: expected indices below {len(self.scores)}, got {self.members}"
            )
        super().__post_init__()

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
        return softmax(self.scores)

    @property
    def margin(self) -> float:
        """The largest of `shares` less the next; 1 for an only candidate, 0 for none."""
        best, second = sorted([*self.shares, 0.0, 0.0], reverse=True)[:2]
        return float(best - second)

    def __repr__(self) -> str:
        scores = np.array2string(self.scores, precision=3, threshold=8, max_line_width=200)
        return f"Selection(index={self.index} of scores {scores}, {self.prompt}, {self.rule})"
