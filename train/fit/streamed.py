"""What training reads of tar files without a cache of pictures: each one when its batch comes.

So a process reads its own batches and no more: of a tar file, also in a bucket, a picture's bytes,
and of the store the shards that its pictures are in, of which the disk keeps copies within bounds.
What must be known of all pictures before is of the store, and is kept in a few bytes a picture:

    cache.json       as of `train.fit.examples`
    index.i64        of each picture, its number in the data set and its first object; and the ends
    expressions.i32  of each object, how many sentences it has
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from ssc.errors import InputError
from train.data.shards import Shards
from train.data.usable import LeftOut
from train.fit.example import Example, example_of
from train.fit.examples import EXPRESSIONS, INDEX, Examples, key_of, make_folder_once
from train.fit.rows import Rows

if TYPE_CHECKING:
    from train.data import Dataset
    from train.pseudo.store import Store


class Streamed(Examples):
    """The same examples, by the same numbers, as `Examples` caches.

    Args:
        folder: with what is known of all pictures.
        dataset, store: of the same pictures.
        readers: threads that read a batch's pictures.
    """

    def __init__(self, folder: Path, dataset: Dataset, store: Store, readers: int) -> None:
        self._open(folder)
        rows = Rows(dataset, store, self.size)
        self._rows, self._store, self.readers = rows, store, max(1, readers)

    def __getitem__(self, index: int) -> Example:
        """Raises InputError where the picture cannot be used although the store has it."""
        made = self._rows[self._number(index)]
        if isinstance(made, InputError):
            raise made
        row, image, masks = made
        if not row["objects"]:
            reason = row.get("unusable", "no object with a mask")
            raise InputError(
                f"{row['name']}: expected the picture that the store was made of, got: {reason}; "
                "without --stream it is left out"
            )
        packed = np.frombuffer(b"".join(masks), np.uint8).reshape(len(masks), -1)
        return example_of(row, image, packed)

    @property
    def expressions(self) -> Iterator[str]:
        """Every expression of every object, in order, of the store."""
        for index in range(len(self)):
            for thing in _learned(self._store, self._number(index)):
                yield from thing.expressions

    def _number(self, index: int) -> int:
        """A picture's number in the data set."""
        return int(self._places(index)[0, 0])

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        store: Store,
        size: Sequence[int],
        cache: Path,
        *,
        workers: int,
        manifest: str = "",
        allow_missing: bool = False,
    ) -> Examples:
        """Looks through the store once on each disk; arguments as `Examples.cached`.

        Raises:
            InputError: as there; or the data set is not in tar files.
        """
        if not isinstance(dataset, Shards):
            raise InputError(
                f"--stream: expected --data webdataset:…, got {dataset.name}; "
                "python -m train data pack writes it"
            )
        dataset.copies = False
        key = key_of(dataset, store, size, cache, manifest, None, False)
        folder = cache / "streamed" / key
        left_out = LeftOut(dataset.name, len(dataset), allow_missing)
        make_folder_once(folder, lambda part: _write(store, part, size, left_out))
        return cls(folder, dataset, store, workers).checked(dataset, allow_missing)


def _learned(store: Store, number: int) -> list[Any]:
    """The objects of a picture that have masks to learn from, without these."""
    return [thing for thing in store.outline(number).objects if len(thing.candidates)]


def _write(store: Store, part: Path, size: Sequence[int], unusable: LeftOut) -> dict[str, Any]:
    left_out = {"pictures": 0, "objects": 0}
    objects = 0
    with (part / INDEX).open("wb") as index, (part / EXPRESSIONS).open("wb") as counts:
        for number in tqdm(range(len(store)), desc="looking through the store", mininterval=1):
            picture = store.outline(number)
            if picture.error:
                unusable.add(picture.name, picture.error)
            own = [len(thing.expressions) for thing in picture.objects if len(thing.candidates)]
            left_out["objects"] += len(picture.objects) - len(own)
            if not own:
                left_out["pictures"] += 1
                continue
            index.write(np.array([number, objects], np.int64).tobytes())
            counts.write(np.array(own, np.int32).tobytes())
            objects += len(own)
        index.write(np.array([len(store), objects], np.int64).tobytes())
    return {"size": list(size), "left_out": left_out, "unusable": unusable.reasons}
