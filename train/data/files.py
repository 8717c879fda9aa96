"""Your own pictures: a JSONL, JSON or CSV file beside them.

JSONL has one picture per line; first the shortest form, then one with every key:

{"image": "a.jpg", "objects": [["left dog", "the brown dog"], ["cat"]]}
{"image": "b.jpg", "name": "b", "objects": [{"name": "0", "expressions": ["the dog"],
    "kinds": ["attribute"], "mask": "b-dog.png", "box": [10, 20, 110.5, 220]}]}

(each on one line). CSV has one expression per row, with the columns `image` and `expression`, and
optionally `object` (rows with the same picture and object name one object; empty: an object of its
own), `mask` (a PNG), `box` ("10 20 110.5 220") and `kind`.

Files are read as people have them: CSV as spreadsheets save it (semicolons or tabs, a BOM, UTF-16,
cp1252, "Image" for "image"), and a .json that is one list of pictures. A folder with one such table
in it stands for the table. What is guessed is said once.

Paths are relative to the file's folder; backslashes in them may stand for slashes. Masks and boxes
are the truth, for evaluation, in the picture's upright frame: turned as its EXIF orientation says,
as viewers show it. A mask is a picture of its size, black outside of the object (`train.data.masks`
has the rules), or COCO's run-length code (JSON only). A box is x0, y0, x1, y1 in pixels; what is
beyond the frame is clipped.
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.images import load_image, refuse_address
from train.data import Picture, Referred
from train.data.frames import fitted_box
from train.data.lines import add_cells, parse
from train.data.masks import decode_segmentation, read_mask
from train.data.notes import say_once
from train.data.sheets import SHEETS, is_list, read_list, read_sheet

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
    """Pictures of a table in a form that this module describes.

    The whole file is validated at once. Memory holds the offsets of a JSONL file's lines, or
    another form's text; pictures and masks are read when asked for.

    Raises:
        InvalidData: with file and line of each error.
        InputError: no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = array("q")  # line number of each picture
        self._places = array("q")  # JSONL: offset of each picture
        self._rows: list[bytes] = []  # of other forms: each picture as JSONL has it
        problems: list[str] = []
        try:
            digest = self._scan()(problems)
        except OSError as error:
            raise InputError(f"{path}: expected a .jsonl or .csv file, got: {error}") from error
        if not problems and not len(self):
            problems.append(f"{path}: expected at least one picture, got none")
        if problems:
            raise InvalidData(problems)
        stem = re.sub(r"[^\w.-]+", "_", path.stem)
        self.name = f"{stem}-{digest[:12]}"

    def _scan(self) -> Callable[[list[str]], str]:
        """What reads a file of this form, notes its problems and returns a digest of it."""
        if self.path.suffix.lower() in SHEETS:
            return self._scan_csv
        return self._scan_list if is_list(self.path) else self._scan_jsonl

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Picture:
        row, where = self._row(index), self._where(index)
        try:
            refuse_address(row["image"])
            image = load_image(self._path(row["image"]))
            height, width = image.shape[:2]
            masks = [self._mask(referent["mask"], height, width) for referent in row["objects"]]
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return picture_of(row, image, masks, where)

    def files(self) -> Iterator[Path]:
        """The pictures and masks; the table itself is in `name`."""
        for index in range(len(self)):
            _, image, masks = self.parts(index)
            yield from (image, *masks.values())

    def parts(self, index: int) -> tuple[dict[str, Any], Path, dict[int, Path]]:
        """A picture's row as `parse` gives it, its file, and the files of masks by object."""
        row = self._row(index)
        named = {k: referent["mask"] for k, referent in enumerate(row["objects"])}
        masks = {k: self._path(text) for k, text in named.items() if isinstance(text, str)}
        return row, self._path(row["image"]), masks

    def picture_name(self, index: int) -> str:
        return self._row(index)["name"]

    def _where(self, index: int) -> str:
        return f"{self.path}:{self._lines[index]}"

    def _row(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._rows:
            return parse(self._rows[index], self._where(index))
        with self.path.open("rb") as file:
            file.seek(self._places[index])
            return parse(file.readline(), self._where(index))

    def _path(self, text: str) -> Path:
        """The file that a path in the table names."""
        path = self.path.parent / text
        if "\\" in text and not path.exists():
            say_once(f"{self.path}: backslashes in paths are read as slashes", str(self.path))
            return self.path.parent / text.replace("\\", "/")
        return path

    def _mask(self, mask: Any, height: int, width: int) -> NDArray[np.bool_] | None:
        if mask is None:
            return None
        if isinstance(mask, str):
            refuse_address(mask)
            return read_mask(self._path(mask), height, width)
        return coded_mask(mask, height, width)

    def _scan_jsonl(self, problems: list[str]) -> str:
        digest, names, place = sha256(), array("q"), 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                digest.update(line)
                if line.strip():
                    self._lines.append(number)
                    self._places.append(place)
                    row = _tried(lambda: parse(line, f"{self.path}:{number}"), problems)  # noqa: B023
                    names.append(number_of(row["name"]) if row else number)
                place += len(line)
        self._refuse_twins(names, problems)
        return digest.hexdigest()

    def _scan_csv(self, problems: list[str]) -> str:
        content = self.path.read_bytes()
        pictures: dict[str, dict[str, Any]] = {}
        try:
            for line, row in read_sheet(content, self.path):
                where = f"{self.path}:{line}"
                _tried(lambda: add_cells(pictures, row, where, line), problems)  # noqa: B023
        except (InputError, csv.Error) as error:
            ours = isinstance(error, InputError)
            problems.append(str(error) if ours else f"{self.path}: expected CSV, got: {error}")
        for picture in pictures.values():
            line = picture.pop("line")
            picture["objects"] = list(picture["objects"].values())
            self._add(picture, line, problems)
        return sha256(content).hexdigest()

    def _scan_list(self, problems: list[str]) -> str:
        content, names = self.path.read_bytes(), array("q")
        try:
            for line, item in read_list(content, self.path):
                row = self._add(item, line, problems)
                names.append(number_of(row["name"]) if row else -len(names))
        except InputError as error:
            problems.append(str(error))
        self._refuse_twins(names, problems)
        return sha256(content).hexdigest()

    def _add(self, picture: Any, line: int, problems: list[str]) -> dict[str, Any] | None:
        """Keeps a picture as JSONL has it; returns it with every key, or None where it is wrong."""
        self._lines.append(line)
        self._rows.append(json.dumps(picture).encode())
        return _tried(lambda: parse(self._rows[-1], f"{self.path}:{line}"), problems)

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


def picture_of(
    row: dict[str, Any],
    image: NDArray[np.uint8],
    masks: Sequence[NDArray[np.bool_] | None],
    where: str,
) -> Picture:
    """The picture of a row as `parse` gives it.

    Args:
        image: RGB uint8 H×W×3.
        masks: bool H×W of each object, where it has one.
        where: for messages.

    Raises:
        InputError: a box that is not in the picture, or not its mask's.
    """
    height, width = image.shape[:2]
    objects = tuple(
        Referred(
            referent["name"],
            tuple(referent["expressions"]),
            mask,
            tuple(referent["kinds"]),
            None
            if referent["box"] is None
            else fitted_box(referent["box"], height, width, f"{where}, object {number}", mask),
        )
        for number, (referent, mask) in enumerate(zip(row["objects"], masks), 1)
    )
    return Picture(row["name"], image, objects)


def coded_mask(code: dict[str, Any], height: int, width: int) -> NDArray[np.bool_]:
    """A row's run-length code → bool height×width; raises InputError where it has no pixels."""
    truth = decode_segmentation(code, height, width)
    if not truth.any():
        raise InputError("mask: expected some pixels of the object, got none")
    return truth


def _tried(parse_it: Callable[[], Any], problems: list[str]) -> Any:
    """What it returns; None where it raises InputError, which is noted."""
    try:
        return parse_it()
    except InputError as error:
        if len(problems) < MOST_PROBLEMS:
            problems.append(str(error))
        return None


def number_of(name: str) -> int:
    """A 64-bit hash of a name."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
