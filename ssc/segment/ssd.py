"""SSD (Liu et al. 2016) with MobileNet v2, trained on COCO: the pocket set's boxes, by OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.cache import Cache, content_key
from ssc.errors import WeightsError
from ssc.segment.detect import as_known, check_threshold
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.detect import Boxes

SIDE = 300  # pixels of the square that the network sees
# Fourteen looks in place of five bring AP50 on the instances of `coco62` (`train.data.photographs`)
# from .65 to .68. The answers to its expressions are no better for it, and a look costs 0.06 s.
TILE = 0.6  # of the picture's sides; four tiles, one in each corner
BORDER = 0.02  # of a tile's short side: a box nearer to a border inside the picture is cut by it
NMS_IOU = 0.5  # of two boxes of one class that overlap more, the better stays
THRESHOLD = 0.25
FALLBACK = 0.1  # where nothing of the classes is over the threshold
LEAST = 0.05  # kept of a picture
KEPT = 32  # pictures' boxes, a few kB each

_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
"""Of COCO's category ids 1 to 90, those that its annotations do not use."""
_IDS = dict(zip((i for i in range(1, 91) if i not in _GAPS), COCO_80, strict=True))


class SsdDetector:
    """The `Detector` of the pocket set: it knows COCO's 80 classes, and looks for all at once.

    At 300 pixels a small thing is lost; so the picture is looked at whole and in four tiles that
    overlap. A box that a tile's border cuts is dropped, as another look has it whole.

    Args:
        network: a `cv2.dnn.Net`, for example of `load_ssd`.
        threshold: least score of a box, in [0, 1]. Where nothing of the classes asked for is over
            it, what is over `FALLBACK` is taken.
        tiles: False looks at the whole picture only, a fifth of the time.
    """

    classes = COCO_80

    def __init__(self, network: Any, *, threshold: float = THRESHOLD, tiles: bool = True) -> None:
        check_threshold("box_threshold", threshold)
        self.network = network
        self.threshold = threshold
        self.tiles = tiles
        self._lock = Lock()  # a cv2.dnn.Net holds its input
        self._detections: Cache[Boxes] = Cache(KEPT)

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; raises OptionError for a class that the network does not know."""
        targets = set(as_known(class_names, self.classes))
        boxes, scores, labels = self._detections.get(
            (content_key(image), self.tiles), lambda: self._look_all(image)
        )
        named = np.array([label in targets for label in labels], np.bool_)
        keep = np.flatnonzero(named & (scores > self.threshold))
        if not len(keep):
            keep = np.flatnonzero(named & (scores > min(FALLBACK, self.threshold)))
        return boxes[keep], scores[keep], tuple(labels[k] for k in keep)

    def _look_all(self, image: NDArray[np.uint8]) -> Boxes:
        """Every box over `LEAST` of all looks, best first, without twins."""
        import torch
        from torchvision.ops import batched_nms

        h, w = image.shape[:2]
        looks = [self._look(image, view) for view in _views(h, w, self.tiles)]
        boxes, scores, ids = (np.concatenate(parts) for parts in zip(*looks))
        keep = batched_nms(*map(torch.from_numpy, (boxes, scores, ids)), NMS_IOU).numpy()
        return boxes[keep], scores[keep], tuple(_IDS[i] for i in ids[keep].tolist())

    def _look(
        self, image: NDArray[np.uint8], view: tuple[int, int, int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Boxes N×4 in the picture's frame, scores N and COCO ids N of one view, XYXY pixels."""
        import cv2

        x0, y0, x1, y1 = view
        crop = np.ascontiguousarray(image[y0:y1, x0:x1])
        with self._lock:
            self.network.setInput(cv2.dnn.blobFromImage(crop, size=(SIDE, SIDE), swapRB=False))
            rows = self.network.forward()[0, 0]  # 1×1×N×7 → N×7: image, id, score, box
        ids = rows[:, 1].astype(np.int64)
        rows = rows[(rows[:, 2] > LEAST) & np.isin(ids, list(_IDS))]
        sides = np.array([x1 - x0, y1 - y0] * 2, np.float32)
        boxes = (rows[:, 3:7].clip(0, 1) * sides + (x0, y0, x0, y0)).astype(np.float32)
        h, w = image.shape[:2]
        inside = np.array([x0 > 0, y0 > 0, x1 < w, y1 < h])  # borders that are not the picture's
        far = BORDER * sides.min()
        cut = (np.abs(boxes - np.array(view)) < far) & inside
        keep = ~cut.any(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        return boxes[keep], rows[keep, 2].copy(), rows[keep, 1].astype(np.int64)


def _views(height: int, width: int, tiles: bool) -> list[tuple[int, int, int, int]]:
    """The whole picture and, where it is more than a few pixels, its tiles: XYXY pixels."""
    views = [(0, 0, width, height)]
    h, w = round(height * TILE), round(width * TILE)
    if tiles and min(h, w) >= 2:
        corners = product((0, height - h), (0, width - w))
        views += [(x, y, x + w, y + h) for y, x in corners]
    return views


def load_ssd(graph: Path, text: Path) -> Any:
    """The `cv2.dnn.Net` of a frozen TensorFlow graph.

    Args:
        graph: the frozen graph, `.pb`.
        text: OpenCV's description of it, `.pbtxt`.

    Raises:
        WeightsError: a file is missing, damaged or another network's.
    """
    import cv2

    try:
        return cv2.dnn.readNetFromTensorflow(str(graph), str(text))
    except cv2.error as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{graph}: expected a frozen graph of an SSD, got: {reason}; download it again"
        ) from error
