"""Data sets in tar files, as webdataset keeps them: `webdataset:URL{000000..000999}.tar`.

A picture's members follow each other and share their name up to its first point:

    000000012.json       the picture as a line of `train.data.files` has it
    000000012.jpg        its file, with any suffix that pictures have
    000000012.mask0.png  the mask of object 0 where the JSON names a file for it

`python -m train data pack` writes a member `__shard__` at the head of each, which other readers
pass over: the data set's name, how many pictures it and each shard have, and for each picture the
size and digests of its members. So a data set is opened by one short read, has the name of what was
packed and, where that was a table, its fingerprint; and what is damaged is found, and is that
picture's alone.
Shards without it are looked through at the beginning.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from ssc.cache import Cache
from ssc.errors import InputError
from ssc.images import load_image, suffixes
from train.data import Picture
from train.data.files import coded_mask, picture_of
from train.data.lines import parse
from train.data.masks import read_mask
from train.data.places import opened, place_of, read
from train.data.tars import digest_of, expand, read_head, scan, split

ERROR = "error"  # in a picture's JSON: why it could not be used when it was packed
KEPT_OPEN = 16  # files
PLAIN = "img"  # suffix of a picture whose file has none that is known


@dataclass
class _Shard:
    """Where pictures are: they are at places[k] to places[k + 1].

    Attributes:
        digests: a line a picture, of its members; None where another tool wrote the file. As lists
            they would take four times as much memory.
    """

    places: array
    digests: str | None = None

    def of(self, k: int) -> list[str]:
        """The digests of picture `k`."""
        assert self.digests is not None
        return self.digests.split("\n")[k].split()


class Shards:
    """The pictures of tar files in their order; see the top of this module.

    Args:
        text: path or URL with ranges in braces, `{000..012}`.

    Attributes:
        copies: whether a bucket's files are copied to the disk when one of their pictures is read,
            for those that follow; else the bytes of each picture are asked for alone.

    Raises:
        InputError: no such file, no tar, or not all shards of a data set.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.copies = True
        self._files = [place_of(name) for name in expand(text)]
        self._shards: dict[int, _Shard] = {}
        self._open: Cache[IO[bytes]] = Cache(KEPT_OPEN)
        head = _tried(self._files[0], lambda: read_head(self._files[0]))[0]
        self._firsts = array("q", [0])
        if head is None:
            self.name = self._look_through()
            return
        expected = -(-head.pictures // head.each)
        if head.first or len(self._files) != expected:
            raise InputError(
                f"{text}: expected all {expected} shards of the data set from its first on, got "
                f"{len(self._files)} from picture {head.first} on"
            )
        self._firsts = array("q", [*range(0, head.pictures, head.each), head.pictures])
        self.name = head.name

    def __len__(self) -> int:
        return self._firsts[-1]

    def __getitem__(self, index: int) -> Picture:
        where, members = self._members(index)
        row = _row(members, where)
        try:
            image = load_image(_picture(members))
            height, width = image.shape[:2]
            masks = [
                _mask(thing["mask"], k, members, where, height, width)
                for k, thing in enumerate(row["objects"])
            ]
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return picture_of(row, image, masks, where)

    def picture_name(self, index: int) -> str:
        """Its name, or for a picture whose JSON is damaged its members' place."""
        where = self._where(index)
        with suppress(InputError, OSError, ValueError, LookupError, TypeError):
            where, members = self._members(index, checked=False)
            row = members["json"]
            return json.loads(row)["name"] if _error(row) else parse(row, where)["name"]
        return where

    def files(self) -> Iterator[Path | str]:
        """The digests of pictures and masks; what is packed is not read."""
        from train.data.fingerprint import MISSING

        for number in range(len(self._files)):
            if (digests := self._shard(number).digests) is not None:
                yield from (own for line in digests.split("\n") for own in line.split()[1:])
                continue
            for index in range(self._firsts[number], self._firsts[number + 1]):
                members: dict[str, bytes] = {}
                with suppress(InputError):
                    members = self._members(index)[1]
                yield from [digest_of(v) for end, v in members.items() if end != "json"] or [
                    MISSING
                ]

    def _where(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._firsts, index) - 1
        return f"{self._files[number]}, picture {index - self._firsts[number]}"

    def _members(self, index: int, checked: bool = True) -> tuple[str, dict[str, bytes]]:
        """A picture's place for messages, and its members by the end of their names.

        Raises:
            InputError: damaged, or with `checked` other than what was packed.
        """
        where = self._where(index)
        number = bisect_right(self._firsts, index) - 1
        shard, k = self._shard(number), index - self._firsts[number]
        start, end = shard.places[k : k + 2]
        try:
            members = split(self._block(number, start, end))
        except (OSError, tarfile.TarError) as error:
            raise InputError(f"{where}: expected members of a tar, got: {error}") from error
        if checked and shard.digests is not None:
            digests = [digest_of(content) for content in members.values()]
            packed = shard.of(k)
            if digests != (packed[:1] if _error(members.get("json", b"")) else packed):
                raise InputError(f"{where}: expected the files that were packed, got other bytes")
        return where, members

    def _block(self, number: int, start: int, end: int) -> bytes:
        place = self._files[number]
        if not self.copies:
            return read(place, start, end)
        file = self._open.get(number, lambda: opened(place))
        return os.pread(file.fileno(), end - start, start)

    def _shard(self, number: int) -> _Shard:
        """A shard's index, which is held from then on.

        Raises:
            InputError: it is not one of this data set.
        """
        if number not in self._shards:
            file = self._files[number]
            head, start = _tried(file, lambda: read_head(file))
            first, last = self._firsts[number : number + 2]
            if head is None or (head.name, head.first, len(head.samples)) != (
                *(self.name, first),
                last - first,
            ):
                raise InputError(
                    f"{file}: expected pictures {first} to {last - 1} of {self.name}, got others"
                )
            places = array("q", [start])
            for size, *_ in head.samples:
                places.append(places[-1] + size)
            lines = "\n".join(" ".join(digests) for _, *digests in head.samples)
            self._shards[number] = _Shard(places, lines)
        return self._shards[number]

    def _look_through(self) -> str:
        """Finds the pictures of all shards; returns a name that is of the JSON in them."""
        for number, file in enumerate(self._files):
            with _tried(file, lambda: opened(file)) as content:  # noqa: B023
                places = scan(content, file)
            self._shards[number] = _Shard(places)
            self._firsts.append(self._firsts[-1] + len(places) - 1)
        if not len(self):
            raise InputError(f"{self.text}: expected at least one picture, got none")
        digest, names = sha256(), dict[str, int]()
        for index in range(len(self)):
            with suppress(InputError):
                digest.update(self._members(index)[1].get("json", b""))
            earlier = names.setdefault(self.picture_name(index), index)
            if earlier != index:
                raise InputError(
                    f"{self._where(index)}: expected each picture once, got the name of "
                    f"{self._where(earlier)} again"
                )
        stem = re.sub(r"[-_.]*(\{.*|\.tar$)", "", self.text.rpartition("/")[2])
        stem = re.sub(r"[^\w.-]+", "_", stem) or "shards"
        return f"{stem}-{digest.hexdigest()[:12]}"


def _row(members: dict[str, bytes], where: str) -> dict[str, Any]:
    if "json" not in members:
        raise InputError(f"{where}: expected a member .json, got {', '.join(members) or 'none'}")
    if error := _error(members["json"]):
        raise InputError(error)
    return parse(members["json"], where)


def _error(row: bytes) -> str:
    """Why a picture could not be used when it was packed; empty where it could."""
    if f'"{ERROR}"'.encode() in row:
        with suppress(ValueError, AttributeError, TypeError):
            return str(json.loads(row).get(ERROR, ""))
    return ""


def _picture(members: dict[str, bytes]) -> bytes:
    for end, content in members.items():
        if end == PLAIN or f".{end}" in suffixes():
            return content
    raise InputError(f"expected a member that is a picture, got {', '.join(members)}")


def _mask(mask: Any, k: int, members: dict[str, bytes], where: str, height: int, width: int) -> Any:
    if mask is None or isinstance(mask, dict):
        return None if mask is None else coded_mask(mask, height, width)
    for end, content in members.items():
        if end.partition(".")[0] == f"mask{k}":
            return read_mask(Path(f"{where}, {end}"), height, width, content)
    raise InputError(f"expected a member mask{k}.… for the mask of object {k + 1}, got none")


def _tried(file: Path, work: Any) -> Any:
    try:
        return work()
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file}: expected a shard of webdataset, got: {error}") from error
