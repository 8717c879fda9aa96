"""S1 and S2 on disk: all candidate masks of every object, their scores, and the chosen one.

A folder with `manifest.json` (settings, versions) and shards of JSON lines, one picture per line.
Masks are COCO run-length codes; a candidate that several objects share is stored once.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from socket import gethostname
from typing import Any

from ssc.cache import Cache
from ssc.errors import InputError
from train.data.places import exists, names_in, opened, place_of, prepare, read, sweep, write
from train.pseudo.records import PseudoObject, PseudoPicture, decode, encode

FORMAT = 1
SHARD = 64  # pictures a file
MANIFEST = "manifest.json"
SOURCE = "source"  # in the manifest: the text that opens the data set
KEPT_SHARDS = 8


class Store:
    """Random access to a complete store; a few shards are held in memory."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._shards: Cache[list[str]] = Cache(KEPT_SHARDS)

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Opens what `train.pseudo` has finished.

        Raises:
            InputError: no store, one of another format, or one that is not complete.
        """
        folder = place_of(folder) if isinstance(folder, str) else folder
        manifest = read_manifest(folder)
        if manifest is None:
            raise InputError(f"{folder}: expected S1 and S2 by train.pseudo, found no {MANIFEST}")
        missing = missing_shards(folder, manifest["pictures"])
        if missing:
            raise InputError(
                f"{folder}: expected all shards, {len(missing)} are missing, first "
                f"{shard_file(folder, missing[0]).name}; run train.pseudo again to finish them"
            )
        return cls(folder, manifest)

    def __len__(self) -> int:
        return self.manifest["pictures"]

    def name(self, index: int) -> str:
        """Name of picture `index` of the data set."""
        return json.loads(self._line(index))["name"]

    def picture(self, index: int) -> PseudoPicture:
        """Everything known of picture `index`."""
        return decode(json.loads(self._line(index)))

    def outline(self, index: int) -> PseudoPicture:
        """The same without masks, which are bool N×0×0: for looking over all pictures."""
        return decode(json.loads(self._line(index)), masks=False)

    def __getitem__(self, index: int) -> tuple[PseudoObject, ...]:
        """The objects of picture `index`, in the data set's order."""
        return self.picture(index).objects

    def _line(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard, place = divmod(index, SHARD)
        return self._shards.get(shard, lambda: self._read(shard))[place]

    def _read(self, shard: int) -> list[str]:
        path = shard_file(self.folder, shard)
        try:
            with opened(path) as file:
                lines = gzip.decompress(file.read()).decode().splitlines()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: expected a shard of JSON lines, got: {error}") from error
        expected = min(SHARD, len(self) - shard * SHARD)
        if len(lines) != expected:
            raise InputError(f"{path}: expected {expected} pictures, got {len(lines)}")
        return lines


def shard_file(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:05d}.jsonl.gz"


def missing_shards(folder: Path, pictures: int) -> list[int]:
    """Numbers of the shards that are not there yet."""
    there = names_in(folder)
    shards = range(-(-pictures // SHARD))
    return [k for k in shards if shard_file(folder, k).name not in there]


def unusable(folder: Path, shards: Iterable[int]) -> dict[str, str]:
    """Name → reason of the pictures in complete shards that cannot be used."""
    reasons: dict[str, str] = {}
    for shard in shards:
        packed = BytesIO(read(shard_file(folder, shard)))
        with gzip.open(packed, "rt", encoding="utf-8") as file:
            # Most have none; to parse each picture would take as long as its training.
            failed = (json.loads(line) for line in file if not line.endswith('"error":null}\n'))
            reasons.update((picture["name"], picture["error"]) for picture in failed)
    return reasons


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The folder's manifest, None where it has none.

    Raises:
        InputError: it is broken or of another format.
    """
    path = folder / MANIFEST
    if not exists(path):
        return None
    try:
        manifest = json.loads(read(path))
        readable = manifest["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: expected the manifest of a store, got: {error!r}") from error
    if not readable:
        raise InputError(f"{path}: expected format {FORMAT}, got {manifest['format']}")
    return manifest


def begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Starts a store, or checks that the one in the folder has the same settings.

    What a killed process was writing there is deleted. The code's revision may differ, so that a
    run can go on after a fix, and so may the text that names the data: they may be moved.

    Raises:
        InputError: the folder's manifest differs, with the first difference.
    """
    manifest = {"format": FORMAT, **manifest}
    manifest.setdefault("pictures a shard", SHARD)
    old = read_manifest(folder)
    if old is None:
        prepare(folder)
        text = json.dumps(manifest, indent=1) + "\n"
        write(folder / MANIFEST, text.encode("utf-8", "backslashreplace"))
        return
    sweep(folder)
    _compare(folder, old, manifest, old.keys() | manifest.keys())


def check_joined(folder: Path, manifest: dict[str, Any]) -> None:
    """Checks that another machine sees the store that was begun, and has the same settings.

    Args:
        manifest: what this machine finds of it; "files", which take long to read, may be left out.

    Raises:
        InputError: the folder is another one there, or a setting differs.
    """
    old = read_manifest(folder)
    if old is None:
        raise InputError(
            f"{folder}: expected a folder that all nodes share, found no {MANIFEST} on "
            f"{gethostname()}; choose a shared disk or a URL for --out"
        )
    _compare(folder, old, manifest, manifest.keys())


def _compare(
    folder: Path, old: dict[str, Any], manifest: dict[str, Any], keys: Iterable[str]
) -> None:
    for key in sorted({*keys} - {"revision", SOURCE}):
        if old.get(key) != manifest.get(key):
            raise InputError(
                f"{folder}: expected to go on with {key} = {old.get(key)!r}, got "
                f"{manifest.get(key)!r}; choose another --out"
            )


def write_shard(folder: Path, shard: int, pictures: Iterable[PseudoPicture]) -> None:
    """Writes a shard, whole or not at all; equal pictures give equal bytes."""
    lines = [json.dumps(encode(p), ensure_ascii=False, separators=(",", ":")) for p in pictures]
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    write(shard_file(folder, shard), gzip.compress(text, mtime=0))
