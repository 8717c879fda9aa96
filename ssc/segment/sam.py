"""SAM (Kirillov et al. 2023): boxes → masks, as the paper's class-agnostic segmenter.

It also takes points, as people click them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ssc.cache import Cache, content_key
from ssc.devices import in_chunks
from ssc.errors import unknown
from ssc.weights.reading import fill, read_pth, unfilled

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOXES = 64  # prompts decoded at once; bounds memory, not results
ENLARGED = 16  # masks brought to the encoder's frame at once, likewise
ROWS = 256  # of a mask enlarged at once, likewise
KEPT_IMAGES = 4  # embeddings, 4 to 17 MB each
MASK_THRESHOLD = 0.0  # a logit over it is the object: segment-anything's

ARCHITECTURES = ("vit_b", "vit_l", "vit_h")
"""The published sizes, as segment-anything names them."""


class BoxPrompted(ABC):
    """What every SAM does with boxes and points: resize, embed once, decode each, enlarge.

    An image is embedded once, however often it is asked about. A subclass says how it embeds and
    decodes, and how the image lies in the encoder's frame.

    Args:
        device: where masks are enlarged.
    """

    side = 1024
    """Pixels of the square that the encoder sees: the image at its top left, then padding."""

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._embeddings: Cache[Any] = Cache(KEPT_IMAGES)

    @torch.inference_mode()
    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `Segmenter.segment`; the quality is SAM's own estimate of the mask's IoU.

        Raises:
            ResourceError: out of memory with a single box.
        """
        h, w = image.shape[:2]
        if not len(boxes):
            return np.zeros((0, h, w), np.bool_), np.zeros(0, np.float32)
        embedding = self._embeddings.get(content_key(image), lambda: self._embed(image))
        prompts = torch.from_numpy(self._scale(boxes, (h, w))).float()
        decoded = in_chunks(lambda part: self._decode(embedding, part), prompts, BOXES, "boxes")
        logits, qualities = (torch.cat(parts) for parts in zip(*decoded))
        masks = in_chunks(lambda part: self._enlarge(part, (h, w)), logits, ENLARGED, "masks")
        return np.concatenate(masks), qualities.clamp(0, 1).cpu().numpy()

    @torch.inference_mode()
    def segment_points(
        self, image: NDArray[np.uint8], points: NDArray[np.float32], positive: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], float]:
        """The mask of one object by points on it and off it.

        Args:
            image: RGB uint8 H×W×3.
            points: float32 P×2, XY pixels, one or more.
            positive: bool P: whether a point is on the object.

        Returns:
            mask bool H×W, and its estimated IoU, in [0, 1].
        """
        h, w = image.shape[:2]
        embedding = self._embeddings.get(content_key(image), lambda: self._embed(image))
        twice = np.concatenate([points, points], axis=1)  # P×4, as boxes of no size
        scaled = torch.from_numpy(self._scale(twice, (h, w))).float()[:, :2]
        logits, qualities = self._decode_points(embedding, scaled, torch.from_numpy(positive))
        return self._enlarge(logits, (h, w))[0], float(qualities[0].clamp(0, 1))

    def _scale(self, boxes: NDArray[np.float32], frame: tuple[int, int]) -> NDArray[np.float32]:
        """Boxes of an image of `frame`, H×W, in the encoder's pixels."""
        scaled: NDArray[np.float32] = self._resize.apply_boxes(boxes, frame)
        return scaled

    @property
    def _resize(self) -> Any:
        from segment_anything.utils.transforms import ResizeLongestSide

        class Resize(ResizeLongestSide):
            """segment-anything's, for pictures so thin that it would leave no pixel across."""

            @staticmethod
            def get_preprocess_shape(oldh: int, oldw: int, long_side_length: int) -> Any:
                shape = ResizeLongestSide.get_preprocess_shape(oldh, oldw, long_side_length)
                return tuple(max(1, side) for side in shape)

        return Resize(self.side)

    @abstractmethod
    def _embed(self, image: NDArray[np.uint8]) -> Any:
        """What `_decode` needs of an image."""

    @abstractmethod
    def _decode(self, embedding: Any, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """float N×s×s mask logits of the encoder's frame, and float N predicted qualities."""

    @abstractmethod
    def _decode_points(
        self, embedding: Any, points: Tensor, positive: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `_decode`, of N = 1 object by float P×2 points in the encoder's pixels, bool P of
        them on it."""

    def _enlarge(self, logits: Tensor, frame: tuple[int, int]) -> NDArray[np.bool_]:
        """bool N×H×W: logits without the padding, in the image's frame, over SAM's threshold."""
        inside = self._inside(logits, frame).float().cpu().numpy()
        masks = np.zeros((len(inside), *frame), np.bool_)
        for mask, values in zip(masks, inside):
            threshold_enlarged(values, mask)
        return masks

    def _inside(self, logits: Tensor, frame: tuple[int, int]) -> Tensor:
        """float N×h×w of N×s×s: the part of the encoder's frame that the image fills."""
        h, w = self._resize.get_preprocess_shape(*frame, self.side)
        square = (self.side, self.side)
        whole = F.interpolate(logits[:, None], square, mode="bilinear", align_corners=False)
        return whole[:, 0, :h, :w]


def threshold_enlarged(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Sets `mask` where `values`, enlarged to its frame, are over `MASK_THRESHOLD`.

    Bilinear, pixel centres aligned, as `torch.nn.functional.interpolate` has it. A mean of values
    that are not over the threshold is not over it either, so that only what lies around those that
    are is computed, a few rows at a time: a picture of a phone costs no more memory than its mask.

    Args:
        values: float32 h×w.
        mask: bool H×W, all False.
    """
    over = values > MASK_THRESHOLD
    rows, columns = (np.flatnonzero(over.any(axis)) for axis in (1, 0))
    if not len(rows):
        return
    top, bottom = _reach(rows, values.shape[0], mask.shape[0])
    left, right = _reach(columns, values.shape[1], mask.shape[1])
    x0, x1, wx = _taps(np.arange(left, right), values.shape[1], mask.shape[1])
    for start in range(top, bottom, ROWS):
        y0, y1, wy = _taps(
            np.arange(start, min(start + ROWS, bottom)), values.shape[0], mask.shape[0]
        )
        lines = values[y0] * (1 - wy[:, None]) + values[y1] * wy[:, None]  # rows×w
        part = lines[:, x0] * (1 - wx) + lines[:, x1] * wx  # rows×columns
        mask[start : start + len(part), left:right] = part > MASK_THRESHOLD


def _reach(over: NDArray[np.int64], size: int, target: int) -> tuple[int, int]:
    """The pixels of the target, first and one past the last, that see any pixel of `over`."""
    factor = target / size
    first = int(np.floor((over[0] - 0.5) * factor - 0.5))
    last = int(np.ceil((over[-1] + 1.5) * factor - 0.5))
    return max(0, first), min(target, last + 1)


def _taps(
    pixels: NDArray[np.int64], size: int, target: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For pixels of the target the two of the source that they lie between, and the second's
    share."""
    at = np.maximum((pixels + np.float32(0.5)) * np.float32(size / target) - np.float32(0.5), 0)
    first = np.minimum(at.astype(np.int64), size - 1)
    return first, np.minimum(first + 1, size - 1), (at - first).astype(np.float32)


class SamSegmenter(BoxPrompted):
    """segment-anything's SAM, prompted with boxes.

    All of an image's boxes go through the mask decoder in one call. Of the three masks that SAM
    gives for a box, the one of the highest predicted quality is taken. Only the image encoder runs
    in `dtype`: it is nearly all of the time, while the decoder's logits decide on pixels.

    Args:
        model: a `segment_anything.modeling.Sam`, for example of `load_sam`.
        device: where it runs.
        dtype: of the image encoder.
    """

    def __init__(
        self,
        model: Any,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(device)
        self.model = model.eval().to(device)
        self.model.image_encoder.to(dtype)
        self.dtype = dtype
        self.side = self.model.image_encoder.img_size

    def _embed(self, image: NDArray[np.uint8]) -> Tensor:
        """float 1×C×s×s."""
        pixels = torch.from_numpy(self._resize.apply_image(image)).permute(2, 0, 1)  # → 3×h×w
        padded = self.model.preprocess(pixels.to(self.device))[None]

        def encode(batch: Tensor) -> Tensor:
            return self.model.image_encoder(batch.to(self.dtype)).float()

        return in_chunks(encode, padded, 1, "images")[0]

    def _decode(self, embedding: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """float N×s×s mask logits of the encoder's frame, and float N predicted qualities."""
        return self._asked(embedding, points=None, boxes=boxes.to(self.device))

    def _decode_points(
        self, embedding: Tensor, points: Tensor, positive: Tensor
    ) -> tuple[Tensor, Tensor]:
        prompts = points[None].to(self.device), positive[None].int().to(self.device)
        # One point may mean a part or the whole: of three masks the best. Several mean one thing.
        return self._asked(embedding, prompts, None, several=len(points) == 1)

    def _asked(
        self, embedding: Tensor, points: Any, boxes: Tensor | None, several: bool = True
    ) -> tuple[Tensor, Tensor]:
        """The best of the masks that the decoder gives for each prompt."""
        sparse, dense = self.model.prompt_encoder(points=points, boxes=boxes, masks=None)
        logits, qualities = self.model.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        best = qualities.argmax(dim=1)  # N×3 → N
        rows = torch.arange(len(best), device=best.device)
        return logits[rows, best], qualities[rows, best]


def load_sam(architecture: str, path: Path) -> Any:
    """The `segment_anything.modeling.Sam` of a published `.pth` file.

    Args:
        architecture: one of `ARCHITECTURES`.

    Raises:
        OptionError: no such architecture.
        WeightsError: the file is missing, damaged or another network's.
    """
    from segment_anything import sam_model_registry

    if architecture not in ARCHITECTURES:
        raise unknown("SAM", architecture, ARCHITECTURES)
    weights = read_pth(path)
    with unfilled():
        model = sam_model_registry[architecture]()
    fill(model, weights, path)
    return model
