"""What a reader of data sets guesses, said once."""

from __future__ import annotations

import sys
from multiprocessing import parent_process

_SAID: set[str] = set()


def say_once(note: str, about: str = "") -> None:
    """Prints a note on stderr, once in a process and its workers.

    Args:
        about: what notes are about that are to be said once together, by default the note itself.
    """
    if (about or note) in _SAID or parent_process() is not None:
        return
    _SAID.add(about or note)
    print(f"note: {note}", file=sys.stderr)
