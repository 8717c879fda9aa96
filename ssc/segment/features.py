"""An image's features, kept for all that is asked about it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ssc.cache import Cache, content_key

KEPT_IMAGES = 4  # 18 MB each


def keep_features(backbone: Any, dtype: torch.dtype) -> None:
    """Makes a network's image backbone run once for each picture, whatever is asked about it.

    In place, of the object and not of its class: names of weights stay.

    Args:
        backbone: pixels B×3×h×w and a mask B×h×w → a list of (features B×C×s×s, mask B×s×s).
        dtype: that its matrix products are computed in; features are float32.
    """
    forward = type(backbone).forward
    half = dtype != torch.float32
    features: Cache[list[tuple[Tensor, Tensor]]] = Cache(KEPT_IMAGES)

    def kept(pixels: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        keys = [content_key(image) for image in pixels.cpu().numpy()]
        rows = {key: found for key in keys if (found := features.peek(key)) is not None}
        new = {key: k for k, key in enumerate(keys) if key not in rows}
        if new:
            index = [*new.values()]
            with torch.autocast(pixels.device.type, dtype if half else None, enabled=half):
                levels = forward(backbone, pixels[index], mask[index])
            for k, key in enumerate(new):
                rows[key] = [(f[k : k + 1].float().clone(), m[k : k + 1]) for f, m in levels]
        for key in keys:
            features.put(key, rows[key])
        return [
            (torch.cat([f for f, _ in level]), torch.cat([m for _, m in level]))
            for level in zip(*(rows[key] for key in keys))
        ]

    backbone.forward = kept
