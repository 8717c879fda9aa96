"""The content of a data set's files: whether they are those that a step has read."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from train.data.places import is_url, read, write

if TYPE_CHECKING:
    from train.data import Dataset

TABLE = "files.json.gz"
BLOCK = 1 << 20  # bytes
MISSING = "missing"


def fingerprint(dataset: Dataset, folder: Path) -> str:
    """A digest of all files behind a data set, in its order; empty where there are none.

    Names and places do not count, so that a moved data set has the same one. A file's bytes are
    read where its size, times or number on the disk are not those of the last time.

    Args:
        folder: keeps what is known of the files, in `TABLE`.
    """
    return digest_of(dataset.files(), folder)


def digest_of(files: Iterable[Path | str], folder: Path) -> str:
    """As `fingerprint`, of any files; a text is the digest of one that is not looked at."""
    table = folder / TABLE
    digests: dict[str, list] = {}
    with suppress(OSError, ValueError, EOFError, zlib.error):  # a damaged table is made anew
        digests = json.loads(gzip.decompress(read(table)))
    whole, count, new = blake2b(digest_size=16), 0, False
    for path in files:
        count += 1
        if isinstance(path, str):
            whole.update(path.encode())
            continue
        key = str(path.absolute())
        try:
            status = path.stat()
            state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
            if digests.get(key, [None])[:-1] != state:
                digests[key], new = [*state, digest_of_file(path)], True
            whole.update(digests[key][-1].encode())
        except (OSError, ValueError):
            whole.update(MISSING.encode())
    if new:
        if not is_url(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write(table, gzip.compress(json.dumps(digests).encode(), mtime=0))
    return whole.hexdigest() if count else ""


def digest_of_file(path: Path) -> str:
    """In 32 hexadecimal digits; raises OSError where it cannot be read."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
