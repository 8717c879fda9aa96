"""Stage 1 (paper §3.1): expression → key noun → class → boxes → candidate masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.segment.masks import suppress_duplicates
from ssc.timing import Clock
from ssc.types import ANY_CLASS, Candidates, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.classes import ClassProjection
    from ssc.segment.detect import Detector
    from ssc.segment.masks import Segmenter
    from ssc.segment.nouns import NounExtractor


class Segment:
    """Finds every instance of the class that an object's expressions name.

    Args:
        nouns: expression → key noun.
        classes: noun → class of the vocabulary.
        detector: image and class names → boxes.
        segmenter: image and boxes → one mask per box.
    """

    def __init__(
        self,
        nouns: NounExtractor,
        classes: ClassProjection,
        detector: Detector,
        segmenter: Segmenter,
    ) -> None:
        self.nouns = nouns
        self.classes = classes
        self.detector = detector
        self.segmenter = segmenter

    def __call__(self, image: NDArray[np.uint8], expressions: Sequence[str]) -> Result:
        """Stage 1 of one object.

        Args:
            image: RGB uint8 H×W×3.
            expressions: one or more expressions that name the object.

        Returns:
            A result with matches and candidates, or, where nothing of the class was found, the
            nearest classes that are in the image.
        """
        clock = Clock()
        with clock("nouns"):
            nouns = [self.nouns(expression) for expression in expressions]
        with clock("classes"):
            matches = self.classes(nouns)
            names = list(dict.fromkeys(match.name for match in matches))
            if len(names) > 1:  # an expression without a noun adds nothing to one that has it
                names = [name for name in names if name != ANY_CLASS]
            wanted = list(self.classes.vocabulary) if names == [ANY_CLASS] else names
        with clock("boxes"):
            boxes, scores, labels = self.detector.detect(image, wanted)
        with clock("masks"):
            masks, qualities = self.segmenter.segment(image, boxes)
            found = Candidates(boxes, scores, labels, masks, qualities)
            candidates = found[suppress_duplicates(found)]
        nearest: tuple[tuple[str, float], ...] = ()
        if not len(candidates):
            present = self.detector.detect(image, list(self.classes.vocabulary))[2]
            nearest = self.classes.nearest(matches[0].noun, present, limit=3)
        return Result(tuple(expressions), matches, candidates, nearest, timings=clock.seconds)
