"""What an expression says, as a value: the one form in which all stages read it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

LOW, MIDDLE, HIGH = -1, 0, 1
AXES = ("x", "y", "depth", "corner", "cut")
GEOMETRY = ("places", "sizes", "relations")
COUNTS = ("one", "several", "all")
ROLES = ("noun", "looks", "place", "size", "relation", "not", "lost", "")
"""What a word is read as: "not", of what is denied; "lost", nothing; "", it only joins others."""


@dataclass(frozen=True)
class Place:
    """Where in the picture something is said to be, among the candidates.

    Attributes:
        axis: "x"; "y"; "depth", the nearness to the viewer; "corner", any of the four; or "cut",
            the touching of the frame.
        end: `LOW` (left, top, back), `MIDDLE`, or `HIGH` (right, bottom, front).
        rank: 1 for the outermost, 2 for the second from that end, …
        row: whether a row or column is meant, in which other places are counted.
        negated: whether it is said not to be there ("not the leftmost").
    """

    axis: str
    end: int = LOW
    rank: int = 1
    row: bool = False
    negated: bool = False

    def __post_init__(self) -> None:
        if self.axis not in AXES or self.end not in (LOW, MIDDLE, HIGH) or self.rank < 1:
            raise ValueError(f"expected a known axis and end, and a rank of 1 or more, got {self}")

    def __str__(self) -> str:
        names = {
            "x": ("left", "middle", "right"),
            "y": ("top", "middle", "bottom"),
            "depth": ("back", "middle", "front"),
        }
        if self.axis in names:
            text = names[self.axis][self.end + 1]
        else:
            text = {"corner": "corner", "cut": "cut off"}[self.axis]
        if self.rank > 1:
            text = f"{self.rank} from {text}"
        return "not " * self.negated + text + " row" * self.row


@dataclass(frozen=True)
class Size:
    """How large something is among the candidates.

    Attributes:
        measure: "area", "height" or "width".
        end: `HIGH` for the largest, `LOW` for the smallest.
        negated: whether it is said not to be so.
        posture: whether a posture or an age says it ("standing"), which counts only where one
            candidate stands out.
    """

    measure: str
    end: int
    negated: bool = False
    posture: bool = False

    def __post_init__(self) -> None:
        if self.measure not in ("area", "height", "width") or self.end not in (LOW, HIGH):
            raise ValueError(f"expected area, height or width and an end, got {self}")

    def __str__(self) -> str:
        names = {"area": ("small", "big"), "height": ("short", "tall"), "width": ("thin", "wide")}
        return "not " * self.negated + names[self.measure][self.end > 0]


@dataclass(frozen=True)
class Relation:
    """How something stands to another object.

    Attributes:
        kind: a key of `ssc.words.relations.KINDS`.
        noun: the other object's noun; "" for another candidate ("behind the other one").
        places, sizes: what is said of the other object ("the donut on the left").
        negated: whether it is said not to be so.
    """

    kind: str
    noun: str
    places: tuple[Place, ...] = ()
    sizes: tuple[Size, ...] = ()
    negated: bool = False

    def __str__(self) -> str:
        text = " ".join(str(part) for part in (*self.places, *self.sizes))
        return "not " * self.negated + f"{self.kind} {text} {self.noun or 'one'}".replace("  ", " ")


@dataclass(frozen=True)
class Expression:
    """An expression understood.

    Attributes:
        text: the plain text that was read: lower case, spelling mended.
        noun: the key noun, singular where the table has it so; "" where there is none.
        attributes: other words said of it that an encoder has to judge ("red", "standing").
        places, sizes, relations: what is said of geometry.
        vague: whether a relation is said to what is of no class, so that no box can tell it.
        count: one of `COUNTS`, how many things are asked for.
        number: how many are counted ("two dogs"); 0 where none are.
        parts: where several things are asked for, what they are, each read by itself: one, or
            those that "and" joins; () for one thing.
        excepted: what is not meant of the parts ("everyone but the umpire").
        without: phrases that are said not to hold ("wearing sunglasses").
        looks: the text without them, and without what is said of geometry: what an encoder has to
            judge; "" where nothing is left.
        mended: (as typed, as read) of words that were read as others.
        dropped: characters that no word could be made of.
        unread: words that nothing was made of.
        roles: each word of the text and what it is read as, one of `ROLES`.
        english: whether the text looks like English.
    """

    text: str
    noun: str = ""
    attributes: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    sizes: tuple[Size, ...] = ()
    relations: tuple[Relation, ...] = ()
    vague: bool = False
    count: str = "one"
    number: int = 0
    parts: tuple[Expression, ...] = ()
    excepted: tuple[Expression, ...] = ()
    without: tuple[str, ...] = ()
    looks: str = ""
    mended: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    english: bool = True

    def __post_init__(self) -> None:
        if self.count not in COUNTS:
            raise ValueError(f"count: expected one of {', '.join(COUNTS)}, got {self.count!r}")

    def as_record(self) -> dict[str, Any]:
        """In types that JSON has; places, sizes and relations in words."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        phrases = {name: [str(part) for part in record[name]] for name in GEOMETRY}
        mended = [{"typed": typed, "read": read} for typed, read in self.mended]
        lists: dict[str, Any]
        lists = {name: list(v) for name, v in record.items() if isinstance(v, tuple)}
        for name in ("parts", "excepted"):
            lists[name] = [part.as_record() for part in record[name]]
        roles = [{"word": word, "role": role} for word, role in self.roles]
        return {**record, **lists, **phrases, "mended": mended, "roles": roles}

    def unclear(self, candidates: int) -> bool:
        """Whether it asks for what none of so many candidates is, or was not understood."""
        absent = any(place.rank > max(candidates, 1) for place in self.places)
        return absent or not self.english or self.count != "one"

    @property
    def decides(self) -> bool:
        """Whether it says anything of geometry."""
        return bool(self.places or self.sizes or self.relations)


@dataclass(frozen=True)
class Ask:
    """One part of a set that is asked for, and where stage 1 looked for it.

    Attributes:
        said: the part; its `count` and `number` say how many are meant.
        classes: the labels of its candidates; () for any.
        excepted: whether it is what is not meant.
    """

    said: Expression
    classes: tuple[str, ...] = ()
    excepted: bool = False
