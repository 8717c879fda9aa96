"""Weights from safetensors files; nothing else is ever read, so no pickle is executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ssc.types import InputError

if TYPE_CHECKING:
    from torch import nn


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads a safetensors file into `model`, in the model's precision, every name matched.

    Raises:
        InputError: no such file, not safetensors, or not this model's names and shapes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: expected weights as safetensors, got: {error}") from error
    own = model.state_dict()
    wrong = {
        "missing": sorted(own.keys() - weights.keys()),
        "unknown": sorted(weights.keys() - own.keys()),
        "of another shape": [
            f"{k} {tuple(weights[k].shape)} instead of {tuple(own[k].shape)}"
            for k in own
            if k in weights and weights[k].shape != own[k].shape
        ],
    }
    if any(wrong.values()):
        found = "; ".join(f"{len(v)} {how}, first {v[0]}" for how, v in wrong.items() if v)
        raise InputError(
            f"{path}: expected the {len(own)} tensors of {type(model).__name__} as its "
            f"config.json describes it, got {found}"
        )
    model.load_state_dict({k: v.to(own[k].dtype) for k, v in weights.items()})
