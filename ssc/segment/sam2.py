"""SAM 2 (Ravi et al. 2024) and its kin through transformers: boxes → masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.devices import in_chunks
from ssc.errors import WeightsError
from ssc.segment.sam import BoxPrompted
from ssc.weights.reading import load_transformers, read_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB
STD = (0.229, 0.224, 0.225)


class Sam2Segmenter(BoxPrompted):
    """SAM 2 or EdgeTAM, prompted with boxes.

    The image is squashed to the encoder's square, as these networks were trained; of the three
    masks for a box the one of the highest predicted quality is taken.

    Args:
        model: a `Sam2Model` or `EdgeTamModel`, for example of `load_sam2`.
        device: where it runs.
        dtype: of the image encoder's matrix products; weights stay in float32.
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
        self.dtype = dtype
        size = model.config.prompt_encoder_config.image_size
        self.side = size if isinstance(size, int) else size[0]

    def _scale(self, boxes: NDArray[np.float32], frame: tuple[int, int]) -> NDArray[np.float32]:
        h, w = frame
        return boxes * np.array([self.side / w, self.side / h] * 2, np.float32)

    def _inside(self, logits: Tensor, frame: tuple[int, int]) -> Tensor:
        return logits

    def _embed(self, image: NDArray[np.uint8]) -> list[Tensor]:
        """Feature maps float 1×C×s×s of three strides, the finest first."""
        from PIL import Image

        size = (self.side, self.side)
        resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255  # → 3×s×s
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
        batch = ((pixels - mean) / std)[None].to(self.device)
        half = self.dtype != torch.float32

        def encode(batch: Tensor) -> list[Tensor]:
            with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
                return [level.float() for level in self.model.get_image_embeddings(batch)]

        return in_chunks(encode, batch, 1, "images")[0]

    def _decode(self, embedding: list[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model(
            image_embeddings=list(embedding),
            input_boxes=boxes[None].to(self.device),  # 1×N×4
            multimask_output=True,
        )
        return self._best(outputs)

    def _decode_points(
        self, embedding: list[Tensor], points: Tensor, positive: Tensor
    ) -> tuple[Tensor, Tensor]:
        outputs = self.model(
            image_embeddings=list(embedding),
            input_points=points[None, None].to(self.device),  # 1×1×P×2
            input_labels=positive[None, None].int().to(self.device),  # 1×1×P
            multimask_output=len(points) == 1,  # which may mean a part or the whole
        )
        return self._best(outputs)

    @staticmethod
    def _best(outputs: Any) -> tuple[Tensor, Tensor]:
        logits, qualities = outputs.pred_masks[0], outputs.iou_scores[0]  # N×3×s×s, N×3
        best = qualities.argmax(dim=1)  # N×3 → N
        rows = torch.arange(len(best), device=best.device)
        return logits[rows, best], qualities[rows, best]


def load_sam2(folder: Path) -> Any:
    """transformers' network from its own `config.json` and `model.safetensors`.

    The published files are of the network for video, which holds the one for images.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    from transformers import EdgeTamModel, Sam2Model

    what = "SAM 2 or EdgeTAM"
    kind = str(read_config(folder, what).get("model_type"))
    if not kind.startswith(("sam2", "edgetam")):
        raise WeightsError(f"{folder}: expected {what}, got a network of type {kind}")
    network = EdgeTamModel if kind.startswith("edgetam") else Sam2Model
    return load_transformers(network, folder, what)
