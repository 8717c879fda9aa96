"""Weights from safetensors files, or from published .pth files; no pickled code is ever run."""

from __future__ import annotations

import json
import zipfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_weights(model: nn.Module, path: Path) -> None:
    """Loads a safetensors file into `model`, in the model's precision, every name matched.

    Raises:
        WeightsError: no such file, not safetensors, or not this model's names and shapes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: expected weights as safetensors, got: {error}") from error
    fill(model, weights, path)


def read_pth(path: Path) -> dict[str, Any]:
    """What a .pth file holds, on the CPU, read with `weights_only=True`.

    Raises:
        WeightsError: no such file, damaged, not a dictionary, or with more in it than tensors and
            plain values.
    """
    import pickle
    import warnings

    import torch

    try:
        # Mapped where the form allows, lest what nobody asks for, as an optimizer, fills memory.
        mapped = zipfile.is_zipfile(path)
        with warnings.catch_warnings():  # what is wrong is in the error
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"{path}: expected a .pth file of tensors only, got: {reason}"
        ) from error
    if not isinstance(held, dict):
        raise WeightsError(f"{path}: expected names and tensors, got a {type(held).__name__}")
    return held


def read_config(folder: Path, what: str) -> dict[str, Any]:
    """What `config.json` of a network of transformers holds.

    Raises:
        WeightsError: no such file, or none of that kind; `what` names the network.
    """
    try:
        config = json.loads((folder / "config.json").read_text())
        if not isinstance(config, dict):
            raise ValueError(f"a {type(config).__name__}")
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: expected {what}'s config.json, got: {error}") from error
    return config


def load_transformers(
    network: Any, folder: Path, what: str, unneeded: tuple[str, ...] = (), config: Any = None
) -> nn.Module:
    """A network of transformers from its own `config.json` and `model.safetensors`.

    Args:
        network: its class.
        what: the network's name, for messages.
        unneeded: parts of names of weights that no checkpoint holds, since nothing reads them.
        config: in place of what `config.json` says.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    from safetensors import SafetensorError

    try:
        model, info = network.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{folder}: expected {what}, got: {reason}") from error
    missing = [n for n in info["missing_keys"] if not any(part in n for part in unneeded)]
    if missing or info["mismatched_keys"]:
        raise WeightsError(
            f"{folder}: expected all weights of {what}, got {len(missing)} missing and "
            f"{len(info['mismatched_keys'])} of another shape; download it again"
        )
    loaded: nn.Module = model
    return loaded


def unfilled() -> AbstractContextManager[None]:
    """Networks built in this context keep what memory held, for `fill` to fill: drawing random
    weights only to replace them takes longer than reading the file."""
    from transformers.initialization import no_init_weights

    return no_init_weights()


def fill(model: nn.Module, weights: dict[str, Tensor], source: object) -> None:
    """Puts `weights` into `model`, in the model's precision, every name matched.

    Args:
        source: where the weights are from, for messages.

    Raises:
        WeightsError: not this model's names and shapes.
    """
    own = model.state_dict()
    shapes = {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
    wrong = {
        "missing": sorted(own.keys() - weights.keys()),
        "unknown": sorted(weights.keys() - own.keys()),
        "of another shape": [
            f"{k} {shapes[k]} instead of {tuple(own[k].shape)}"
            for k in own
            if k in weights and shapes[k] != own[k].shape
        ],
    }
    if any(wrong.values()):
        problem = "; ".join(f"{len(v)} {how}, first {v[0]}" for how, v in wrong.items() if v)
        raise WeightsError(
            f"{source}: expected the {len(own)} tensors of {type(model).__name__} as its "
            f"configuration describes it, got {problem}"
        )
    model.load_state_dict({k: v.to(own[k].dtype) for k, v in weights.items()})
