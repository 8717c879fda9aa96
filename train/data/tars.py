"""Tar files of pictures: their head, where each picture's members are, and names with ranges."""

from __future__ import annotations

import json
import re
import tarfile
from array import array
from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from ssc.errors import InputError
from train.data.places import read

HEAD = "__shard__"
FORMAT = 1
BLOCK = tarfile.BLOCKSIZE


@dataclass
class Head:
    """What `pack` says of a shard.

    Attributes:
        name: of the data set that was packed.
        pictures: of the whole data set.
        each: pictures in every shard but the last, which may have fewer.
        first: index of this one's first picture.
        samples: of each picture the bytes of its members, and the digests of its JSON and files.
    """

    name: str
    pictures: int
    each: int
    first: int
    samples: list[list[Any]] = field(default_factory=list)
    format: int = FORMAT


def expand(text: str) -> list[str]:
    """The names that ranges in braces stand for.

    Raises:
        InputError: braces with something else in them.

    >>> from train.data.tars import expand
    >>> expand("a-{08..10}.tar")
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    found = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if found is None:
        if not text or {*text} & {"{", "}"}:
            raise InputError(
                f"data: expected webdataset:NAME{{000000..000999}}.tar, got 'webdataset:{text}'"
            )
        return [text]
    first, last = found.groups()
    if int(first) > int(last):
        raise InputError(
            f"data: expected a range that rises, got {found[0]!r} in 'webdataset:{text}'"
        )
    before, after = text[: found.start()], text[found.end() :]
    rest = expand(after) if after else [""]
    return [
        f"{before}{number:0{len(first)}d}{end}"
        for number in range(int(first), int(last) + 1)
        for end in rest
    ]


def read_head(file: Path) -> tuple[Head | None, int]:
    """What `pack` says of a shard, None where another tool wrote it, and where pictures begin.

    Raises:
        OSError: it cannot be read.
        InputError: it is no tar, or one that is written in a later form.
    """
    start = read(file, 0, BLOCK)
    try:
        info = tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise InputError(f"{file}: expected a tar, got: {error}") from error
    if info.name != HEAD:
        return None, 0
    try:
        head = Head(**json.loads(read(file, BLOCK, BLOCK + info.size)))
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: expected a whole {HEAD}, got: {error}") from error
    if head.format != FORMAT:
        raise InputError(f"{file}: expected format {FORMAT}, got {head.format}")
    return head, BLOCK + -(-info.size // BLOCK) * BLOCK


def scan(file: IO[bytes], where: Path) -> array:
    """Where each picture's members begin in a tar, and where the last ones end.

    What follows damage is one picture, which cannot be read.
    """
    places, key, end = array("q"), None, 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                own = parted(member.name)[0]
                named = member.isfile() and not own.rpartition("/")[2].startswith("__")
                if named and own != key:
                    places.append(member.offset)
                    key = own
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
    except tarfile.TarError as error:
        if not places:
            raise InputError(f"{where}: expected a tar, got: {error}") from error
        return array("q", [*places, file.seek(0, 2)])
    file.seek(end)
    if any(file.read(BLOCK)):  # a damaged header ends tarfile's loop without a word
        return array("q", [*places, end, file.seek(0, 2)])
    return array("q", [*places, end])


def split(block: bytes) -> dict[str, bytes]:
    """Members of one picture by the end of their names; raises TarError where they are damaged."""
    members = {}
    with tarfile.open(fileobj=BytesIO(block), mode="r:") as tar:
        for member in tar:
            if member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                members[parted(member.name)[1]] = content.read()
    return members


def digest_of(content: bytes) -> str:
    """That of `train.data.fingerprint`, of a file's bytes."""
    return blake2b(content, digest_size=16).hexdigest()


def parted(name: str) -> tuple[str, str]:
    """What names a picture, and the end in lower case that names its member."""
    folder, slash, own = name.rpartition("/")
    key, _, end = own.partition(".")
    return f"{folder}{slash}{key}", end.lower()
