"""What training reads: pictures, sentences and masks at the model's own size, cached on disk.

Rendering or decoding a picture costs far more than a step of a small model, so it is done once, by
several processes; after that an example is a slice of memory-mapped files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from ssc.types import InputError
from train.data import Dataset, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.store import Store

FORMAT = 1  # of the cache; a change of its layout or of what is in it makes a new one
SIDES = re.compile(r"\b(left|right)(?=(?:most|side|hand|wards?|er)?\b)", re.IGNORECASE)


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
    """A cached data set: random access to `Example`s; only its sentences are held in memory."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "pictures.json").read_text())
        self.size: tuple[int, int] = tuple(index["size"])
        self.pictures: list[dict[str, Any]] = index["pictures"]
        self.left_out: dict[str, int] = index["left_out"]
        h, w = self.size
        self._images = _mapped(folder / "images.u8", (len(self), h, w, 3))
        self._masks = _mapped(folder / "masks.u8", (-1, -(-h * w // 8)))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Example:
        picture = self.pictures[index]
        first, count = picture["masks"]
        h, w = self.size
        bits = np.unpackbits(self._masks[first : first + count], axis=1, count=h * w)
        allowed = np.zeros((len(picture["objects"]), count), np.bool_)
        for row, thing in zip(allowed, picture["objects"]):
            row[thing["masks"]] = True
        return Example(
            picture["name"],
            np.asarray(self._images[index]),
            tuple(tuple(thing["expressions"]) for thing in picture["objects"]),
            bits.reshape(count, h, w).astype(np.bool_),  # C×hw → C×h×w
            allowed,
            np.array([thing["chosen"] for thing in picture["objects"]], np.int64),
        )

    @property
    def expressions(self) -> Iterator[str]:
        """Every expression of every object, in order."""
        for picture in self.pictures:
            for thing in picture["objects"]:
                yield from thing["expressions"]

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
        if not (folder / "pictures.json").exists():
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

    def __getitem__(self, index: int) -> tuple[dict[str, Any], NDArray, list[bytes]]:
        picture = self.dataset[index]
        masks: dict[bytes, int] = {}  # the same mask, found for several objects, is one mask
        objects = []
        for expressions, found, chosen in self._objects(index, picture):
            numbers = [masks.setdefault(self._pack(mask), len(masks)) for mask in found]
            if numbers:
                objects.append(
                    {
                        "expressions": expressions,
                        "masks": numbers,
                        "chosen": numbers[chosen] if chosen >= 0 else -1,
                    }
                )
        row = {"name": picture.name, "objects": objects, "left_out": len(picture.objects)}
        row["left_out"] -= len(objects)
        return row, shrink(picture.image, self.size), list(masks)

    def _objects(self, index: int, picture: Picture) -> Iterator[tuple[list[str], NDArray, int]]:
        """Expressions, masks bool C×H×W and the chosen mask of each object."""
        if self.store is None:
            for thing in picture.objects:
                if thing.mask is None:
                    raise InputError(
                        f"{self.dataset.name}, {picture.name}: expected true masks, got none; "
                        "supervised training and validation need a data set that has them"
                    )
                yield list(thing.expressions), thing.mask[None], 0
            return
        found = self.store[index]
        said = [thing.expressions for thing in picture.objects]
        if self.store.name(index) != picture.name or [o.expressions for o in found] != said:
            raise InputError(
                f"expected a store of {self.dataset.name} in the same order, got "
                f"{self.store.name(index)} where {picture.name} stands"
            )
        for thing in found:
            yield list(thing.expressions), thing.candidates.masks, thing.chosen

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
    pictures: list[dict[str, Any]] = []
    left_out = {"pictures": 0, "objects": 0}
    first = 0
    with (part / "images.u8").open("wb") as images, (part / "masks.u8").open("wb") as bits:
        for row, image, masks in tqdm(loader, desc=f"caching {rows.dataset.name}", mininterval=1):
            left_out["objects"] += row.pop("left_out")
            if not row["objects"]:
                left_out["pictures"] += 1
                continue
            images.write(image.tobytes())
            bits.write(b"".join(masks))
            pictures.append({**row, "masks": [first, len(masks)]})
            first += len(masks)
    index = {"size": list(size), "left_out": left_out, "pictures": pictures}
    (part / "pictures.json").write_text(json.dumps(index))
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed while it moved things
    os.replace(part, folder)


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if not path.stat().st_size:
        return np.zeros((0, *shape[1:]), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(shape)


def mirror_words(text: str) -> str:
    """The expression for the mirrored picture: left and right change places."""
    return SIDES.sub(lambda found: _MIRRORED[found[0].lower()](found[0]), text)


_MIRRORED = {
    "left": lambda word: "Right" if word[0].isupper() else "right",
    "right": lambda word: "Left" if word[0].isupper() else "left",
}


@dataclass(frozen=True)
class Batch:
    """Whole pictures; expressions, objects and masks are numbered through.

    Attributes:
        names: of B pictures.
        images: RGB uint8 B×h×w×3.
        texts: N expressions.
        image_of, object_of: int64 N, picture and object in [0, J) of each expression.
        masks: bool C×h×w.
        allowed: bool J_i×C_i of each picture; ΣJ_i = J and ΣC_i = C, in order.
        chosen: int64 J, the S2 (or true) mask of each object, -1 for none.
        share: this batch's part of the expressions of the whole update, of all processes.
    """

    names: tuple[str, ...]
    images: Tensor
    texts: list[str]
    image_of: Tensor
    object_of: Tensor
    masks: Tensor
    allowed: list[Tensor]
    chosen: Tensor
    share: float


@dataclass(frozen=True)
class Plan:
    """Which pictures and sentences each update sees: a function of (seed, position) alone.

    Position p counts pictures from the start of training; an epoch is one permutation of all.

    Attributes:
        batch: pictures of an update, of all processes together.
        parts: batches that an update is cut into: processes times accumulation steps.
        expressions: drawn for each object each time; 0 for all.
        flip: mirrors every second picture, with its words.
    """

    batch: int
    parts: int
    expressions: int
    flip: bool
    seed: int

    def __post_init__(self) -> None:
        if self.batch % self.parts:
            raise InputError(
                f"batch: expected a multiple of {self.parts} (processes × accumulation), "
                f"got {self.batch}"
            )

    def part(self, examples: Examples, update: int, part: int) -> Batch:
        """Batch `part` in [0, parts) of an update."""
        total = sum(self._drawn(examples, p) for p in self._positions(update))
        own = self._positions(update)[part * (self.batch // self.parts) :]
        own = own[: self.batch // self.parts]
        drawn = [self._draw(examples, p) for p in own]
        return _join(drawn, total)

    def _positions(self, update: int) -> range:
        return range(update * self.batch, (update + 1) * self.batch)

    def _index(self, examples: Examples, position: int) -> int:
        epoch, place = divmod(position, len(examples))
        key = (len(examples), self.seed, epoch)
        if key not in _ORDER:
            while len(_ORDER) > 3:
                _ORDER.pop(next(iter(_ORDER)))
            _ORDER[key] = np.random.default_rng([self.seed, epoch]).permutation(len(examples))
        return int(_ORDER[key][place])

    def _drawn(self, examples: Examples, position: int) -> int:
        """How many expressions `_draw` draws there."""
        objects = examples.pictures[self._index(examples, position)]["objects"]
        counts = (len(thing["expressions"]) for thing in objects)
        return sum(min(k, self.expressions or k) for k in counts)

    def _draw(self, examples: Examples, position: int) -> tuple[Example, list[list[str]]]:
        """An example, mirrored or not, and the drawn expressions of each of its objects."""
        example = examples[self._index(examples, position)]
        rng = np.random.default_rng([self.seed, position, 1])
        texts = [
            [said[k] for k in rng.permutation(len(said))[: self.expressions or None]]
            for said in example.expressions
        ]
        if self.flip and rng.random() < 0.5:
            texts = [[mirror_words(text) for text in said] for said in texts]
            image, masks = example.image[:, ::-1], example.masks[:, :, ::-1]
            example = Example(
                example.name, image, example.expressions, masks, example.allowed, example.chosen
            )
        return example, texts


_ORDER: dict[tuple[int, int, int], NDArray[np.int64]] = {}  # of the last epochs


def _join(drawn: Sequence[tuple[Example, list[list[str]]]], total: int) -> Batch:
    texts: list[str] = []
    image_of, object_of, chosen = [], [], []
    objects = masks = 0
    for i, (example, said) in enumerate(drawn):
        for own in said:
            texts += own
            image_of += [i] * len(own)
            object_of += [objects] * len(own)
            objects += 1
        chosen.append(np.where(example.chosen < 0, -1, example.chosen + masks))
        masks += len(example.masks)
    examples = [example for example, _ in drawn]
    return Batch(
        tuple(example.name for example in examples),
        torch.from_numpy(np.stack([example.image for example in examples])),
        texts,
        torch.tensor(image_of),
        torch.tensor(object_of),
        torch.from_numpy(np.concatenate([example.masks for example in examples])),
        [torch.from_numpy(example.allowed) for example in examples],
        torch.from_numpy(np.concatenate(chosen)),
        len(texts) / total,
    )
