"""Visitors' sessions between their clicks, bounded in bytes all together."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

import numpy as np

if TYPE_CHECKING:
    from ssc.page.session import Session

LIMIT = 1 << 30
"""Bytes that all parked sessions may hold; the newest stays, however large."""

_parked: list[ref[Session]] = []  # the oldest first
_known: WeakSet[Session] = WeakSet()
_lock = Lock()


def park(session: Session) -> Session:
    """Keeps a session for its visitor's next click; the oldest are emptied where room is short."""
    with _lock:
        if session not in _known:
            _known.add(session)
            _parked.append(ref(session))
        _parked[:] = [one for one in _parked if one() is not None]
        alive = [held for one in _parked if (held := one()) is not None and held]
        while len(alive) > 1 and _bytes_of(alive) > LIMIT:
            alive.pop(0).empty()
    return session


def parked_bytes() -> int:
    """What all parked sessions hold."""
    with _lock:
        return _bytes_of([held for one in _parked if (held := one()) is not None and held])


def _bytes_of(sessions: list[Session]) -> int:
    """Sessions share arrays: what one click changes is little."""
    arrays = {id(array): array.nbytes for session in sessions for array in _arrays(session)}
    return sum(arrays.values())


def _arrays(session: Session) -> Iterator[np.ndarray]:
    """The arrays that own the memory of what a session shows."""
    parts: list[object] = [session.image, *(one for s in session._scaled.values() for one in s)]
    for result in session.results:
        parts += vars(result.candidates).values()
        parts += vars(result.selection).values() if result.selection else []
        parts += vars(result.correction).values() if result.correction else []
    for part in parts:
        while isinstance(part, np.ndarray) and isinstance(part.base, np.ndarray):
            part = part.base
        if isinstance(part, np.ndarray):
            yield part
