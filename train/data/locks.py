"""Locks between processes. They are the kernel's and end with the process, also after kill -9."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PATIENCE = 1.0  # seconds; who looks at a lock by `is_held` has it for an instant


@contextmanager
def made_once(path: Path) -> Iterator[None]:
    """Locks a file or folder that is to be made, once others have made it or given up; whoever
    enters looks first whether it is there."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path}: waiting for another process, which makes it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)  # it is made: who waits finds it, and so does who comes


def hold(file: IO[Any]) -> bool:
    """Locks an open file, until it is closed here and in all processes that inherit it.

    Returns:
        False where another has the lock, and keeps it for `PATIENCE`.
    """
    import fcntl

    end = time.monotonic() + PATIENCE
    while not _locks(file, fcntl.LOCK_EX):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_held(path: Path) -> bool:
    """Whether another has locked a file by `hold`; False where there is no such file."""
    import fcntl

    try:
        file = path.open()
    except FileNotFoundError:
        return False
    with file:
        return not _locks(file, fcntl.LOCK_SH)


def _locks(file: IO[Any], kind: int) -> bool:
    """Locks an open file; False where another has it."""
    import fcntl

    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
