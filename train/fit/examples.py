"""What training reads: pictures, sentences and masks at the model's own size, cached on disk.

Rendering or decoding a picture costs far more than a step of a small model, so it is done once, by
several processes; after that an example is a slice of memory-mapped files. A cache is a folder:

    cache.json       the size of all pictures, what was left out, and which cannot be used and why
    pictures.jsonl   a picture a line: its name, its objects' sentences and the numbers of masks
    index.i64        of each picture, its first byte in pictures.jsonl and its first object; and
                     the ends of both
    expressions.i32  of each object, how many sentences it has
    images.u8        h×w×3 of each picture
    masks.u8         ⌈hw/8⌉ of each mask, as bits

None of it is held in memory, however many pictures there are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from ssc.errors import InputError
from ssc.writing import check_space, explained
from train.data.fingerprint import fingerprint
from train.data.locks import made_once
from train.data.places import REQUESTS
from train.data.shards import Shards
from train.data.usable import LeftOut
from train.fit.example import Example, example_of
from train.fit.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from train.data import Dataset
    from train.pseudo.store import Store
    from train.review.decisions import Reviews

FORMAT = 2  # of the cache; a change of its layout or of what is in it makes a new one
ABOUT, PICTURES, INDEX = "cache.json", "pictures.jsonl", "index.i64"
EXPRESSIONS, IMAGES, MASKS = "expressions.i32", "images.u8", "masks.u8"


class Examples:
    """A cached data set: random access to `Example`s, all of them mapped from files.

    Attributes:
        key: a name that no other data set, masks or size has.
        size: (h, w) of pictures and masks.
        left_out: how many "pictures" and "objects" have no mask to learn from.
        reasons: the pictures that cannot be used, and why.
        reviewed: how many objects people have decided of.
        record: of these, for reports; see `LeftOut.record`.
    """

    readers = 1
    """Threads that read a batch's pictures."""

    def __init__(self, folder: Path) -> None:
        self._open(folder)
        h, w = self.size
        self._lines = _mapped(folder / PICTURES, (-1,))
        self._images = _mapped(folder / IMAGES, (len(self), h, w, 3))
        self._masks = _mapped(folder / MASKS, (-1, -(-h * w // 8)))

    def _open(self, folder: Path) -> None:
        """What is known of all pictures: counts, and what is left out."""
        about = json.loads((folder / ABOUT).read_text())
        self.key = folder.name
        self.size: tuple[int, int] = tuple(about["size"])
        self.left_out: dict[str, int] = about["left_out"]
        self.reasons: dict[str, str] = about.get("unusable", {})
        self.reviewed: int = about.get("reviewed", 0)
        self.record: dict[str, Any] = {}
        self._index = _mapped(folder / INDEX, (-1, 2), np.int64)
        self._counts = _mapped(folder / EXPRESSIONS, (-1,), np.int32)

    def __len__(self) -> int:
        return len(self._index) - 1

    def __getitem__(self, index: int) -> Example:
        picture = self._picture(index)
        first, count = picture["masks"]
        image = np.asarray(self._images[index])
        return example_of(picture, image, self._masks[first : first + count])

    @property
    def expressions(self) -> Iterator[str]:
        """Every expression of every object, in order, read one picture at a time."""
        for index in range(len(self)):
            for entry in self._picture(index)["objects"]:
                yield from entry["expressions"]

    def expression_counts(self, index: int) -> NDArray[np.int32]:
        """int32 J: how many expressions each object of a picture has."""
        first, end = self._places(index)[:, 1]
        return self._counts[first:end]

    def _picture(self, index: int) -> dict[str, Any]:
        first, end = self._places(index)[:, 0]
        return json.loads(self._lines[first:end].tobytes())

    def _places(self, index: int) -> NDArray[np.int64]:
        """int64 2×2: of the picture and the next, or of the end, first byte and first object."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._index[index : index + 2]

    @classmethod
    def cached(
        cls,
        dataset: Dataset,
        store: Store | None,
        size: Sequence[int],
        cache: Path,
        *,
        workers: int,
        manifest: str = "",
        allow_missing: bool = False,
        reviews: Reviews | None = None,
        unmasked: bool = False,
    ) -> Examples:
        """Reads the cache, and makes it first where it is not there; others wait meanwhile.

        Args:
            dataset: pictures; objects' masks are read only where `store` is None.
            store: S1 and S2 of the same pictures, or None for the true masks.
            size: (h, w) that the model sees.
            cache: folder of all caches.
            workers: processes that make it, or threads of tar files in a bucket; 0 for this process
                alone.
            manifest: text that tells this store from any other.
            allow_missing: goes on however many pictures cannot be used.
            reviews: what people decided of the store's objects.
            unmasked: no masks, neither true ones nor the store's: what `train.weak` learns from.

        Raises:
            InputError: data set and store are not of the same pictures, nothing is left to train
                on, or more than a tenth of the pictures cannot be used.
        """
        key = key_of(dataset, store, size, cache, manifest, reviews, unmasked)
        folder = cache / key
        rows = Rows(dataset, store, size, reviews, unmasked)
        left_out = LeftOut(dataset.name, len(dataset), allow_missing)
        needed = len(rows) * size[0] * size[1] * 3  # of the pictures; masks are much smaller
        make_folder_once(folder, lambda part: _write(rows, part, size, workers, left_out), needed)
        return cls(folder).checked(dataset, allow_missing)

    def checked(self, dataset: Dataset, allow_missing: bool) -> Examples:
        """These, once what is left out is said; raises InputError as `cached`."""
        left_out = LeftOut(dataset.name, len(dataset), allow_missing)
        for name, reason in self.reasons.items():
            left_out.add(name, reason)
        left_out.say()
        self.record = left_out.record() | {"reviewed": self.reviewed}
        if not len(self):
            raise InputError(
                f"{dataset.name}: expected objects with masks to learn from, got none in "
                f"{len(dataset)} pictures"
            )
        return self


def key_of(
    dataset: Dataset,
    store: Store | None,
    size: Sequence[int],
    cache: Path,
    manifest: str,
    reviews: Reviews | None,
    unmasked: bool,
) -> str:
    """A name that no other pictures, masks or size have; arguments as `Examples.cached`."""
    source = ["truth"] if store is None else ["store", len(store), manifest]
    if unmasked:
        source = ["sentences"]
    if reviews is not None:
        source.append(reviews.digest)
    content = fingerprint(dataset, cache)
    source += [content] if content else []
    key = json.dumps([FORMAT, dataset.name, len(dataset), list(size), *source])
    return f"{dataset.name}-{sha256(key.encode()).hexdigest()[:16]}"


def make_folder_once(
    folder: Path, write: Callable[[Path], dict[str, Any]], needed: int = 0
) -> None:
    """Lets `write` make a folder's files where it is not there, beside its place until it is whole;
    others wait meanwhile.

    Args:
        write: gets the folder to write to; returns what `ABOUT` says.
        needed: bytes.

    Raises:
        WriteError: the disk is full, or is going to be.
    """
    if (folder / ABOUT).exists():
        return
    with made_once(folder):
        if (folder / ABOUT).exists():
            return
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        check_space(folder, needed)
        with explained(folder, needed or None):
            part.mkdir(parents=True)
            about = write(part)
            (part / ABOUT).write_text(json.dumps(about) + "\n")
            os.replace(part, folder)


def _write(
    rows: Rows, part: Path, size: Sequence[int], workers: int, unusable: LeftOut
) -> dict[str, Any]:
    """The cache's files; returns what `ABOUT` says of them."""
    # What has asked a bucket cannot be forked: a fork has none of the threads that ask, and waits.
    asked = bool(REQUESTS["asked"])
    made: Iterable[Any] = torch.utils.data.DataLoader(
        rows, batch_size=None, num_workers=0 if asked else workers, collate_fn=lambda row: row
    )
    if asked and isinstance(rows.dataset, Shards):  # of data sets, the one that is for threads
        made = _by_threads(rows, max(1, workers))
    left_out = {"pictures": 0, "objects": 0}
    reviewed = 0
    place = np.zeros(2, np.int64)  # byte and object
    first = 0  # mask
    with (
        (part / PICTURES).open("wb") as pictures,
        (part / INDEX).open("wb") as index,
        (part / EXPRESSIONS).open("wb") as counts,
        (part / IMAGES).open("wb") as images,
        (part / MASKS).open("wb") as bits,
    ):
        for example in tqdm(
            made, total=len(rows), desc=f"caching {rows.dataset.name}", mininterval=1
        ):
            if isinstance(example, InputError):
                raise example
            row, image, masks = example
            left_out["objects"] += row.pop("left_out")
            reviewed += row.pop("reviewed", 0)
            if reason := row.pop("unusable", ""):
                unusable.add(row["name"], reason)
            if not row["objects"]:
                left_out["pictures"] += 1
                continue
            line = json.dumps({**row, "masks": [first, len(masks)]}).encode() + b"\n"
            own = np.array([len(entry["expressions"]) for entry in row["objects"]], np.int32)
            pictures.write(line)
            index.write(place.tobytes())
            counts.write(own.tobytes())
            images.write(image.tobytes())
            bits.write(b"".join(masks))
            place += len(line), len(own)
            first += len(masks)
        index.write(place.tobytes())
    about = {"size": list(size), "left_out": left_out, "unusable": unusable.reasons}
    return about | {"reviewed": reviewed} if reviewed else about


def _by_threads(rows: Rows, count: int) -> Iterator[Any]:
    """Each of the rows, in order, made a few ahead."""
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(count, "rows") as threads:
        for index in range(len(rows)):
            waiting.append(threads.submit(rows.__getitem__, index))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _mapped(path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    if not path.stat().st_size:
        return np.zeros((0, *shape[1:]), dtype)
    return np.memmap(path, dtype, "r").reshape(shape)
