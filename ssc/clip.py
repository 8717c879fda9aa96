"""CLIP's two encoders as normalised embeddings, shared by class projection and selection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.cache import Cache
from ssc.devices import in_chunks
from ssc.errors import unknown

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

BATCH = 64  # images encoded at once; bounds memory, not results
TEXTS = 1  # texts: in a batch, others would change the last digit of an embedding that is kept


class Clip:
    """Text and images → unit vectors whose dot product is the cosine similarity (paper eq. 1).

    Args:
        model: an open_clip model in evaluation mode.
        tokenizer: texts → int tensor N×L.
        size: side of the square that images are squashed to, in pixels. Squashed, not cropped:
            an object at the edge of the picture must not be cut away.
        mean, std: of the model's preprocessing, per RGB channel, for values in [0, 1].
        interpolation: of the model's preprocessing, "bilinear" or "bicubic".
        device: where it runs, the preparation of pixels included.
        dtype: that matrix products are computed in; weights and embeddings stay in float32.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        interpolation: str = "bilinear",
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        import torch

        self.model = model.eval().to(device)
        self.tokenizer = tokenizer
        self.size = size
        self.mean, self.std = tuple(mean), tuple(std)
        self.interpolation = interpolation
        self.device = torch.device(device)
        self.dtype = dtype or torch.float32
        self._texts: Cache[NDArray[np.float32]] = Cache(4096)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1; texts beyond the model's context are cut."""
        cached = {text: self._texts.peek(text) for text in texts}
        rows = {text: row for text, row in cached.items() if row is not None}
        new = [text for text in cached if text not in rows]
        for part in in_chunks(self._embed_text, new, TEXTS, "texts"):
            for text in part:
                rows[text] = self._texts.get(text, partial(part.__getitem__, text))
        return np.stack([rows[text] for text in texts]) if rows else np.zeros((0, 1), np.float32)

    def unread(self, text: str) -> tuple[str, ...]:
        """The words at the end of `text` that are beyond the model's context."""
        tokens = self.tokenizer([text])[0]
        if tokens[-1] == 0:  # padded: all of it fits
            return ()
        typed = text.split()
        read, cut = 0, len(typed)  # the fewest words that give the same tokens
        while read < cut:
            middle = (read + cut) // 2
            same = bool((self.tokenizer([" ".join(typed[:middle])])[0] == tokens).all())
            read, cut = (read, middle) if same else (middle + 1, cut)
        return tuple(typed[read:])

    def encode_images(self, images: NDArray[np.uint8] | torch.Tensor) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1, of RGB uint8 N×h×w×3, an array or a tensor anywhere."""
        if not len(images):
            return np.zeros((0, 1), np.float32)
        return np.concatenate(in_chunks(self._embed_images, images, BATCH, "prompts"))

    def _embed_text(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        tokens = self.tokenizer(list(texts)).to(self.device)
        return dict(zip(texts, self._encode(self.model.encode_text, tokens)))

    def _embed_images(self, images: NDArray[np.uint8] | torch.Tensor) -> NDArray[np.float32]:
        import torch
        from torch.nn import functional as F

        if isinstance(images, np.ndarray):
            images = torch.from_numpy(np.ascontiguousarray(images))
        pixels = images.to(self.device).permute(0, 3, 1, 2).float() / 255  # N×h×w×3 → N×3×h×w
        size = (self.size, self.size)
        pixels = F.interpolate(pixels, size, mode=self.interpolation, antialias=True)
        if self.interpolation == "bicubic":  # it overshoots at edges
            pixels = pixels.clamp(0, 1)
        mean, std = (pixels.new_tensor(x).view(3, 1, 1) for x in (self.mean, self.std))
        return self._encode(self.model.encode_image, (pixels - mean) / std)

    def _encode(
        self, encoder: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor
    ) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1."""
        import torch
        from torch.nn import functional as F

        half = self.dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype if half else None, enabled=half),
        ):
            embedded = encoder(batch)
        return F.normalize(embedded.float(), dim=-1).cpu().numpy()


OPENAI = ("ViT-B-32-quickgelu", "ViT-B-16-quickgelu", "ViT-L-14-336-quickgelu")
"""OpenAI's CLIPs as open_clip names them. They were trained with QuickGELU: under the names
without it the same weights load, and give worse embeddings."""
PE = ("PE-Core-S-16-384",)
"""Perception Encoders (Bolya et al. 2025), likewise."""
RESNETS = ("RN50-quickgelu",)
"""OpenAI's too, and of no set: text-supervised systems see by its layers (`train.weak`)."""


def load_clip(
    architecture: str,
    path: Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Clip:
    """Published weights in open_clip's network.

    Args:
        architecture: one of `OPENAI`, `PE` or `RESNETS`.
        path: their `open_clip_model.safetensors`, as timm's repositories on the Hub hold it.

    Raises:
        OptionError: no such architecture.
        WeightsError: the file is missing, damaged or another network's.
    """
    from ssc.weights.reading import load_weights, unfilled

    if architecture not in (known := OPENAI + PE + RESNETS):
        raise unknown("CLIP", architecture, known)
    with unfilled():
        clip = build_clip(architecture, device=device, dtype=dtype)
    load_weights(clip.model, path)
    return clip


def build_clip(
    architecture: str,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Clip:
    """A published network without its weights; arguments as of `load_clip`."""
    from open_clip import get_model_config, get_tokenizer
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.model import CLIP, CustomTextCLIP

    config = dict(get_model_config(architecture))
    size = config["vision_cfg"]["image_size"]
    network = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    model, tokenizer = network(**config).requires_grad_(False), get_tokenizer(architecture)
    if architecture in PE:
        half = (0.5, 0.5, 0.5)
        return Clip(model, tokenizer, size, half, half, device=device, dtype=dtype)
    mean, std = OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    return Clip(
        model, tokenizer, size, mean, std, interpolation="bicubic", device=device, dtype=dtype
    )
