"""Packs a data set into tar files, as `train.data.shards` reads them."""

from __future__ import annotations

import json
import tarfile
from dataclasses import asdict
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError, told
from ssc.formats import png, rle
from ssc.images import suffixes
from train.data import open_dataset
from train.data.files import Files
from train.data.fingerprint import MISSING
from train.data.places import exists, names_in, prepare, write
from train.data.shards import ERROR, PLAIN
from train.data.tars import BLOCK, HEAD, Head, digest_of, read_head
from train.data.usable import LeftOut
from train.workers import Done, Job, worked

if TYPE_CHECKING:
    from train.data import Dataset, Picture
    from train.workers.cluster import Cluster

EACH = 1000  # pictures a shard
Members = list[tuple[str, bytes]]  # the end of a member's name, and its bytes


_WORKER: dict[str, Any] = {}


def begin(data: str, out: Path, each: int, allow_missing: bool) -> None:
    """Opens a data set to pack in this process; arguments as `pack_all`."""
    dataset = open_dataset(data)
    left_out = partial(LeftOut, data, len(dataset), allow_missing)
    _WORKER.update(dataset=dataset, out=out, each=each, left_out=left_out)


def _work(number: int) -> Done:
    left_out = _WORKER["left_out"]()
    made = pack(_WORKER["dataset"], _WORKER["out"], left_out, number, _WORKER["each"])
    first = number * _WORKER["each"]
    pictures = min(_WORKER["each"], len(_WORKER["dataset"]) - first)
    return Done(pictures, dict(left_out.reasons), made)


def pack_all(
    data: str,
    out: Path,
    *,
    each: int = EACH,
    allow_missing: bool = False,
    workers: int = 1,
    cluster: Cluster | None = None,
) -> str:
    """Writes the shards that are not there yet; equal pictures give equal bytes.

    Args:
        data: as `open_dataset` takes it.
        out: folder, on a disk or in a bucket.
        each: pictures a shard.
        allow_missing: goes on however many pictures cannot be used.
        workers: processes of this machine; 1 for this one alone.
        cluster: of Ray's, whose actors work in place of processes.

    Returns:
        What `--data` says of the shards.

    Raises:
        InputError: `out` has shards of another data set, or of another size, or is on a disk that
            the nodes do not share.
        TooManyLeftOut: too many pictures cannot be used.
        WriteError: a shard cannot be written.
    """
    prepare(out)
    begin(data, out, each, allow_missing)
    dataset = _WORKER["dataset"]
    left_out = LeftOut(data, len(dataset), allow_missing)
    numbers = range(-(-len(dataset) // each))
    job = Job(begin, (data, out, each, allow_missing), _work)
    with worked(job, numbers, len(dataset), "packing", workers, cluster) as shards:
        for done in shards:
            for name, reason in done.failed.items():
                left_out.add(name, reason)
    left_out.say()
    there = names_in(out)
    if missing := [n for n in numbers if shard_name(dataset, n) not in there]:
        raise InputError(
            f"{out}: expected a folder that all nodes share, {len(missing)} files are missing here"
        )
    return source_of(dataset, out, each)


def pack(dataset: Dataset, out: Path, left_out: LeftOut, number: int, each: int = EACH) -> bool:
    """Writes shard `number`; returns False where it is there.

    A picture that cannot be used keeps its place, with the reason instead of its files, and is
    added to `left_out`. Raises as `pack_all`.
    """
    first = number * each
    file = out / shard_name(dataset, number)
    head = Head(dataset.name, len(dataset), each, first)
    if exists(file):
        _check(file, head)
        return False
    indices = range(first, min(first + each, len(dataset)))
    write(file, _shard(dataset, indices, head, left_out))
    return True


def shard_name(dataset: Dataset, number: int) -> str:
    return f"{dataset.name}-{number:06d}.tar"


def source_of(dataset: Dataset, out: Path, each: int = EACH) -> str:
    """What `--data` says of the shards."""
    last = -(-len(dataset) // each) - 1
    numbers = f"{{{0:06d}..{last:06d}}}"
    return f"webdataset:{out}/{dataset.name}-{numbers}.tar"


def _check(file: Path, head: Head) -> None:
    found, _ = read_head(file)
    if found is None or {**asdict(found), "samples": []} != asdict(head):
        raise InputError(
            f"{file}: expected pictures from {head.first} on of {head.name}, {head.each} a shard, "
            "got others; choose another --out"
        )


def _shard(dataset: Dataset, indices: range, head: Head, left_out: LeftOut) -> bytes:
    body = BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for index in indices:
            start = tar.offset
            members, digests = _sample(dataset, index, left_out)
            for suffix, content in members:
                _add(tar, f"{index:09d}.{suffix}", content)
            head.samples.append([tar.offset - start, digest_of(members[0][1]), *digests])
        last = tar.offset
    whole = BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, HEAD, json.dumps(asdict(head), separators=(",", ":")).encode())
        start = tar.offset
    body.truncate(last + 2 * BLOCK)  # its last two blocks are the end of the tar
    return whole.getvalue()[:start] + body.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, BytesIO(content))


def _sample(dataset: Dataset, index: int, left_out: LeftOut) -> tuple[Members, list[str]]:
    """A picture's members, the JSON first, and the digests of the files behind it."""
    name, members, digests = dataset.picture_name(index), Members(), list[str]()
    try:
        picture = dataset[index]
    except Exception as error:  # of any kind: one picture's failure is that picture's
        left_out.add(name, error)
        row: dict[str, Any] = {"image": name, "name": name, "objects": [], ERROR: told(error)}
        if isinstance(dataset, Files):
            _, image, masks = dataset.parts(index)
            digests = [_digest(path) for path in (image, *masks.values())]
    else:
        row, files = _from_files(dataset, index) if isinstance(dataset, Files) else _drawn(picture)
        members, digests = files, [digest_of(content) for _, content in files]
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    return [("json", text), *members], digests


def _digest(path: Path) -> str:
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return MISSING


def _from_files(dataset: Files, index: int) -> tuple[dict[str, Any], Members]:
    """The files as they are."""
    row, image, masks = dataset.parts(index)
    end = image.suffix.lower()
    files = [(end[1:] if end in suffixes() else PLAIN, image.read_bytes())]
    files += [(f"mask{k}{path.suffix.lower()}", path.read_bytes()) for k, path in masks.items()]
    return row, files


def _drawn(picture: Picture) -> tuple[dict[str, Any], Members]:
    """A picture that is no file of its own frame, as PNG; masks as run-length codes."""
    objects = [
        {
            "name": thing.name,
            "expressions": thing.expressions,
            "kinds": thing.kinds,
            "mask": None if thing.mask is None else rle(thing.mask),
            "box": None if thing.box is None else np.asarray(thing.box).tolist(),
        }
        for thing in picture.objects
    ]
    row = {"image": f"{picture.name}.png", "name": picture.name, "objects": objects}
    return row, [("png", png(picture.image))]
