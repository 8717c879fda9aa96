"""Image + class names → boxes (paper §3.1, step 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.types import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.mini import MiniNetwork

Boxes = tuple["NDArray[np.float32]", "NDArray[np.float32]", tuple[str, ...]]


class Detector(Protocol):
    """Finds the instances of named classes."""

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


class MiniDetector:
    """The mini network's boxes: it knows COCO's 80 classes and looks for all of them at once.

    Args:
        network: shared with the segmenter, so that an image is encoded once.
        threshold: least score of a box; chosen on the val split of RefSprites.
    """

    def __init__(self, network: MiniNetwork, threshold: float) -> None:
        self.network = network
        self.threshold = threshold

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; raises InputError for a class that the network does not know."""
        unknown = sorted(set(class_names) - set(self.network.classes))
        if unknown:
            raise InputError(
                f"the mini set knows COCO's 80 classes, got {', '.join(unknown[:5])}; "
                "another vocabulary needs the base or paper set"
            )
        boxes, scores, labels = self.network.boxes(image)
        wanted = set(class_names)
        keep = [k for k, name in enumerate(labels) if name in wanted and scores[k] > self.threshold]
        return boxes[keep], scores[keep], tuple(labels[k] for k in keep)
