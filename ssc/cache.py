"""A small bounded cache, for what depends on an image alone and for model sets; shared networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


def content_key(array: NDArray) -> str:
    """A key that two arrays share exactly when their bytes, shape and dtype are equal."""
    digest = blake2b(f"{array.shape}{array.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Cache(Generic[T]):
    """Keeps the `size` values used last; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def peek(self, key: Hashable) -> T | None:
        """The value at `key` where it is held."""
        with self._lock:
            return self._values.get(key)

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value at `key`, computed (outside the lock) where it is not held."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        self.put(key, value)
        return value

    def put(self, key: Hashable, value: T) -> None:
        """Keeps `value` as the one used last."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.size:
                self._values.popitem(last=False)


def shared(make: Callable[..., T]) -> Callable[..., T]:
    """`make`, which gives what it made of equal arguments again, as long as someone else has it."""
    alive: WeakValueDictionary[Hashable, T] = WeakValueDictionary()

    @wraps(make)
    def get(*arguments: Hashable) -> T:
        value = alive.get(arguments)
        if value is None:
            value = alive[arguments] = make(*arguments)
        return value

    return get
