"""Data sets as `datasets` of Hugging Face reads them: `hf:NAME:SPLIT[:COLUMN=ITS NAME…]`.

NAME is an id on the Hub, or a folder of Parquet or of pictures with a metadata.jsonl. A row is a
picture. Its columns, each named once where it has another name:

    image       the picture
    sentences   a text, a list of the texts of one object, or a list of such lists, one an object
    name        of the picture; else the split and the row's number
    box         4 numbers of one object, XYXY pixels, or a list of them; xywh: the same as COCO has
    mask        a picture of one object's mask, a COCO RLE, or a list of them

    hf:my/phrases:train:image=photo:sentences=captions:xywh=bbox

Rows are streamed in their order, and nothing is copied to the disk. To go back is to begin again:
several machines, and a training of several epochs, read what `data pack` has packed.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ssc.errors import InputError, ResourceError, told
from ssc.images import load_image
from train.data import Picture
from train.data.files import coded_mask, number_of, picture_of
from train.data.lines import parse
from train.data.masks import read_mask
from train.data.tars import digest_of

COLUMNS = ("image", "sentences", "name", "box", "xywh", "mask")
NEEDED = COLUMNS[:2]


class Streamed:
    """The rows of a split; see the top of this module.

    Args:
        text: what follows `hf:`.

    Raises:
        InputError: not such a text, no such data set, or no such column.
        ResourceError: `datasets` is not installed.
    """

    def __init__(self, text: str) -> None:
        name, self.split, self._named = _parts(text)
        self.text = f"hf:{text}"
        try:
            import datasets
        except ImportError as error:
            raise ResourceError(
                f"{self.text}: expected the package datasets, which is not installed; run "
                "pip install 'segment-select-correct[cluster]'"
            ) from error
        revision = None if Path(name).is_dir() else self._tried(lambda: _revision(name))
        self._rows: Any = self._tried(
            lambda: datasets.load_dataset(
                name, split=self.split, streaming=True, revision=revision
            )._resolve_features()
        )
        there = self._rows.column_names
        wanted = {column: self._named.get(column, column) for column in COLUMNS}
        self._columns = {column: own for column, own in wanted.items() if own in there}
        for column in (*NEEDED, *self._named):
            if column not in self._columns:
                raise InputError(
                    f"{self.text}: expected a column {wanted[column]}, got {', '.join(there)}; "
                    f"name it, as in {column}={there[0]}"
                )
        for column in ("image", "mask"):
            if column in self._columns:
                own = self._columns[column]
                self._rows = self._rows.cast_column(own, _as_files(self._rows.features[own]))
        self._stream: Iterator[dict[str, Any]] | None = None
        self._next = 0  # row of the stream
        self._held: tuple[int, dict[str, Any]] | None = None
        self._count, digest = self._tried(self._look_through)
        stem = re.sub(r"[^\w.-]+", "_", f"{name.rstrip('/').rpartition('/')[2]}-{self.split}")
        self.name = f"{stem}-{(revision or digest)[:12]}"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Picture:
        row, where = self._row(index), f"{self.text}, row {index}"
        own = parse(json.dumps(self._line(index, row), default=_plain).encode(), where)
        try:
            image = load_image(_bytes(row[self._columns["image"]]))
            masks = self._masks(row, len(own["objects"]), image.shape[:2])
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return picture_of(own, image, masks, where)

    def picture_name(self, index: int) -> str:
        if "name" in self._columns:
            return str(self._row(index)[self._columns["name"]])
        return f"{self.split}-{index:09d}"

    def files(self) -> Iterator[Path | str]:
        """The digests of pictures and of masks that are pictures."""
        for index in range(len(self)):
            row = self._row(index)
            yield digest_of(_bytes(row[self._columns["image"]]))
            masks = _listed(row.get(self._columns.get("mask", "")))
            yield from (digest_of(_bytes(mask)) for mask in masks if not _is_code(mask))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_stream": None, "_next": 0}  # another process has its own stream

    def _row(self, index: int) -> dict[str, Any]:
        """Row `index` as `datasets` has it."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._held is None or self._held[0] != index:
            self._held = index, self._tried(lambda: self._read(index))
        return self._held[1]

    def _read(self, index: int) -> dict[str, Any]:
        if self._stream is None or index < self._next:
            self._stream, self._next = iter(self._rows.skip(index)), index
        for row in self._stream:
            self._next += 1
            if self._next > index:
                return row
        raise InputError(f"expected {len(self)} rows, got {self._next}")

    def _look_through(self) -> tuple[int, str]:
        """How many rows there are, and the digest of what they say."""
        own = [name for column, name in self._columns.items() if column not in ("image", "mask")]
        count, digest, names = 0, sha256(), array("q")
        for row in self._rows.select_columns(own):
            digest.update(json.dumps(row, default=_plain, sort_keys=True).encode())
            if "name" in self._columns:
                names.append(number_of(str(row[self._columns["name"]])))
            count += 1
        if not count:
            raise InputError("expected at least one row, got none")
        if len(np.unique(names)) != len(names):
            raise InputError(
                "expected each picture once, with all its objects, got a name of several rows; "
                "name another column, or none"
            )
        return count, digest.hexdigest()

    def _line(self, index: int, row: dict[str, Any]) -> dict[str, Any]:
        """A row as a line of `train.data.files`, without its masks."""
        texts = row[self._columns["sentences"]]
        groups = [[texts]] if isinstance(texts, str) else texts
        if groups and isinstance(groups[0], str):
            groups = [groups]
        objects = [{"expressions": list(group)} for group in groups or []]
        for column in ("box", "xywh"):
            if column in self._columns:
                boxes = np.asarray(row[self._columns[column]], float).reshape(-1, 4)
                for thing, (x, y, right, bottom) in zip(objects, boxes.tolist()):
                    wide = column == "xywh"
                    thing["box"] = [x, y, x + right, y + bottom] if wide else [x, y, right, bottom]
        return {"image": self.picture_name(index), "objects": objects}

    def _masks(self, row: dict[str, Any], count: int, size: tuple[int, ...]) -> list[Any]:
        masks = _listed(row.get(self._columns.get("mask", "")))
        if masks and len(masks) != count:
            raise InputError(f"mask: expected one for each of {count} objects, got {len(masks)}")
        height, width = size
        return [
            coded_mask(mask, height, width)
            if _is_code(mask)
            else read_mask(Path("mask"), height, width, _bytes(mask))
            for mask in masks
        ] or [None] * count

    def _tried(self, work: Any) -> Any:
        try:
            return work()
        except InputError as error:
            raise InputError(f"{self.text}: {error}") from error
        except Exception as error:  # of any kind: builders and file systems have their own
            raise InputError(
                f"{self.text}: expected a data set that datasets reads, got: {told(error)}"
            ) from error


def _parts(text: str) -> tuple[str, str, dict[str, str]]:
    """Name, split and columns."""
    name, *rest = text.split(":")
    columns = dict(part.split("=", 1) for part in rest[1:] if "=" in part)
    strange = [
        part for part in rest[1:] if part.partition("=")[0] not in COLUMNS or "=" not in part
    ]
    if not name or not rest or not rest[0] or strange:
        raise InputError(
            f"data: expected hf:NAME:SPLIT[:COLUMN=ITS NAME…] with {', '.join(COLUMNS)}, "
            f"got 'hf:{text}'"
        )
    return name, rest[0], columns


def _revision(name: str) -> str:
    """The commit of a data set on the Hub, which names its content."""
    from huggingface_hub import HfApi

    return HfApi().dataset_info(name).sha or ""


def _as_files(feature: Any) -> Any:
    """A column's type with pictures, of which it may have lists, as their files."""
    import datasets

    if isinstance(feature, datasets.Image):
        return datasets.Image(decode=False)
    if isinstance(feature, datasets.List):
        return datasets.List(_as_files(feature.feature))
    return feature


def _bytes(image: Any) -> bytes:
    """A picture's file, as `datasets.Image(decode=False)` gives it."""
    if isinstance(image, dict) and image.get("bytes") is not None:
        return image["bytes"]
    if isinstance(image, dict) and image.get("path"):
        return Path(image["path"]).read_bytes()
    raise InputError(f"expected a picture, got {str(image)[:100]!a}")


def _is_code(mask: Any) -> bool:
    return isinstance(mask, dict) and "counts" in mask


def _listed(masks: Any) -> list[Any]:
    if masks is None:
        return []
    return masks if isinstance(masks, list) else [masks]


def _plain(value: Any) -> Any:
    """What JSON has in place of an array or a number of NumPy."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
