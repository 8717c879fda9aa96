"""What processes share is made by one of them, while the others wait."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_once(path: Path) -> Iterator[None]:
    """Locks a file or folder that is to be made; whoever enters looks first whether it is there.

    The lock is the kernel's and ends with the process, also after kill -9.
    """
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
