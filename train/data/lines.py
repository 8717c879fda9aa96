"""Parses and checks one line of a data set; `train.data.files` describes the format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any

from ssc.errors import InputError
from ssc.pipeline import MAX_EXPRESSION

COLUMNS = ("image", "expression", "object", "mask", "box", "kind")
"""Of a CSV file, the first two required."""


def parse(line: bytes, where: str) -> dict[str, Any]:
    """A line of JSONL as a dict with every key filled in: image, name, and objects.

    Raises:
        InputError: the line is not valid; the message starts with `where`.
    """
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: expected a line of JSON in UTF-8, got: {error}") from error
    _expect(isinstance(row, dict), where, 'an object {"image": …, "objects": …}', row)
    _keys(row, ("image", "name", "objects"), where)
    image, objects = row.get("image"), row.get("objects")
    _expect(_is_text(image), f"{where}, image", "a path in UTF-8", image)
    name = row.get("name", image)
    _expect(_is_text(name), f"{where}, name", "text", name)
    _expect(isinstance(objects, list), f"{where}, objects", "a list", objects)
    _expect(objects, f"{where}, objects", "a list of at least one object", "none")
    parsed = [_parse_object(entry, k, where) for k, entry in enumerate(objects)]
    names = [entry["name"] for entry in parsed]
    _expect(len({*names}) == len(names), where, "a name of its own for each object", names)
    return {"image": image, "name": name, "objects": parsed}


def _parse_object(entry: Any, index: int, where: str) -> dict[str, Any]:
    where = f"{where}, object {index + 1}"
    if isinstance(entry, list):
        entry = {"expressions": entry}
    _expect(isinstance(entry, dict), where, "a list of expressions, or an object", entry)
    _keys(entry, ("name", "expressions", "kinds", "mask", "box"), where)
    texts, kinds = entry.get("expressions"), entry.get("kinds") or []
    _expect(isinstance(texts, list), f"{where}, expressions", "a list of them", texts)
    _expect(texts, f"{where}, expressions", "at least one", "none")
    for text in texts:
        fits = _is_text(text) and len(text) <= MAX_EXPRESSION
        _expect(fits, f"{where}, expressions", f"text of up to {MAX_EXPRESSION} characters", text)
    fits = isinstance(kinds, list) and len(kinds) in (0, len(texts)) and all(map(_is_text, kinds))
    _expect(fits, f"{where}, kinds", "one for each expression", kinds)
    name = entry.get("name", str(index))
    _expect(_is_text(name), f"{where}, name", "text", name)
    mask, box = entry.get("mask"), entry.get("box")
    fits = mask is None or _is_text(mask) or isinstance(mask, dict)
    _expect(fits, f"{where}, mask", "a path in UTF-8 or a run-length code", mask)
    if box is not None and not _is_box(box):
        as_sizes = "; x, y, width, height are x, y, x + width, y + height here"
        hint = as_sizes if _is_box([0, 0, *box[2:]] if isinstance(box, list) else box) else ""
        _expect(False, f"{where}, box", f"x0 < x1 and y0 < y1 in pixels{hint}", box)
    texts = [" ".join(text.split()) for text in texts]
    return {"name": name, "expressions": texts, "kinds": kinds, "mask": mask, "box": box}


def add_cells(pictures: dict[str, Any], row: dict[str, Any], where: str, line: int) -> None:
    """Adds a row of CSV to its picture and object."""
    image = row["image"].strip()
    _expect(image, f"{where}, image", "a path", image)
    _expect(row["expression"].strip(), f"{where}, expression", "text", row["expression"])
    picture = pictures.setdefault(image, {"image": image, "objects": {}, "line": line})
    name = (row.get("object") or "").strip() or f"row {line}"
    entry = picture["objects"].setdefault(name, {"name": name, "expressions": [], "kinds": []})
    entry["expressions"].append(row["expression"])
    if kind := (row.get("kind") or "").strip():
        entry["kinds"].append(kind)
    truth = {"mask": (row.get("mask") or "").strip(), "box": _numbers(row.get("box"), where)}
    for key, value in truth.items():
        earlier = entry.setdefault(key, value or None)
        same = not value or earlier in (None, value)
        _expect(same, f"{where}, {key}", f"that of the object's other rows, {earlier}", value)
        entry[key] = earlier or value or None


def _numbers(cell: str | None, where: str) -> list[float]:
    try:
        return [float(v) for v in re.split(r"[\s,;]+", (cell or "").strip()) if v]
    except ValueError as error:
        raise InputError(f"{where}, box: expected four numbers, got {cell!r}") from error


def _expect(fits: Any, where: str, what: str, got: Any) -> None:
    if not fits:
        raise InputError(f"{where}: expected {what}, got {str(got)[:100]!a}")


def _keys(row: dict[str, Any], earlier: Iterable[str], where: str) -> None:
    strange = sorted(row.keys() - {*earlier})
    _expect(not strange, where, f"only {', '.join(earlier)}", ", ".join(strange))


def _is_text(value: Any) -> bool:
    """Text with a word in it, that UTF-8 can hold: JSON's escapes can name what it can't."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return False
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(v) in (int, float) and isfinite(v) for v in box)
        and box[0] < box[2]
        and box[1] < box[3]
    )
