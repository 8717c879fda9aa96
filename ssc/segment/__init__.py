"""Stage 1 (paper §3.1): expression → key noun → class → boxes → candidate masks."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import OptionError
from ssc.expression import Ask
from ssc.result import Result
from ssc.segment.classes import as_classes
from ssc.segment.detect import as_known, known_classes, with_thresholds
from ssc.segment.masks import suppress_duplicates
from ssc.segment.neighbours import of_neighbours
from ssc.timing import Clock
from ssc.types import ANY_CLASS, NO_CLASS, Candidates
from ssc.words.vocabulary import load_vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Expression
    from ssc.segment.classes import ClassProjection
    from ssc.segment.detect import Boxes, Detector
    from ssc.segment.masks import Segmenter
    from ssc.types import ClassMatch
    from ssc.words.nouns import NounExtractor


FAINT = 0.8
"""Share of the detector's threshold from which a box is a sign of something: higher refuses more of
what is not there, and more of what is. Chosen on RefSprites' val and several (seeds 1 to 3) with
the mini set."""


class Segment:
    """Finds every instance of the class that an object's expressions name.

    Args:
        nouns: expression → key noun.
        classes: noun → class of the vocabulary.
        detector: image and class names → boxes.
        segmenter: image and boxes → one mask per box.
        project: False leaves the projection out: the noun itself is the class.
        paper: True keeps to the paper's key noun and its one nearest class; otherwise all that
            the words say is read (`ssc.words.read`), where `nouns` can.
        nearest: whether it is looked on where nothing of the class is found: the detector asks
            once more in its own way, and other classes are looked for. None: unless the detector
            is costly. By the paper's rule the detector always asks once more.
        several: whether all parts of a set that is asked for are looked for, where words are read.
    """

    def __init__(
        self,
        nouns: NounExtractor,
        classes: ClassProjection,
        detector: Detector,
        segmenter: Segmenter,
        *,
        project: bool = True,
        paper: bool = False,
        nearest: bool | None = None,
        several: bool = False,
    ) -> None:
        self.nouns = nouns
        self.classes = classes
        self.detector = detector
        self.segmenter = segmenter
        self.project = project
        self.paper = paper
        self.nearest = nearest
        self.several = several

    def with_options(
        self,
        *,
        vocabulary: Sequence[str] | None = None,
        project: bool | None = None,
        box_threshold: float | None = None,
        text_threshold: float | None = None,
        paper: bool | None = None,
        nearest: bool | None = None,
        several: bool | None = None,
    ) -> Segment:
        """This stage with other options, None keeps one; models and what they keep are shared.

        Args:
            vocabulary: class names to project to; of a detector that knows some classes only,
                these or some of them.
            project: whether a noun is projected to a class, or is the class itself.
            box_threshold: least score of a box, in [0, 1].
            text_threshold: least probability of a word of a box's phrase, in [0, 1].
            nearest: whether it is looked on where nothing of the class is found.
            several: whether a set that is asked for is looked for.

        Raises:
            OptionError: a threshold beyond these, or one that the detector does not have; no word
                or too many, or words that the detector does not know.
        """
        other = copy(self)
        if vocabulary is not None:
            if isinstance(vocabulary, str):
                raise OptionError("vocabulary: expected a list of words, got one text")
            names = as_known(load_vocabulary(vocabulary), known_classes(self.detector))
            other.nouns, other.classes = self.nouns.knowing(names), self.classes.onto(names)
        if project is not None:
            other.project = project
        if paper is not None:
            other.paper = paper
        if nearest is not None:
            other.nearest = nearest
        if several is not None:
            other.several = several
        other.detector = with_thresholds(
            self.detector, box_threshold=box_threshold, text_threshold=text_threshold
        )
        return other

    def __call__(self, image: NDArray[np.uint8], expressions: Sequence[str]) -> Result:
        """Stage 1 of one object.

        Args:
            image: RGB uint8 H×W×3.
            expressions: one or more expressions that name the object.

        Returns:
            A result with matches and candidates. Where nothing of the class was found, and others
            are looked for, these are of a class next to it (`Result.taken`; not by the paper's
            rule), or there are none and the nearest classes that are in the image.
        """
        clock = Clock()
        with clock("nouns"):
            read = None if self.paper or not self.project else getattr(self.nouns, "read", None)
            words = tuple(read(expression) for expression in expressions) if read else ()
            nouns = [reading.noun for reading in words] or [self.nouns(e) for e in expressions]
        with clock("classes"):
            if not self.project:
                matches = as_classes(nouns, known_classes(self.detector))
            else:
                matches = self.classes.several(nouns) if words else self.classes(nouns)
            asks = self._asks(words) if self.several else ()
            if asks:
                matches = _with_classes(matches, asks)
            targets = self._targets(matches)
        with clock("boxes"):
            boxes, scores, labels = self._detect(image, targets)
            present: Boxes | None = None  # of all classes, where nothing of these is
            if targets and not len(boxes) and self.looks_on:
                present = self._sweep(image)
                # What is not there is refused, not answered with what is next to it.
                if words and not (self.several and self._lacks(image, targets)):
                    boxes, scores, labels = of_neighbours(present, targets)
            others, absent = self._others(image, [*words, *(ask.said for ask in asks)])
        with clock("masks"):
            masks, qualities = self.segmenter.segment(image, boxes)
            detections = Candidates(boxes, scores, labels, masks, qualities)
            candidates = detections[suppress_duplicates(detections)]
        nearest: tuple[tuple[str, float], ...] = ()
        if not targets:
            nearest = matches[0].runners_up
        elif not len(candidates) and self.looks_on:
            there = (present or self._sweep(image))[2]
            nearest = self.classes.nearest(matches[0].noun, there, limit=3)
        return Result(
            tuple(expressions),
            matches,
            candidates,
            nearest,
            words=words,
            asks=asks,
            others=others,
            absent=absent,
            timings=clock.seconds,
            image=image,
        )

    def _others(
        self, image: NDArray[np.uint8], readings: Sequence[Expression]
    ) -> tuple[dict[str, NDArray[np.float32]], tuple[str, ...]]:
        """Boxes float32 N×4 of each noun that a relation names; and, where what is not there is to
        be refused, those nouns of which there is nothing."""
        nouns = [r.noun for reading in readings for r in reading.relations if r.noun]
        names = {noun: self._targets(self.classes.several([noun])) for noun in nouns}
        boxes = {noun: self._detect(image, own)[0] for noun, own in names.items()}
        absent = tuple(
            noun
            for noun, own in names.items()
            if self.several and own and not len(boxes[noun]) and self._lacks(image, own)
        )
        return boxes, absent

    def _asks(self, words: Sequence[Expression]) -> tuple[Ask, ...]:
        """The parts of the first set that the words ask for, and what they except; () for none."""
        for said in words:
            if said.parts:
                parts = [(part, False) for part in said.parts]
                parts += [(part, True) for part in said.excepted]
                return tuple(Ask(part, self._labels(part), out) for part, out in parts)
        return ()

    def _labels(self, said: Expression) -> tuple[str, ...]:
        """The classes that a part may be of; () for any."""
        return tuple(self._targets(self.classes.several([said.noun]))) if said.noun else ()

    def _targets(self, matches: Sequence[ClassMatch]) -> list[str]:
        """The classes to look for; [] where the nouns are far from every class."""
        names = list(dict.fromkeys(n for match in matches for n in (match.name, *match.others)))
        if names == [ANY_CLASS]:
            return list(self.classes.vocabulary)
        # An expression without a noun adds nothing to one that has it.
        return [name for name in names if name not in (ANY_CLASS, NO_CLASS)]

    @property
    def looks_on(self) -> bool:
        """Whether it is looked on where nothing of the classes that are asked for is found."""
        if self.nearest is None:
            return not getattr(self.detector, "costly", False)
        return self.nearest

    def could_look_on(self, result: Result) -> bool:
        """Whether `nearest` might find something where this result has nothing."""
        return not result.found and not self.looks_on and bool(self._targets(result.matches))

    def _lacks(self, image: NDArray[np.uint8], names: Sequence[str]) -> bool:
        """Whether nothing of these classes is there, by a detector that misses little."""
        if not getattr(self.detector, "misses_little", False):
            return False
        threshold = FAINT * getattr(self.detector, "threshold", 0.0)
        return not len(
            with_thresholds(self.detector, box_threshold=threshold).detect(image, names)[0]
        )

    def _sweep(self, image: NDArray[np.uint8]) -> Boxes:
        """All that is there of the vocabulary's classes."""
        return self._once(image, list(self.classes.vocabulary))

    def _detect(self, image: NDArray[np.uint8], targets: Sequence[str]) -> Boxes:
        if not targets:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ()
        if self.looks_on or self.paper:
            return self.detector.detect(image, targets)
        return self._once(image, targets)

    def _once(self, image: NDArray[np.uint8], targets: Sequence[str]) -> Boxes:
        """In one question, where the detector would ask another."""
        ask = getattr(self.detector, "detect_once", self.detector.detect)
        detections: Boxes = ask(image, targets)
        return detections


def _with_classes(matches: Sequence[ClassMatch], asks: Sequence[Ask]) -> tuple[ClassMatch, ...]:
    """The matches, the first of them with the classes of all that is asked for."""
    first, *rest = matches
    known = {first.name, *first.others}
    named = (name for ask in asks if not ask.excepted for name in ask.classes)
    more = tuple(dict.fromkeys(name for name in named if name not in known))
    return (replace(first, others=(*first.others, *more)), *rest)
