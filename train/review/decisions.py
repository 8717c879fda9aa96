"""What people decide of a store's objects: `reviews.jsonl`, one line a decision.

    {"version": 1, "who": "ann", "when": "2030-01-31T12:00:00.000Z", "picture": "a.jpg",
     "object": "0", "size": [480, 640], "masks": ["…"], "candidates": [2],
     "expressions": ["left dog", null], "order": "doubtful"}

A line decides `masks`, `expressions` or both; null is for neither. `masks` are COCO run-length
codes of `size`: none of the candidates is [], several count as their union. `candidates` are the
numbers, from 0, of those masks that are candidates of S1, and so fewer than masks where a box is
drawn. `expressions` has one entry for each in the store: its corrected text, or null where it is
struck. `order` is that of asking: decisions at random are a fair sample of the store.

The last line about an object counts. Lines are only ever appended, each whole and on the disk
before `append` returns, so a killed process and several at once lose none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from ssc.errors import InputError
from ssc.writing import explained

FILE = "reviews.jsonl"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A line; the module's text describes its parts.

    Attributes:
        when: UTC, ISO 8601.
        size: (h, w) of the masks.
    """

    picture: str
    object: str
    who: str
    when: str
    size: tuple[int, int] | None = None
    masks: tuple[str, ...] | None = None
    candidates: tuple[int, ...] = ()
    expressions: tuple[str | None, ...] | None = None
    order: str | None = None


@dataclass(frozen=True)
class Reviewed:
    """What is decided of an object.

    Attributes:
        choice: the decision that counts of its masks; None where there is none.
        expressions: those that count, as in `Decision`; None where they are as in the store.
        conflict: who has last decided otherwise of the masks, sorted.
    """

    choice: Decision | None = None
    expressions: tuple[str | None, ...] | None = None
    conflict: tuple[str, ...] = ()


def now() -> str:
    """The time for `Decision.when`, in milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_of(decision: Decision) -> bytes:
    """As the file has it."""
    line = json.dumps({"version": VERSION, **asdict(decision)}, ensure_ascii=False) + "\n"
    return line.encode("utf-8", "backslashreplace")


def append(path: Path, decision: Decision) -> None:
    """Adds a line and waits until the disk has it.

    Raises:
        WriteError: it cannot be written.
    """
    import fcntl

    data = line_of(decision)
    with explained(path, len(data)):
        new = not path.exists()
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel's: it ends with the process
            if _is_torn(file):  # by a kill or a full disk: what follows begins a line of its own
                data = b"\n" + data
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        if new:
            _sync_folder(path.parent)


def _is_torn(file: Any) -> bool:
    end = file.seek(0, os.SEEK_END)
    if not end:
        return False
    file.seek(end - 1)
    return file.read(1) != b"\n"


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Reviews:
    """All decisions of a file; `refresh` reads what has been added since.

    Memory holds the last decisions alone, so it grows with the objects reviewed.

    Attributes:
        torn: lines that were cut short and count for nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.torn = path, 0
        self._offset, self._line = 0, 0
        self._choices: dict[tuple[str, str], dict[str, Decision]] = {}  # by person, the last last
        self._texts: dict[tuple[str, str], tuple[str | None, ...]] = {}
        self.refresh()

    def refresh(self) -> list[Decision]:
        """The decisions added since the last time, by anyone.

        Raises:
            InputError: a line is of another form, with its number.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]  # another process may be in the midst of a line
        self._offset += len(whole)
        added = []
        for line in whole.splitlines():
            self._line += 1
            decision = self._parsed(line)
            if decision is not None:
                self.take(decision)
                added.append(decision)
        return added

    def _parsed(self, line: bytes) -> Decision | None:
        try:
            row = json.loads(line.decode("utf-8"))
        except ValueError:
            self.torn += 1
            return None
        try:
            return _decision(row)
        except (TypeError, ValueError, LookupError) as error:
            raise InputError(
                f"{self.path}:{self._line}: expected a decision of version {VERSION}, got: "
                f"{error!r}; remove the line"
            ) from error

    def take(self, decision: Decision) -> None:
        """Counts a decision, here alone; `append` is for the disk."""
        key = (decision.picture, decision.object)
        if decision.expressions is not None:
            self._texts[key] = decision.expressions
        if decision.masks is not None:
            own = self._choices.setdefault(key, {})
            own.pop(decision.who, None)  # so that the last one stands last
            own[decision.who] = decision

    def __len__(self) -> int:
        """How many objects have their masks decided."""
        return len(self._choices)

    def any(self) -> bool:
        """Whether anything is decided, of masks or expressions."""
        return bool(self._choices or self._texts)

    def of(self, picture: str, name: str) -> Reviewed:
        """What is decided of an object."""
        key = (picture, name)
        choices = self._choices.get(key, {})
        last = next(reversed(choices.values()), None)
        other = [w for w, c in choices.items() if last is not None and c.masks != last.masks]
        return Reviewed(last, self._texts.get(key), tuple(sorted(other)))

    def decided(self) -> list[Decision]:
        """The decision of each object whose masks are decided, in the order of their objects."""
        return [next(reversed(own.values())) for own in self._choices.values()]

    @property
    def digest(self) -> str:
        """Of what counts: it changes with a decision, not with who says the same again."""
        masks = {key: self.of(*key).choice for key in self._choices}
        rows = sorted([*key, list(own.masks or ())] for key, own in masks.items() if own)
        texts = sorted([*key, list(texts)] for key, texts in self._texts.items())
        text = json.dumps([VERSION, rows, texts], ensure_ascii=True)
        return sha256(text.encode()).hexdigest()

    def summary(self) -> dict[str, int]:
        """How many objects: "reviewed" in all, of them "one", "several", "none" and "drawn"; with
        changed "expressions"; and by how many "people", with how many "conflicts"."""
        counts = {"reviewed": len(self), "one": 0, "several": 0, "none": 0, "drawn": 0}
        people: set[str] = set()
        conflicts = 0
        for key, own in self._choices.items():
            people |= own.keys()
            reviewed = self.of(*key)
            assert reviewed.choice is not None
            conflicts += bool(reviewed.conflict)
            masks = reviewed.choice.masks or ()
            counts["one" if len(masks) == 1 else "several" if masks else "none"] += 1
            counts["drawn"] += len(masks) > len(reviewed.choice.candidates)
        return {
            **counts,
            "expressions": len(self._texts),
            "people": len(people),
            "conflicts": conflicts,
        }


def _decision(row: Mapping[str, Any]) -> Decision:
    if row["version"] != VERSION:
        raise ValueError(f"version {row['version']}")
    values = {name: row[name] for name in ("picture", "object", "who", "when")}
    if not all(isinstance(value, str) for value in values.values()):
        raise TypeError("expected text for picture, object, who and when")
    size = row.get("size")
    decision = Decision(
        **values,
        size=None if size is None else (int(size[0]), int(size[1])),
        masks=_texts(row.get("masks")),
        candidates=tuple(map(int, row.get("candidates") or ())),
        order=row.get("order"),
    )
    if decision.masks and decision.size is None:
        raise ValueError("masks without a size")
    texts = row.get("expressions")
    if texts is None:
        return decision
    if not all(text is None or isinstance(text, str) for text in texts):
        raise TypeError("expected text or null for each expression")
    return replace(decision, expressions=tuple(texts))


def _texts(values: Sequence[str] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError("expected a list of run-length codes for masks")
    return tuple(values)
