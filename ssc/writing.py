"""Files written whole under safe names, and what is said where they cannot be.

A file is written beside its place and moved there when it is whole: whoever reads sees the old one
or the new one, and a full disk leaves the old one.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from ssc.entry import FULL
from ssc.errors import WriteError

LONGEST = 200  # bytes of a stem; a file's name has 255 at most
SPARE = 1 << 20  # bytes; a disk with less is full
BESIDE = ".{name}.{machine}-{process}.tmp"
"""Name of what is not whole yet."""
_OURS = r"\.[0-9a-f]{12}\.(?P<machine>[0-9a-f]{12})-(?P<process>\d+)\.tmp"
ABANDONED = 24 * 3600  # seconds after which what another machine was writing counts as left


class DiskFull(WriteError):
    """There is no space left."""


@contextmanager
def written(path: Path, size: int | None = None) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end.

    Args:
        path: the file; its folder is there.
        size: bytes that it will have, where they are known.

    Raises:
        WriteError: it cannot be written; the old one stays.
    """
    beside = beside_of(path, os.getpid())
    try:
        with explained(path, size, beside):
            yield beside
            os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def beside_of(path: Path, process: int) -> Path:
    """Where the process of that number, on this machine, writes what is to take a path's place."""
    return path.with_name(BESIDE.format(name=_short(path.name), machine=_here(), process=process))


def sweep(folder: Path) -> None:
    """Deletes what killed processes left unfinished in a folder.

    What others write just now stays. Processes of another machine, on a shared disk, cannot be
    asked: theirs goes when it is older than `ABANDONED`.
    """
    for path in folder.glob(BESIDE.format(name="*", machine="*", process="*")):
        if (ours := re.fullmatch(_OURS, path.name)) is None:
            continue  # a file of other making
        with suppress(OSError):  # its writer has just ended
            if ours["machine"] == _here():
                left = not _runs(int(ours["process"]))
            else:
                left = time.time() - path.stat().st_mtime > ABANDONED
            if left:
                path.unlink()


def _here() -> str:
    return _short(socket.gethostname())


def _short(name: str) -> str:
    return blake2b(name.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _runs(process: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file; raises WriteError as `written`."""
    with written(path, len(data)) as beside:
        beside.write_bytes(data)


@contextmanager
def explained(path: Path, size: int | None = None, partial: Path | None = None) -> Iterator[None]:
    """Turns what goes wrong in writing `path` into a WriteError that says it.

    Args:
        path: a file or folder, for the message.
        size: bytes that are needed, where they are known.
        partial: what has been written so far, else `path`.

    Raises:
        WriteError: in place of OSError; and of what libraries raise where the disk is full.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in FULL:
            raise WriteError(_refused(path, error)) from error
        if isinstance(error, OSError) or (free_bytes(path) < SPARE and _is_librarys(error)):
            raise DiskFull(_full(path, size, partial or path)) from error
        raise


def make_folder(folder: Path) -> None:
    """Makes a folder for output, and tries whether files can be written in it.

    Raises:
        WriteError: it is a file, or nothing can be written there.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{os.getpid()}.tmp"
        try:
            trial.write_bytes(b"")
        finally:
            with suppress(OSError):
                trial.unlink(missing_ok=True)


def make_place(file: Path) -> None:
    """Makes the folder of an output file, and tries it as `make_folder` does.

    Raises:
        WriteError: as there, or `file` is a folder.
    """
    make_folder(file.parent)
    if file.is_dir():
        raise WriteError(f"{file}: expected a file to write to, got a folder; name a file in it")


def check_space(path: Path, size: int) -> None:
    """Raises DiskFull where `size` bytes, known before, do not fit on the disk of `path`."""
    if free_bytes(path) < size:
        raise DiskFull(_full(path, size, path))


def _refused(path: Path, error: OSError) -> str:
    if error.errno == errno.EEXIST or isinstance(error, NotADirectoryError):
        return f"{path}: expected a folder to write to, got a file; choose another --out"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        where = "a disk that can only be read" if error.errno == errno.EROFS else "no permission"
        return (
            f"{path}: cannot be written: {where}; choose another place (--out, --cache or --shared)"
        )
    return f"{path}: cannot be written: {error.strerror or error}; choose another place (--out)"


def _full(path: Path, size: int | None, partial: Path) -> str:
    if size is None:
        with suppress(OSError):
            size = partial.stat().st_size if partial.is_file() else None
        needed = "more" if not size else f"more than {in_bytes(size)}"
    else:
        needed = in_bytes(size)
    free = in_bytes(free_bytes(path))
    return (
        f"{path}: No space left on the disk: it needs {needed}, {free} are free; "
        "make room or choose a place on another disk, and give the same command again"
    )


def _is_librarys(error: Exception) -> bool:
    """Whether a library may have said so in its own way, as torch and safetensors do."""
    return isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError"


def free_bytes(path: Path) -> int:
    """Bytes that are free on the disk where a file or folder is, or would be."""
    for folder in (path, *path.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


def in_bytes(count: float) -> str:
    """A number of bytes in words: "3.2 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """A name for each path's results: its stem, with its suffix or a number where that is taken.

    Names differ in more than case and Unicode's forms, as some file systems take "A" and "a", or
    the two forms of "é", for the same. What they could not be called is changed, see `safe_stem`;
    result.json has the true name.
    """
    used: set[str] = set()
    names = []
    for path in paths:
        numbered = (f"{path.name}-{number}" for number in range(2, len(paths) + 2))
        stems = map(safe_stem, (path.stem, path.name, *numbered))
        names.append(next(stem for stem in stems if _plain(stem) not in used))
        used.add(_plain(names[-1]))
    return names


def _plain(stem: str) -> str:
    return normalize("NFC", normalize("NFC", stem).casefold())


def safe_stem(name: str) -> str:
    """A name that any file system takes, with room for what results' files add to it.

    >>> from ssc.writing import safe_stem
    >>> safe_stem("photo[1]"), safe_stem("a:b?"), safe_stem("con")
    ('photo[1]', 'a_b_', '_con')
    """
    safe = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]', "_", name).rstrip(". ") or "_"
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", safe, re.IGNORECASE):
        safe = f"_{safe}"
    if len(safe.encode()) <= LONGEST:
        return safe
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{safe.encode()[: LONGEST - 9].decode('utf-8', 'ignore')}-{digest}"
