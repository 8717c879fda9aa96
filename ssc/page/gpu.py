"""A GPU from Hugging Face's ZeroGPU, where a Space has it: by the `spaces` package, nothing else.

To be imported before anything that uses CUDA, as that package asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ssc.errors import InputError

__all__ = ["on_gpu", "spaces"]

try:
    import spaces
except ImportError:
    spaces = None


def on_gpu(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A generator function that holds a GPU while it runs; the function itself without `spaces`.

    There it runs in another process: what it takes and yields is pickled.
    """
    if spaces is None:
        return function

    def task(*args: Any) -> Iterator[Any]:
        try:
            yield from function(*args)
        except InputError as error:  # of another error only the class's name would be passed on
            yield error

    lent = spaces.GPU(task)

    def run(*args: Any) -> Iterator[Any]:
        for value in lent(*args):
            if isinstance(value, InputError):
                raise value
            yield value

    return run
