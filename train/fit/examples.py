"""What training reads: pictures, sentences and masks at the model's own size, cached on disk.

Rendering or decoding a picture costs far more than a step of a small model, so it is done once, by
several processes; after that an example is a slice of memory-mapped files. A cache is a folder:

    cache.json       the size of all pictures, and what was left out
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from ssc.errors import InputError
from train.data import Dataset, Picture

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from train.pseudo.store import Store

FORMAT = 2  # of the cache; a change of its layout or of what is in it makes a new one
ABOUT, PICTURES, INDEX = "cache.json", "pictures.jsonl", "index.i64"
EXPRESSIONS, IMAGES, MASKS = "expressions.i32", "images.u8", "masks.u8"


@dataclass(frozen=True)
class Example:
    """A picture with the masks that each of its objects may be matched to.

    Attributes:
        name: of the picture.
        image: RGB uint8 h×w×3, at the model's size.
        expressions: of each of J objects.
        masks: bool C×h×w, all objects' masks, each once.
        allowed: bool J×C, whether a mask is one of the object's.
        chosen: int64 J, the object's mask in S2, or its true mask in a set made for `supervised`.
    """

    name: str
    image: NDArray[np.uint8]
    expressions: tuple[tuple[str, ...], ...]
    masks: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    chosen: NDArray[np.int64]


class Examples:
    """A cached data set: random access to `Example`s, all of them mapped from files.

    Attributes:
        size: (h, w) of pictures and masks.
        left_out: how many "pictures" and "objects" have no mask to learn from.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text())
        self.size: tuple[int, int] = tuple(about["size"])
        self.left_out: dict[str, int] = about["left_out"]
        h, w = self.size
        self._index = _mapped(folder / INDEX, (-1, 2), np.int64)
        self._lines = _mapped(folder / PICTURES, (-1,))
        self._counts = _mapped(folder / EXPRESSIONS, (-1,), np.int32)
        self._images = _mapped(folder / IMAGES, (len(self), h, w, 3))
        self._masks = _mapped(folder / MASKS, (-1, -(-h * w // 8)))

    def __len__(self) -> int:
        return len(self._index) - 1

    def __getitem__(self, index: int) -> Example:
        picture = self._picture(index)
        first, count = picture["masks"]
        h, w = self.size
        bits = np.unpackbits(self._masks[first : first + count], axis=1, count=h * w)
        allowed = np.zeros((len(picture["objects"]), count), np.bool_)
        for row, entry in zip(allowed, picture["objects"]):
            row[entry["masks"]] = True
        return Example(
            picture["name"],
            np.asarray(self._images[index]),
            tuple(tuple(entry["expressions"]) for entry in picture["objects"]),
            bits.reshape(count, h, w).astype(np.bool_),  # C×hw → C×h×w
            allowed,
            np.array([entry["chosen"] for entry in picture["objects"]], np.int64),
        )

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
    ) -> Examples:
        """Reads the cache, and makes it first where it is not there.

        Args:
            dataset: pictures; objects' masks are read only where `store` is None.
            store: S1 and S2 of the same pictures, or None for the true masks.
            size: (h, w) that the model sees.
            cache: folder of all caches.
            workers: processes that make it; 0 for this one alone.
            manifest: text that tells this store from any other.

        Raises:
            InputError: data set and store are not of the same pictures, or nothing is left to
                train on.
        """
        source = ["truth"] if store is None else ["store", len(store), manifest]
        key = json.dumps([FORMAT, dataset.name, len(dataset), list(size), *source])
        folder = cache / f"{dataset.name}-{sha256(key.encode()).hexdigest()[:16]}"
        if not (folder / ABOUT).exists():
            _build(_Rows(dataset, store, size), folder, size, workers)
        examples = cls(folder)
        if not len(examples):
            raise InputError(
                f"{dataset.name}: expected objects with masks to learn from, got none in "
                f"{len(dataset)} pictures"
            )
        return examples


class _Rows(torch.utils.data.Dataset):
    """One picture as the cache holds it, made in a worker."""

    def __init__(self, dataset: Dataset, store: Store | None, size: Sequence[int]) -> None:
        self.dataset, self.store, self.size = dataset, store, tuple(size)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], NDArray, list[bytes]] | InputError:
        try:
            return self._row(index)
        except InputError as error:
            return error  # raised in a worker, it would come with the worker's traceback as text

    def _row(self, index: int) -> tuple[dict[str, Any], NDArray, list[bytes]]:
        try:
            picture = self.dataset[index]
        except (InputError, OSError):
            if self.store is None or self.store.picture(index).error is None:
                raise
            nothing = {"name": self.dataset.picture_name(index), "objects": [], "left_out": 0}
            # Stages 1 and 2 could not read it either.
            return nothing, np.zeros((0, 0, 3), np.uint8), []
        masks: dict[bytes, int] = {}  # the same mask, found for several objects, is one mask
        objects = []
        for expressions, candidates, chosen in self._objects(index, picture):
            numbers = [masks.setdefault(self._pack(mask), len(masks)) for mask in candidates]
            if numbers:
                objects.append(
                    {
                        "expressions": expressions,
                        "masks": numbers,
                        "chosen": numbers[chosen] if chosen >= 0 else -1,
                    }
                )
        left_out = len(picture.objects) - len(objects)
        row = {"name": picture.name, "objects": objects, "left_out": left_out}
        return row, shrink(picture.image, self.size), list(masks)

    def _objects(self, index: int, picture: Picture) -> Iterator[tuple[list[str], NDArray, int]]:
        """Expressions, masks bool C×H×W and the chosen mask of each object."""
        if self.store is None:
            for referred in picture.objects:
                if referred.mask is None:
                    raise InputError(
                        f"{self.dataset.name}, {picture.name}: expected true masks, got none; "
                        "supervised training and validation need a data set that has them"
                    )
                yield list(referred.expressions), referred.mask[None], 0
            return
        segmented = self.store[index]
        expressions = [referred.expressions for referred in picture.objects]
        stored = [entry.expressions for entry in segmented]
        if self.store.name(index) != picture.name or stored != expressions:
            raise InputError(
                f"expected a store of {self.dataset.name} in the same order, got "
                f"{self.store.name(index)} where {picture.name} stands"
            )
        for entry in segmented:
            yield list(entry.expressions), entry.candidates.masks, entry.chosen

    def _pack(self, mask: NDArray[np.bool_]) -> bytes:
        small = shrink(mask[..., None].astype(np.uint8) * 255, self.size)[..., 0] > 127
        return np.packbits(small.reshape(-1)).tobytes()  # h×w → ⌈hw/8⌉


def shrink(image: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """uint8 H×W×C to uint8 h×w×C as `preprocess` does, but for the rounding."""
    if image.shape[:2] == tuple(size):
        return np.ascontiguousarray(image)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()  # 1×C×H×W
    pixels = F.interpolate(pixels, tuple(size), mode="bilinear", antialias=True)
    return pixels[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()  # C×h×w → h×w×C


def _build(rows: _Rows, folder: Path, size: Sequence[int], workers: int) -> None:
    """Writes the cache next to its place and moves it there when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    loader = torch.utils.data.DataLoader(
        rows, batch_size=None, num_workers=workers, collate_fn=lambda row: row
    )
    left_out = {"pictures": 0, "objects": 0}
    place = np.zeros(2, np.int64)  # byte and object
    first = 0  # mask
    with (
        (part / PICTURES).open("wb") as pictures,
        (part / INDEX).open("wb") as index,
        (part / EXPRESSIONS).open("wb") as counts,
        (part / IMAGES).open("wb") as images,
        (part / MASKS).open("wb") as bits,
    ):
        for made in tqdm(loader, desc=f"caching {rows.dataset.name}", mininterval=1):
            if isinstance(made, InputError):
                raise made
            row, image, masks = made
            left_out["objects"] += row.pop("left_out")
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
    (part / ABOUT).write_text(json.dumps({"size": list(size), "left_out": left_out}) + "\n")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed while it moved things
    os.replace(part, folder)


def _mapped(path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    if not path.stat().st_size:
        return np.zeros((0, *shape[1:]), dtype)
    return np.memmap(path, dtype, "r").reshape(shape)
