"""Tables as people have them: CSV as spreadsheets save it, a JSON list, a folder with a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from ssc.errors import InputError
from train.data import TABLES
from train.data.lines import COLUMNS
from train.data.notes import say_once

SHEETS = (".csv", ".tsv")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
REQUIRED = COLUMNS[:2]


def find_table(folder: Path) -> Path:
    """The one table in a folder of pictures.

    Raises:
        InputError: there is none, or there are several.
    """
    tables = sorted(p for p in folder.iterdir() if p.suffix.lower() in TABLES and p.is_file())
    if len(tables) != 1:
        names = ", ".join(table.name for table in tables) or "none"
        raise InputError(
            f"{folder}: expected a folder with one table ({' '.join(TABLES)}) in it, got {names}; "
            "name the file"
        )
    say_once(f"{folder}: its table is {tables[0].name}")
    return tables[0]


def read_sheet(content: bytes, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's last line and its cells by column.

    Raises:
        InputError: no text, or other columns.
        csv.Error: it is no CSV.
    """
    text, encoding = _decoded(content, path)
    first = 0
    if text[:4].lower() == "sep=":  # a spreadsheet's own hint
        text, first = text[len(_first_line(text)) :], 1
    separator = _separator(text)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    head = next(reader, [])
    columns = [name.strip().casefold() for name in head]
    while columns and not columns[-1]:
        columns.pop()
    fits = {*REQUIRED} <= {*columns} <= {*COLUMNS} and len({*columns}) == len(columns)
    if not fits:
        raise InputError(
            f"{path}:{first + 1}: expected columns {' and '.join(REQUIRED)}, and of "
            f"{', '.join(COLUMNS[2:])} what is wanted, got {head}"
        )
    guesses = [f"separated by {SEPARATORS[separator]}"] if separator != "," else []
    guesses += [f"in {encoding}"] if encoding else []
    guesses += [f"with {', '.join(head)} for {', '.join(columns)}"] if columns != head else []
    if guesses:
        say_once(f"{path}: read as CSV {', '.join(guesses)}")
    for cells in reader:
        line = first + reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        own, more = cells[: len(columns)], cells[len(columns) :]
        absent = columns[len(own) :]  # spreadsheets leave out what is empty at a row's end
        if any(cell.strip() for cell in more) or {*absent} & {*REQUIRED}:
            raise InputError(f"{path}:{line}: expected a cell for each column, got {[*own, *more]}")
        yield line, dict(zip(columns, [*own, *[""] * len(absent)]))


def read_list(content: bytes, path: Path) -> Iterator[tuple[int, Any]]:
    """Each item of a JSON list, with the line on which it begins.

    Raises:
        InputError: it is none.
    """
    text, decoder = _decoded(content, path)[0], json.JSONDecoder()
    place, line, expected = text.index("[") + 1, 1, "a value or ]"
    counted = 0
    try:
        while True:
            place = _skip(text, place)
            if text[place : place + 1] == "]" and expected != "a value":
                break
            line, counted = line + text.count("\n", counted, place), place
            item, place = decoder.raw_decode(text, place)
            yield line, item
            place, expected = _skip(text, place), "a value"
            if text[place : place + 1] == "]":
                break
            if text[place : place + 1] != ",":
                raise ValueError("expected , or ] after an item")
            place += 1
        if _skip(text, place + 1) != len(text):
            raise ValueError("expected nothing after the list")
    except (ValueError, RecursionError) as error:
        line += text.count("\n", counted, min(place, len(text)))
        raise InputError(f"{path}:{line}: expected a list in JSON, got: {error}") from error


def is_list(path: Path) -> bool:
    """Whether a file's first sign is that of a JSON list."""
    with path.open("rb") as file:
        return file.read(4096).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] == b"["


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _decoded(content: bytes, path: Path) -> tuple[str, str]:
    """A file's text, and its encoding where it is not UTF-8."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig"), "UTF-16" if wide else ""
    except UnicodeDecodeError as error:
        problem = error
    with suppress(UnicodeDecodeError):
        return content.decode("cp1252"), "cp1252"
    raise InputError(f"{path}: expected text in UTF-8, got: {problem}; save it as UTF-8")


def _first_line(text: str) -> str:
    """With its end, which is \\n, \\r\\n or, of old spreadsheets, \\r."""
    return StringIO(text, newline="").readline()


def _separator(text: str) -> str:
    head = _first_line(text).rstrip("\r\n")
    for separator in SEPARATORS:
        names = next(csv.reader([head], delimiter=separator), [])
        if {*REQUIRED} <= {name.strip().casefold() for name in names}:
            return separator
    return ","
