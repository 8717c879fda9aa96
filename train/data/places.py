"""Places of files: paths, and URLs of buckets (`s3://bucket/runs/x`) through fsspec.

A URL is a `UPath` of universal_pathlib, which takes `/`, `name` and `exists()` as a `Path` does.
Credentials and addresses of servers are fsspec's own (its configuration files, `FSSPEC_S3_…`, and
what the clouds' tools have). Reading and writing go through this module: what a server or network
refuses is tried again, and a file is written whole, by one request, or not at all.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import IO, Any, TypeVar

from ssc import writing
from ssc.errors import InputError, ResourceError, WriteError, told
from ssc.writing import make_folder, written

T = TypeVar("T")

REQUESTS: Counter[str] = Counter()
"""How many times this process has asked a server ("asked"), and again ("again")."""
TRIES = 6
FIRST_WAIT = 0.1  # seconds, doubled after each try
KEPT = 20 << 30  # bytes of copies of a bucket's files on the local disk
FOLDER = Path("~/.cache/segment-select-correct/files")  # of the copies
_RECEIVING = [Lock() for _ in range(64)]
"""One thread at a time copies a file: what is not whole has the process's name."""
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Answers that are the same however often one asks."""


def is_url(place: str | Path) -> bool:
    """Whether it is in a bucket; a `Path` is not, as it has no two slashes in a row.

    >>> from pathlib import Path
    >>> from train.data.places import is_url
    >>> is_url("s3://bucket/runs"), is_url("runs/a"), is_url(Path("s3://bucket/runs"))
    (True, False, False)
    """
    return "://" in str(place)


def place_of(text: str) -> Path:
    """The path, or for a URL a `UPath`, which stands for one.

    Raises:
        ResourceError: a URL, and what reads it is not installed.
        InputError: a URL of an unknown protocol.
    """
    if not is_url(text):
        return Path(text)
    try:
        from upath import UPath

        place: Any = UPath(text)
        _ = place.fs
    except ImportError as error:
        raise ResourceError(
            f"{text}: expected what reads such URLs, got: {error}; run "
            "pip install 'segment-select-correct[cluster]'"
        ) from error
    except ValueError as error:
        raise InputError(f"{text}: expected a URL that fsspec knows, got: {error}") from error
    return place


def exists(place: Path) -> bool:
    """Whether there is such a file now."""
    if not is_url(place):
        return place.exists()
    where: Any = place
    return _retried(place, lambda: _fresh(where).exists(where.path))


def names_in(folder: Path) -> set[str]:
    """The names of a folder's files; none where there is no folder."""
    where: Any = folder
    try:
        if not is_url(folder):
            return {path.name for path in folder.iterdir()}
        listed = _retried(folder, lambda: _fresh(where).ls(where.path, detail=False))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {name.rstrip("/").rpartition("/")[2] for name in listed}


def read(place: Path, first: int = 0, last: int | None = None) -> bytes:
    """A file's bytes from `first` up to `last`, by default all.

    Raises:
        OSError: it cannot be read.
    """
    where: Any = place
    if not is_url(place):
        with place.open("rb") as file:
            file.seek(first)
            return file.read() if last is None else file.read(last - first)
    return _retried(place, lambda: where.fs.cat_file(where.path, start=first or None, end=last))


def write(place: Path, content: bytes) -> None:
    """Writes a file whole or not at all; an earlier one stays until then.

    Raises:
        WriteError: it cannot be written.
    """
    if not is_url(place):
        with written(place, len(content)) as beside, beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before it takes its name, as a power cut keeps names
        return
    _written(place, lambda fs, path: fs.pipe_file(path, content))


def send(file: Path, place: Path) -> None:
    """Copies a file of the disk to a URL, whole or not at all; raises WriteError as `write`."""
    _written(place, lambda fs, path: fs.put_file(str(file), path))


def receive(place: Path, file: Path) -> None:
    """Copies a URL's file to the disk, whole or not at all.

    Raises:
        OSError: it cannot be read.
        WriteError: the disk is full.
    """
    where: Any = place
    with written(file) as beside:
        _retried(place, lambda: where.fs.get_file(where.path, str(beside)))


def prepare(folder: Path) -> None:
    """Makes a folder for output where it is one of a disk; raises WriteError as `make_folder`."""
    if not is_url(folder):
        make_folder(folder)


def sweep(folder: Path) -> None:
    """Deletes what killed processes were writing in a folder of a disk; a bucket has no such."""
    if not is_url(folder):
        writing.sweep(folder)


def opened(place: Path) -> IO[bytes]:
    """A file, open for reading at any place; that of a bucket is first copied to the disk.

    The copies used last are kept, `KEPT` bytes of them.

    Raises:
        OSError: it cannot be read.
    """
    if not is_url(place):
        return place.open("rb")
    where: Any = place
    state = _retried(place, lambda: str(_fresh(where).ukey(where.path)))
    digest = blake2b(f"{place} {state}".encode(), digest_size=16).hexdigest()
    copy = FOLDER.expanduser() / digest
    copy.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with _RECEIVING[int(digest, 16) % len(_RECEIVING)]:
            new = not copy.exists()
            if new:
                receive(place, copy)
            with suppress(FileNotFoundError):  # another process may have made room just now
                file = copy.open("rb")
                os.utime(copy)
                break
    if new:
        _make_room(copy.parent, KEPT)  # it may take this very copy, which is open
    return file


def _make_room(folder: Path, most: int) -> None:
    """Deletes the copies that are unused for longest, down to `most` bytes."""
    copies = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            if not path.name.startswith("."):
                copies.append((status.st_mtime_ns, status.st_size, path))
    held = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if held <= most:
            return
        path.unlink(missing_ok=True)
        held -= size


def _written(place: Path, work: Callable[[Any, str], None]) -> None:
    """Lets `work` write to a place's file system; raises WriteError where it cannot."""
    where: Any = place
    try:
        _retried(place, lambda: work(where.fs, where.path))
    except Exception as error:
        reason = told(error)
        raise WriteError(f"{place}: cannot be written: {reason}; choose another --out") from error


def _fresh(where: Any) -> Any:
    """The place's file system, without what it remembers of folders."""
    where.fs.invalidate_cache()
    return where.fs


def _retried(place: Path, work: Callable[[], T]) -> T:
    """What `work` returns, tried again where a server or the network fails.

    Raises:
        OSError: it fails each time, or finally.
    """
    for attempt in range(TRIES):
        REQUESTS["again" if attempt else "asked"] += 1
        try:
            return work()
        except Exception as error:
            if isinstance(error, FINAL):
                raise
            if attempt == TRIES - 1:
                raise OSError(f"{place}: tried {TRIES} times, got: {told(error)}") from error
            time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError
