"""Where and in which precision networks run, and what happens when memory is out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ssc.errors import ResourceError

if TYPE_CHECKING:
    import torch
    from torch import nn

T = TypeVar("T")

LARGE = 20_000_000  # parameters

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What RuntimeError says on devices for which torch has no error of its own."""


def best_device() -> torch.device:
    """The accelerator, CUDA before Apple's, or the processor where there is none."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def best_dtype(device: torch.device) -> torch.dtype:
    """The precision of the large encoders: half on CUDA, float32 elsewhere.

    bfloat16 where the GPU computes in it, as it has float32's range; float16 on older ones.
    """
    import torch

    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if computes_in_bfloat16(device) else torch.float16


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there: where it has to be imitated, as on processors
    with AVX2 alone, a step of training takes ten times as long.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(False)
    tell = getattr(torch.cpu, "get_capabilities", dict)  # older torch does not
    able: dict[str, bool] = tell()
    named = ("avx512_bf16", "amx_bf16", "bf16")
    return device.type == "cpu" and any(able.get(name) for name in named)


def autocast_dtype(network: nn.Module, device: torch.device) -> torch.dtype:
    """The precision in which a network with float32 weights computes, under autocast.

    That of `best_dtype`; and on a processor that computes in bfloat16, bfloat16 for a large
    network: Swin-B's LAVT takes half the time then, SAM 2.1 tiny's image encoder 0.7 of it, a small
    one gains nothing.
    """
    import torch

    if device.type != "cpu":
        return best_dtype(device)
    large = sum(p.numel() for p in network.parameters()) > LARGE
    return torch.bfloat16 if large and computes_in_bfloat16(device) else torch.float32


def compile_if_asked(network: nn.Module) -> None:
    """`torch.compile` of a network, in place, where the environment variable SSC_COMPILE is set.

    Off by default: its first call then takes half a minute to minutes, and torch needs a C++
    compiler on the processor. Names of weights and answers (to rounding) stay.
    """
    if os.environ.get("SSC_COMPILE", "") not in ("", "0"):
        network.compile()


def in_chunks(function: Callable[[Any], T], items: Any, size: int, what: str) -> list[T]:
    """`function` on slices of `items`, in order; smaller slices where memory is out.

    Args:
        function: takes a slice of at least one item.
        items: anything with a length and slices: a list, an array, a tensor.
        size: the most items of a slice; halved, with a warning, each time memory is out.
        what: what the items are, in the plural, for messages.

    Returns:
        The results, one per slice.

    Raises:
        ResourceError: memory is out for a single item.
    """
    results: list[T] = []
    start = 0
    while start < len(items):
        result = _try(function, items[start : start + size])
        if not isinstance(result, _Full):
            results.append(result)
            start += size
        elif size == 1:
            raise ResourceError(
                f"out of memory with a single one of {len(items)} {what}; take a smaller picture "
                f"or model set, or a device with more memory ({result.reason})"
            )
        else:
            size = max(1, min(size, len(items) - start) // 2)
            warnings.warn(f"out of memory: going on with {size} {what} at once", stacklevel=2)
    return results


class _Full:
    """Memory was out."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _try(function: Callable[[Any], T], items: Any) -> T | _Full:
    """A call, or that memory was out; by then the call's own tensors are freed."""
    import torch

    try:
        return function(items)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        out_of_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        reason = str(error).partition("\n")[0] or type(error).__name__
        if not out_of_memory and not any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return _Full(reason)
