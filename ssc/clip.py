"""CLIP's two encoders as normalised embeddings, shared by class projection and selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.cache import Cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 64  # images encoded at once; bounds memory, not results


class Clip:
    """Text and images → unit vectors whose dot product is the cosine similarity (paper eq. 1).

    Args:
        model: an open_clip model in evaluation mode.
        tokenizer: texts → int tensor N×L.
        size: side of the square that images are squashed to, in pixels. Squashed, not cropped:
            an object at the edge of the picture must not be cut away.
        mean, std: of the model's preprocessing, per RGB channel, for values in [0, 1].
    """

    def __init__(
        self, model: Any, tokenizer: Any, size: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.size = size
        self.mean, self.std = tuple(mean), tuple(std)
        self._texts: Cache[NDArray[np.float32]] = Cache(4096)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1; texts beyond the model's context are cut."""
        import torch

        rows = {text: self._texts.peek(text) for text in texts}
        new = [text for text, row in rows.items() if row is None]
        if new:
            with torch.inference_mode():
                embedded = self.model.encode_text(self.tokenizer(new), normalize=True)
            for text, row in zip(new, embedded.float().cpu().numpy()):
                rows[text] = self._texts.get(text, lambda row=row: row)
        return np.stack([rows[text] for text in texts]) if rows else np.zeros((0, 1), np.float32)

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1, of RGB uint8 N×h×w×3."""
        import torch
        from torch.nn import functional as F

        if not len(images):
            return np.zeros((0, 1), np.float32)
        mean = torch.tensor(self.mean).view(3, 1, 1)
        std = torch.tensor(self.std).view(3, 1, 1)
        rows = []
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))
            pixels = batch.permute(0, 3, 1, 2).float() / 255  # N×h×w×3 → N×3×h×w
            size = (self.size, self.size)
            pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
            with torch.inference_mode():
                embedded = self.model.encode_image((pixels - mean) / std, normalize=True)
            rows.append(embedded.float().cpu().numpy())
        return np.concatenate(rows)
