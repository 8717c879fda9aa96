"""Image + class names → boxes (paper §3.1, step 3)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.mini import MiniNetwork

Boxes = tuple["NDArray[np.float32]", "NDArray[np.float32]", tuple[str, ...]]


class Detector(Protocol):
    """Finds the instances of named classes.

    One that knows some classes only names them in an attribute `classes`; any other takes any
    words. One that can be told the least score of a box has it in an attribute `threshold`, and
    the least probability of a word of a box's phrase in `text_threshold`. One that takes long for
    each question says so by `costly`, True; and one that asks again where it finds nothing has
    `detect_once`, as `detect` but without that. One that misses little of what is there says so by
    `misses_little`, True: what it does not find can be said not to be there.
    """

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """Every instance of the classes in the image.

        Args:
            image: RGB uint8 H×W×3.
            class_names: what to look for.

        Returns:
            boxes float32 N×4, XYXY pixels; scores float32 N in [0, 1], falling; N class names
            out of `class_names`.
        """
        ...


def known_classes(detector: Detector) -> tuple[str, ...] | None:
    """The classes that a detector knows; None for one that takes any words."""
    return getattr(detector, "classes", None)


def as_known(names: Sequence[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """`names` in the spelling of `classes`, case ignored; as they are where that is None.

    Raises:
        OptionError: names that are not known; the message lists them.
    """
    if classes is None:
        return tuple(names)
    spelling = {name.lower(): name for name in classes}
    unknown = [name for name in dict.fromkeys(names) if name.lower() not in spelling]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise OptionError(
            f"this model set knows COCO's 80 classes, got {', '.join(unknown[:5])}{more}; "
            "another vocabulary needs the lite, base or paper set"
        )
    return tuple(spelling[name.lower()] for name in names)


def check_threshold(name: str, value: float) -> None:
    """Raises OptionError unless `value` is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise OptionError(f"{name}: expected a number, 0 to 1, got {value!r}")


def with_thresholds(
    detector: Detector, *, box_threshold: float | None = None, text_threshold: float | None = None
) -> Detector:
    """The detector with other thresholds, None keeps one; its network and what it keeps are shared.

    Raises:
        OptionError: a threshold beyond [0, 1], or one that the detector does not have.
    """
    other = copy(detector)
    thresholds = {"threshold": box_threshold, "text_threshold": text_threshold}
    for name, value in thresholds.items():
        if value is None:
            continue
        option = "box_threshold" if name == "threshold" else name
        check_threshold(option, value)
        if not hasattr(detector, name):
            what = "reads no words" if name == "text_threshold" else "scores no boxes"
            raise OptionError(
                f"{option}: expected none, as the model set's detector {what}, got {value}; "
                "leave it out, or choose another model set"
            )
        setattr(other, name, value)
    return other


class MiniDetector:
    """The mini network's boxes: it knows COCO's 80 classes and looks for all of them at once.

    Args:
        network: shared with the segmenter, so that an image is encoded once.
        threshold: least score of a box; chosen on the val split of RefSprites.

    Raises:
        OptionError: a threshold beyond [0, 1].
    """

    misses_little = True
    """Of RefSprites' scenes it knows all classes, and is asked again with a lower threshold."""

    def __init__(self, network: MiniNetwork, *, threshold: float) -> None:
        check_threshold("box_threshold", threshold)
        self.network = network
        self.threshold = threshold

    @property
    def classes(self) -> tuple[str, ...]:
        return self.network.classes

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; raises OptionError for a class that the network does not know."""
        targets = set(as_known(class_names, self.classes))
        boxes, scores, labels = self.network.boxes(image)
        keep = [
            k for k, name in enumerate(labels) if name in targets and scores[k] > self.threshold
        ]
        return boxes[keep], scores[keep], tuple(labels[k] for k in keep)
