"""Image + class names → boxes (paper §3.1, step 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.mini import MiniNetwork

Boxes = tuple["NDArray[np.float32]", "NDArray[np.float32]", tuple[str, ...]]


class Detector(Protocol):
    """Finds the instances of named classes.

    One that knows some classes only names them in an attribute `classes`; any other takes any
    words.
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


def as_known(names: Sequence[str], known: Sequence[str] | None) -> tuple[str, ...]:
    """`names` in the spelling of `known`, case ignored; as they are where that is None.

    Raises:
        InputError: names that are not known; the message lists them.
    """
    if known is None:
        return tuple(names)
    spelling = {name.lower(): name for name in known}
    unknown = [name for name in dict.fromkeys(names) if name.lower() not in spelling]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InputError(
            f"the mini set knows COCO's 80 classes, got {', '.join(unknown[:5])}{more}; "
            "another vocabulary needs the base or paper set"
        )
    return tuple(spelling[name.lower()] for name in names)


class MiniDetector:
    """The mini network's boxes: it knows COCO's 80 classes and looks for all of them at once.

    Args:
        network: shared with the segmenter, so that an image is encoded once.
        threshold: least score of a box; chosen on the val split of RefSprites.
    """

    def __init__(self, network: MiniNetwork, threshold: float) -> None:
        self.network = network
        self.threshold = threshold

    @property
    def classes(self) -> tuple[str, ...]:
        return self.network.classes

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; raises InputError for a class that the network does not know."""
        wanted = set(as_known(class_names, self.classes))
        boxes, scores, labels = self.network.boxes(image)
        keep = [k for k, name in enumerate(labels) if name in wanted and scores[k] > self.threshold]
        return boxes[keep], scores[keep], tuple(labels[k] for k in keep)
