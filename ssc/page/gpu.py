"""A GPU from Hugging Face's ZeroGPU, where a Space has it: by the `spaces` package, nothing else.

To be imported before anything that uses CUDA, as that package asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from ssc.errors import InputError

__all__ = ["on_gpu", "spaces"]

# On other Spaces the package is there and lends nothing.
spaces: Any = import_module("spaces") if os.environ.get("SPACES_ZERO_GPU") else None


def on_gpu(
    function: Callable[..., Iterator[Any]], seconds: Callable[..., int]
) -> Callable[..., Iterator[Any]]:
    """A generator function that holds a GPU while it runs; the function itself without `spaces`.

    There it runs in another process: what it takes and yields is pickled.

    Args:
        seconds: for which a GPU is asked, of the function's arguments; the fewer, the sooner it
            comes, and a call that takes longer is ended.
    """
    if spaces is None:
        return function

    def task(*args: Any) -> Iterator[Any]:
        try:
            yield from function(*args)
        except InputError as error:  # of another error only the class's name would be passed on
            yield error

    lent = spaces.GPU(task, duration=seconds)

    def run(*args: Any) -> Iterator[Any]:
        for value in lent(*args):
            if isinstance(value, InputError):
                raise value
            yield value

    return run
