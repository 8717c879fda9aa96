"""FreeSOLO (Wang et al., CVPR 2022) behind the Segmenter protocol: Table 2's other segmenter.

It takes no prompts. As in the paper (§4.2) it is asked about the crop around each box, and of the
instances that it finds there the one that fits the box best is taken.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import masks_to_boxes

from ssc.cache import Cache, content_key
from ssc.devices import in_chunks
from ssc.metrics import pairwise_box_iou
from ssc.segment.detect import check_threshold
from ssc.segment.sam import threshold_enlarged
from ssc.segment.solo import DIVISOR, FEATURES, Solo
from ssc.segment.solo_instances import INSIDE, SCORE, Instances, instances
from ssc.types import Candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.1  # of a box's sides, seen around it; the paper does not say how much
SHORT, LONG = 800, 1333  # pixels that a picture's sides are brought to, at most: detectron2's
MEAN = (123.675, 116.28, 103.53)  # ImageNet's, RGB
STD = (58.395, 57.12, 57.375)
KEPT = 64  # boxes' masks, up to 0.3 MB each

Found = tuple["NDArray[np.float32]", float] | None
"""Of a box: probabilities of a crop's pixels less `INSIDE`, and their mean inside of the mask."""


class FreeSolo:
    """A `Segmenter`; and all instances of a picture, as GL-CLIP chooses among them.

    A crop is seen by itself, since padding would change its group normalizations: a mask does not
    depend on other boxes.

    Args:
        network: for example of `ssc.segment.solo_weights.load_solo`.
        device: where it runs.
        threshold: least probability of a grid's cell, in [0, 1].
        sides: pixels that a picture's shorter and longer side are brought to, at most.

    Raises:
        OptionError: a threshold beyond [0, 1].
    """

    def __init__(
        self,
        network: Solo,
        *,
        device: str | torch.device = "cpu",
        threshold: float = SCORE,
        sides: tuple[int, int] = (SHORT, LONG),
    ) -> None:
        check_threshold("threshold", threshold)
        self.network = network.eval().to(device)
        self.device = torch.device(device)
        self.threshold = threshold
        self.sides = sides
        self._masks: Cache[Found] = Cache(KEPT)
        self._all: Cache[Candidates] = Cache(1)  # rows ask about the same picture in turn

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `Segmenter.segment`; the quality is the mean probability inside of the mask.

        Where nothing is found around a box its mask is empty, and its quality 0.

        Raises:
            ResourceError: out of memory.
        """
        masks = np.zeros((len(boxes), *image.shape[:2]), np.bool_)
        qualities = np.zeros(len(boxes), np.float32)
        key = content_key(image)
        for k, box in enumerate(np.asarray(boxes, np.float32)):
            rows, columns = around(box, image.shape[:2])
            fits = partial(self._fits, image[rows, columns], box - _corner(rows, columns))
            if found := self._masks.get((key, box.tobytes()), fits):
                threshold_enlarged(found[0], masks[k, rows, columns])
                qualities[k] = found[1]
        return masks, qualities

    def everything(self, image: NDArray[np.uint8]) -> Candidates:
        """All instances of a picture; both scores of each are its own, in [0, 1]."""
        return self._all.get(content_key(image), partial(self._everything, image))

    def _everything(self, image: NDArray[np.uint8]) -> Candidates:
        found = self._see(image)
        masks = np.zeros((len(found.scores), *image.shape[:2]), np.bool_)
        for mask, own in zip(masks, found.probabilities):
            threshold_enlarged(self._inside(own, image.shape[:2]), mask)
        boxes = self._boxes(found, image.shape[:2])
        scores = found.scores.cpu().numpy()
        return Candidates(boxes, scores, ("",) * len(boxes), masks, scores)

    def _fits(self, crop: NDArray[np.uint8], box: NDArray[np.float32]) -> Found:
        """The instance of a crop whose box overlaps a box best; the likeliest of equals."""
        found = self._see(crop)
        overlaps = pairwise_box_iou(self._boxes(found, crop.shape[:2]), box[None])[:, 0]
        if not overlaps.any():
            return None
        best = int(overlaps.argmax())
        inside = self._inside(found.probabilities[best], crop.shape[:2])
        return inside, float(found.maskness[best])

    @torch.inference_mode()
    def _see(self, image: NDArray[np.uint8]) -> Instances:
        """The instances of a picture, of which only the part that the picture fills is kept."""
        h, w = self._resized(image.shape[:2])
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
        resized = F.interpolate(pixels, (h, w), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        padded = F.pad((resized - mean) / std, (0, -w % DIVISOR, 0, -h % DIVISOR))

        def look(batch: Tensor) -> Instances:
            seen = self.network(batch.to(self.device))
            return instances(seen, self.network.config.grids, self.threshold)[0]

        found = in_chunks(look, padded, 1, "pictures")[0]
        filled = found.probabilities[:, : -(-h // FEATURES), : -(-w // FEATURES)]
        there = (filled > INSIDE).any(2).any(1)  # not in the padding alone
        return Instances(filled[there], found.scores[there], found.maskness[there])

    def _boxes(self, found: Instances, frame: tuple[int, ...]) -> NDArray[np.float32]:
        """float32 N×4, XYXY pixels of a frame H×W, to within a pixel of the mask features."""
        if not len(found.scores):
            return np.zeros((0, 4), np.float32)
        boxes = masks_to_boxes(found.probabilities > INSIDE).cpu().numpy()
        boxes[:, 2:] += 1  # the last pixel is inside
        (h, w), (height, width) = self._resized(frame), frame[:2]
        scale = np.array([width / w, height / h] * 2) * FEATURES
        return (boxes * scale).clip(0, [width, height] * 2).astype(np.float32)

    def _inside(self, probabilities: Tensor, frame: tuple[int, ...]) -> NDArray[np.float32]:
        """float32 h×w less `INSIDE`, of probabilities of the mask features: the picture's part."""
        h, w = self._resized(frame)
        large = F.interpolate(
            probabilities[None, None], scale_factor=float(FEATURES), mode="bilinear"
        )
        values: NDArray[np.float32] = (large[0, 0, :h, :w] - INSIDE).float().cpu().numpy()
        return values

    def _resized(self, frame: tuple[int, ...]) -> tuple[int, int]:
        """The sides H×W that a picture of a frame H×W is brought to."""
        short, long = min(frame[:2]), max(frame[:2])
        scale = min(self.sides[0] / short, self.sides[1] / long)
        return max(1, round(frame[0] * scale)), max(1, round(frame[1] * scale))


def around(box: NDArray[np.float32], frame: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a box XYXY with `MARGIN` around it, within a frame H×W: one at least."""
    x0, y0, x1, y1 = (float(value) for value in box)
    across, down = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    return _within(y0 - down, y1 + down, frame[0]), _within(x0 - across, x1 + across, frame[1])


def _within(low: float, high: float, side: int) -> slice:
    start = int(np.clip(np.floor(low), 0, side - 1))
    return slice(start, int(np.clip(np.ceil(high), start + 1, side)))


def _corner(rows: slice, columns: slice) -> NDArray[np.float32]:
    return np.array([columns.start, rows.start] * 2, np.float32)
