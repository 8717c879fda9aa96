"""An image's features, kept for all that is asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from ssc.cache import Cache, content_key

KEPT_IMAGES = 4  # 18 MB each

Levels = list[tuple[Tensor, Tensor]]
"""Of each stride, features float B×C×s×s and a mask bool B×s×s."""

_store: ContextVar[tuple[Cache[Levels], torch.dtype] | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(features: Cache[Levels], dtype: torch.dtype) -> Iterator[None]:
    """Where `once_a_picture` puts features, and in which precision it computes them, meanwhile."""
    token = _store.set((features, dtype))
    try:
        yield
    finally:
        _store.reset(token)


def once_a_picture(backbone: Any) -> None:
    """Makes an image backbone run once for each of the last pictures, within `keeping`.

    In place, of the object and not of its class: names of weights stay.

    Args:
        backbone: pixels B×3×h×w and a mask B×h×w → `Levels`.
    """
    forward = type(backbone).forward

    def run(pixels: Tensor, mask: Tensor) -> Levels:
        if (store := _store.get()) is None:
            plain: Levels = forward(backbone, pixels, mask)
            return plain
        features, dtype = store
        half = dtype != torch.float32
        keys = [content_key(image) for image in pixels.cpu().numpy()]
        rows = {key: row for key in keys if (row := features.peek(key)) is not None}
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

    backbone.forward = run
