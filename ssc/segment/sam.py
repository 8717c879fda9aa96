"""SAM (Kirillov et al. 2023): boxes → masks, as the paper's class-agnostic segmenter."""

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
PIXELS = 2**26  # of masks enlarged at once, likewise
KEPT_IMAGES = 4  # embeddings, 4 MB each
MASK_THRESHOLD = 0.0  # a logit over it is the object: segment-anything's

ARCHITECTURES = ("vit_b", "vit_l", "vit_h")
"""The published sizes, as segment-anything names them."""


class BoxPrompted(ABC):
    """What every SAM does with boxes: resize, embed once, decode each box, enlarge.

    An image is embedded once, however often it is asked about. A subclass says how it embeds and
    decodes.

    Args:
        device: where masks are enlarged.
    """

    side = 1024
    """Pixels of the square that the encoder sees: the image at its top left, then padding."""

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._embeddings: Cache[Tensor] = Cache(KEPT_IMAGES)

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
        prompts = torch.from_numpy(self._resize.apply_boxes(boxes, (h, w))).float()
        decoded = in_chunks(lambda part: self._decode(embedding, part), prompts, BOXES, "boxes")
        logits, qualities = (torch.cat(parts) for parts in zip(*decoded))
        masks = in_chunks(
            lambda part: self._enlarge(part, (h, w)),
            logits,
            max(1, PIXELS // max(h * w, self.side**2)),
            "masks",
        )
        return np.concatenate(masks), qualities.clamp(0, 1).cpu().numpy()

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
    def _embed(self, image: NDArray[np.uint8]) -> Tensor:
        """float 1×C×s×s."""

    @abstractmethod
    def _decode(self, embedding: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """float N×s×s mask logits of the encoder's frame, and float N predicted qualities."""

    def _enlarge(self, logits: Tensor, frame: tuple[int, int]) -> NDArray[np.bool_]:
        """bool N×H×W: logits without the padding, in the image's frame, over SAM's threshold."""
        h, w = self._resize.get_preprocess_shape(*frame, self.side)
        square = (self.side, self.side)
        whole = F.interpolate(logits[:, None], square, mode="bilinear", align_corners=False)
        inside = whole[..., :h, :w]
        masks = F.interpolate(inside, frame, mode="bilinear", align_corners=False)  # N×1×H×W
        return (masks[:, 0] > MASK_THRESHOLD).cpu().numpy()


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
        sparse, dense = self.model.prompt_encoder(
            points=None, boxes=boxes.to(self.device), masks=None
        )
        logits, qualities = self.model.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
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
