"""A small SAM (MobileSAM's form, Zhang et al. 2023) as two ONNX files: the pocket set's masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.errors import ResourceError, WeightsError
from ssc.segment.sam import BoxPrompted

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN = (123.675, 116.28, 103.53)  # ImageNet's, RGB, of values from 0 to 255: segment-anything's
STD = (58.395, 57.12, 57.375)
LABELS = (2.0, 3.0, 1.0)  # of points: a box's two corners, and one on the object
MARGIN = 0.05  # of a box's sides: how far its mask may go beyond it


class OnnxSamSegmenter(BoxPrompted):
    """TinyViT encoder and SAM's mask decoder, in the form that segment-anything exports.

    The decoder takes a box at a time, as its two corners. It is also given the box's centre as a
    point on the object: this network alone leans to a box's largest part. The mask that comes is
    given back to it as a prompt beside them, once, as SAM is trained to be asked (section 3). A
    mask ends a little beyond its box, since far from it this network marks other things of the
    same look.

    Args:
        encoder: an onnxruntime session, float 1×3×1024×1024 → 1×256×64×64.
        decoder: an onnxruntime session of the decoder; both for example of `load_onnx`.
    """

    def __init__(self, encoder: Any, decoder: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `Segmenter.segment`; the quality is the network's own estimate of the mask's IoU."""
        masks, qualities = super().segment(image, boxes)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes):
            dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
            rows = slice(max(0, int(y0 - dy)), max(0, int(np.ceil(y1 + dy))))
            columns = slice(max(0, int(x0 - dx)), max(0, int(np.ceil(x1 + dx))))
            inside = mask[rows, columns].copy()
            mask[:] = False
            mask[rows, columns] = inside
        return masks, qualities

    def _embed(self, image: NDArray[np.uint8]) -> Tensor:
        pixels = self._resize.apply_image(image)  # h×w×3
        h, w = pixels.shape[:2]
        padded = np.zeros((1, 3, self.side, self.side), np.float32)
        normal = (pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        padded[0, :, :h, :w] = normal.transpose(2, 0, 1)
        name = self.encoder.get_inputs()[0].name
        return torch.from_numpy(self.encoder.run(None, {name: padded})[0])

    def _decode(self, embedding: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        asked = []
        for box in boxes.numpy():
            corners = box.reshape(2, 2)  # XYXY → two points
            points = np.concatenate([corners, corners.mean(0, keepdims=True)])  # 3×2
            asked.append(self._ask(embedding, points, LABELS))
        logits, qualities = zip(*asked)
        return torch.from_numpy(np.stack(logits)), torch.from_numpy(np.stack(qualities))

    def _decode_points(
        self, embedding: Tensor, points: Tensor, positive: Tensor
    ) -> tuple[Tensor, Tensor]:
        # A point of label -1 stands for the box that there is not.
        padded = np.concatenate([points.numpy(), np.zeros((1, 2), np.float32)])
        low, quality = self._ask(embedding, padded, (*positive.float().tolist(), -1.0))
        return torch.from_numpy(low[None]), torch.from_numpy(np.array([quality]))

    def _ask(
        self, embedding: Tensor, points: NDArray[np.float32], labels: Sequence[float]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """float 256×256 logits and the quality for points P×2, the mask given back once."""
        shared = {
            "image_embeddings": embedding.numpy(),
            "point_coords": points[None],
            "point_labels": np.array([labels], np.float32),
            "orig_im_size": np.ones(2, np.float32),  # the enlarged mask is not asked for
        }
        low = np.zeros((1, 1, 256, 256), np.float32)
        for has_mask in (0, 1):
            mask = {"mask_input": low, "has_mask_input": np.full(1, has_mask, np.float32)}
            quality, low = self.decoder.run(
                ["iou_predictions", "low_res_masks"], {**shared, **mask}
            )
        return low[0, 0], quality[0, 0]


def load_onnx(path: Path) -> Any:
    """An onnxruntime session on the processor.

    Raises:
        ResourceError: onnxruntime is not installed.
        WeightsError: the file is missing or damaged.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ResourceError(
            "the pocket set: expected onnxruntime, which runs its masks, found none; run "
            "pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class of their own
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path}: expected an ONNX network, got: {reason}") from error
