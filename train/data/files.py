"""Your own pictures: a JSONL or CSV file beside them.

JSONL has one picture per line; first the shortest form, then one with every key:

{"image": "a.jpg", "objects": [["left dog", "the brown dog"], ["cat"]]}
{"image": "b.jpg", "name": "b", "objects": [{"name": "0", "expressions": ["the dog"],
    "kinds": ["attribute"], "mask": "b-dog.png", "box": [10, 20, 110.5, 220]}]}

(each on one line). CSV has one expression per row, with the columns `image` and `expression`, and
optionally `object` (rows with the same picture and object name one object; empty: an object of its
own), `mask` (a PNG), `box` ("10 20 110.5 220") and `kind`.

Paths are relative to the file's folder. Masks and boxes are the truth, for evaluation. A mask is a
PNG of the picture's size, black outside of the object, or COCO's run-length code (JSONL only). A
box is x0, y0, x1, y1 in pixels.
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Callable
from hashlib import blake2b, sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from train.data import Picture, Referred
from train.data.lines import COLUMNS, add_cells, parse
from train.data.masks import decode_segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PROBLEMS = 100  # that are kept


class InvalidData(InputError):
    """A file with errors in it; `problems` has a line for each, up to `MOST_PROBLEMS`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more; see python -m train.data check)"
        super().__init__(problems[0] + more * (len(problems) > 1))


class Files:
    """Pictures of a JSONL or CSV file in the form that this module describes.

    The whole file is validated at once. Memory holds the offsets of a JSONL file's lines, or a CSV
    file's text; pictures and masks are read when asked for.

    Raises:
        InvalidData: with file and line of each error.
        InputError: no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = array("q")  # line number of each picture
        self._places = array("q")  # JSONL: offset of each picture
        self._rows: list[bytes] = []  # CSV: each picture as JSONL has it
        problems: list[str] = []
        try:
            digest = (self._scan_csv if self._is_csv else self._scan_jsonl)(problems)
        except OSError as error:
            raise InputError(f"{path}: expected a .jsonl or .csv file, got: {error}") from error
        if not problems and not len(self):
            problems.append(f"{path}: expected at least one picture, got none")
        if problems:
            raise InvalidData(problems)
        stem = re.sub(r"[^\w.-]+", "_", path.stem)
        self.name = f"{stem}-{digest[:12]}"

    @property
    def _is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Picture:
        from ssc.images import load_image

        row, where = self._row(index), self._where(index)
        try:
            image = load_image(self.path.parent / row["image"])
            objects = tuple(
                Referred(
                    thing["name"],
                    tuple(thing["expressions"]),
                    self._mask(thing["mask"], image.shape[:2]),
                    tuple(thing["kinds"]),
                    None if thing["box"] is None else np.array(thing["box"], np.float32),
                )
                for thing in row["objects"]
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return Picture(row["name"], image, objects)

    def picture_name(self, index: int) -> str:
        return self._row(index)["name"]

    def _where(self, index: int) -> str:
        return f"{self.path}:{self._lines[index]}"

    def _row(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._is_csv:
            return parse(self._rows[index], self._where(index))
        with self.path.open("rb") as file:
            file.seek(self._places[index])
            return parse(file.readline(), self._where(index))

    def _mask(self, mask: Any, size: tuple[int, ...]) -> NDArray[np.bool_] | None:
        from ssc.images import load_image

        if mask is None:
            return None
        if isinstance(mask, dict):
            truth = decode_segmentation(mask, *size)
        else:
            truth = np.asarray(load_image(self.path.parent / mask).any(axis=2))
            if truth.shape != size:
                raise InputError(
                    f"{mask}: expected a mask of {size[1]}×{size[0]} pixels as the picture, got "
                    f"{truth.shape[1]}×{truth.shape[0]}"
                )
        if not truth.any():
            raise InputError("mask: expected some pixels of the object, got none")
        return truth

    def _scan_jsonl(self, problems: list[str]) -> str:
        digest, names, place = sha256(), array("q"), 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                digest.update(line)
                if line.strip():
                    self._lines.append(number)
                    self._places.append(place)
                    row = _tried(lambda: parse(line, f"{self.path}:{number}"), problems)  # noqa: B023
                    names.append(_number(row["name"]) if row else number)
                place += len(line)
        self._refuse_twins(names, problems)
        return digest.hexdigest()

    def _scan_csv(self, problems: list[str]) -> str:
        content = self.path.read_bytes()
        pictures: dict[str, dict[str, Any]] = {}
        try:
            reader = csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            unknown = set(reader.fieldnames or ()) - {*COLUMNS}
            if unknown or not {"image", "expression"} <= {*(reader.fieldnames or ())}:
                raise InputError(
                    f"{self.path}:1: expected columns image and expression, and of "
                    f"{', '.join(COLUMNS[2:])} what is wanted, got {reader.fieldnames}"
                )
            for row in reader:
                where = f"{self.path}:{reader.line_num}"
                _tried(lambda: add_cells(pictures, row, where, reader.line_num), problems)  # noqa: B023
        except (ValueError, csv.Error) as error:
            known = str(error) if isinstance(error, InputError) else ""
            problems.append(known or f"{self.path}: expected CSV in UTF-8, got: {error}")
        for picture in pictures.values():
            line = picture.pop("line")
            picture["objects"] = list(picture["objects"].values())
            self._lines.append(line)
            self._rows.append(json.dumps(picture).encode())
            _tried(lambda: parse(self._rows[-1], f"{self.path}:{line}"), problems)  # noqa: B023
        return sha256(content).hexdigest()

    def _refuse_twins(self, names: array, problems: list[str]) -> None:
        """A picture's objects must come together, as the matching is over all of them."""
        if not names:
            return
        _, first, which = np.unique(names, return_index=True, return_inverse=True)
        twins = np.flatnonzero(first[which] != np.arange(len(names)))
        problems.extend(
            f"{self._where(int(twin))}: expected each picture once, with all its objects, got that "
            f"of line {self._lines[int(first[which[twin]])]} again; join the lines, or give each "
            'a "name"'
            for twin in twins[:MOST_PROBLEMS]
        )


def _tried(parse_it: Callable[[], Any], problems: list[str]) -> Any:
    """What it returns; None where it raises InputError, which is noted."""
    try:
        return parse_it()
    except InputError as error:
        if len(problems) < MOST_PROBLEMS:
            problems.append(str(error))
        return None


def _number(name: str) -> int:
    """A 64-bit hash of a name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
