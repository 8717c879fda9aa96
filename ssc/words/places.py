"""Places, sizes and negation in a run of words: which words say them, and what they say.

Rules of grammar over word classes (side, ordinal, preposition), not phrases; what follows a
relation to another object has been taken out before (`ssc.words.relations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ssc.expression import HIGH, LOW, MIDDLE, Place, Size
from ssc.words.lexis import CLOCK, CUT, FILLERS, NOT, ROWS, SEEN, SIDES, SIZES, words
from ssc.words.sides import Sides, number, ordinal


class Scan(Sides):
    """What a run of words says of place and size; `used` has the role of each word that said it.

    Args:
        words: plain words; "" stands for one that belongs to something else.
        context: all words, where `words` leaves some out.
        sizable: for each word whether it may tell the key noun's size.
    """

    def __init__(
        self,
        words: Sequence[str],
        sizable: Sequence[bool],
        context: Sequence[str] | None = None,
    ) -> None:
        super().__init__(words, context)
        self.used = [""] * len(self.words)
        self.sizable = sizable
        self.places: list[Place] = []
        self.sizes: list[Size] = []
        self._clock()
        self._ordinals()
        self._rows()
        self._in_row()
        self._cut()
        self._sides()
        self._apart()
        self._read_sizes()
        self.places = _settled(self.places)
        if not self.places:  # "left and right" says nothing
            self.used = ["lost" if role == "place" else role for role in self.used]

    def _use(self, *indices: int, role: str = "place") -> None:
        for i in indices:
            self.used[i] = role

    def _negated(self, i: int, role: str = "place") -> bool:
        """Whether a "not" stands before word `i`, with fillers between at most."""
        for k in range(i - 1, max(i - 6, -1), -1):
            word = self._at(k)
            if word in NOT:
                self._use(k, role=role)
                return True
            if word not in FILLERS and word not in SIDES:
                return False
        return False

    def _clock(self) -> None:
        """ "Slice at 9 o'clock", "orange at 3": towards that hour from the middle."""
        for i, word in enumerate(self.words):
            hour = number(word)
            after = self._at(i + 1)
            alone = self._at(i - 1) == "at" and (not after or after == ",")
            if hour is None or hour > 12 or not (alone or after in CLOCK) or ":" in self.words:
                continue
            self._use(*(k for k in range(i - 1, i + 3) if self._at(k) in {"at", word} | CLOCK))
            if hour % 6:
                self.places.append(Place("x", HIGH if hour < 6 else LOW))
            if hour % 6 != 3:
                self.places.append(Place("y", LOW if hour in (10, 11, 12, 1, 2) else HIGH))
            return

    def _ordinals(self) -> None:
        """ "Third from the left", "second to last on the right", "left 2nd", "3 from left"."""
        for i, word in enumerate(self.words):
            if self.used[i] or not word:
                continue
            last = word == "last"
            rank = 1 if last else ordinal(word)
            counted = number(word) if rank is None else None
            if rank is None and (counted is None or self._at(i - 1) == "of"):
                continue  # "row of 4"
            if self._at(i + 1) in ROWS and rank is not None:
                continue
            k = i + 1
            if self._at(i + 1) in ("to", "from") and self._at(i + 2) == "last":  # "second to last"
                last, k, rank = True, i + 3, rank or counted
                self._use(i + 1, i + 2)
            if rank == 1 and not last and self._at(i + 1) == "base":
                continue
            side = self._side_after(k, strict=rank is None)
            if side is None and rank is not None and not last:
                side = self._side_before(i)
            if side is None:
                if last and self._at(i + 1) != "name":
                    pass
                continue
            axis, end = SIDES[self._at(side)]
            if axis == "depth" and end == LOW and self._at(side) in ("far", "further", "farthest"):
                continue
            if last and self._at(i - 1) != "from" and (rank or 1) > 1:
                end = -end
            self._use(i)
            if self._at(side + 1) not in ROWS:  # "second in top row" counts in the row
                self._use(side)
            elif axis != "x":
                axis, end = "x", LOW
            for n in range(i, side):
                if self._at(n) in FILLERS:
                    self._use(n)
            self.places.append(Place(axis, end, rank or counted or 1, negated=self._negated(i)))

    def _side_after(self, k: int, strict: bool) -> int | None:
        """Index of the side that an ordinal before `k` counts from."""
        for passed, n in enumerate(range(k, min(k + 4, len(self.words)))):
            word = self._at(n)
            if not word or self.used[n]:
                return None
            if word in ("from", "to", "on", "in", "at", "form"):
                if strict and word != "from":
                    return None
                n = self._skip(n + 1, words("the a far very most"))
                return n if self._at(n) in SIDES and not self._blocked(n) else None
            if word in SIDES and self._at(n + 1) == "to" and self._at(n + 2) in SIDES:
                return n  # "second guy left to right"
            if word in SIDES and not strict and passed == 0:
                if self._at(n + 1) == "from" and self._at(n + 2) in SIDES:
                    return n + 2  # "second bottom from left"
                return n if not self._blocked(n) and self._at(n + 1) not in ROWS else None
            if strict and passed:
                return None
        return None

    def _side_before(self, i: int) -> int | None:
        """Index of the side that an ordinal at `i` counts from ("from left second")."""
        k = i - 1
        while self._at(k) in ("the", "one", "side", "row"):
            k -= 1
        if self._at(k) in SIDES and self._at(k - 1) in ("from", "far", "") and k >= 0:
            return k
        if self._at(k) in SIDES and self._at(k - 1) == "the" and self._at(k - 2) == "from":
            return k
        return None

    def _rows(self) -> None:
        """ "Top row", "third row", "row 2", "left column"."""
        for i, word in enumerate(self.words):
            if word not in ROWS or self.used[i]:
                continue
            before, after = self._at(i - 1), self._at(i + 1)
            column = word.startswith("column")
            if before in SIDES:
                axis, end = SIDES[before]
                if axis == "x" and not column and end != MIDDLE:
                    continue
                if end == MIDDLE:
                    axis = "x" if column else "y"
                self._use(i - 1, i)
                self.places.append(Place(axis, end, row=True, negated=self._negated(i - 1)))
                continue
            rank = ordinal(before) or (number(after) if after else None)
            if rank:
                self._use(i - 1 if ordinal(before) else i + 1, i)
                axis, end = ("x", LOW) if column else ("y", LOW)
                side = self._side_after(i + 1, strict=True)
                if side is not None and SIDES[self._at(side)][0] != "x":
                    axis, end = SIDES[self._at(side)]
                    self._use(side)
                self.places.append(Place(axis, end, rank, row=True))

    def _in_row(self) -> None:
        """ "Second row, first bowl": where a row is named, an ordinal counts from its left."""
        if not any(place.row and place.axis != "x" for place in self.places):
            return
        if any(place.axis == "x" for place in self.places):
            return
        for i, word in enumerate(self.words):
            rank = ordinal(word)
            if rank and not self.used[i] and self._at(i + 1) not in ROWS:
                self._use(i)
                self.places.append(Place("x", LOW, rank))
                return

    def _cut(self) -> None:
        """ "Cut off", "partly visible", "only half showing": it touches the frame."""
        for i, word in enumerate(self.words):
            if word in ("cut", "cropped", "cutoff"):
                self._use(i)
                if self._at(i + 1) in ("off", "out"):
                    self._use(i + 1)
                elif word == "cut":
                    continue
                self.places.append(Place("cut", negated=self._negated(i)))
                return
            if word in CUT and any(self._at(k) in SEEN for k in range(i + 1, i + 5)):
                self._use(
                    *(k for k in range(i, min(i + 5, len(self.words))) if self._at(k) in SEEN | CUT)
                )
                self.places.append(Place("cut", negated=self._negated(i)))
                return
            if word in ("full", "fully", "completely", "entirely") and any(
                self._at(k) in ("view", "visible") for k in range(i + 1, i + 4)
            ):
                self._use(*range(i, i + 2))
                self.places.append(Place("cut", negated=True))
                return
            if (
                word in ("corner", "edge")
                and not self._of_thing(i)
                and not any(w in SIDES and SIDES[w][0] in "xy" for w in self.words)
            ):
                self._use(i)
                self.places.append(Place("corner" if word == "corner" else "cut"))
                return

    def _sides(self) -> None:
        for i, word in enumerate(self.words):
            if self.used[i] or word not in SIDES or self._blocked(i):
                continue
            axis, end = SIDES[word]
            if self._at(i + 1) == "to" and self._at(i + 2) in ("left", "right"):
                self._use(i + 2)  # "left to right" counts from the left
            negated = self._negated(i)
            self._use(i)
            self.places.append(Place(axis, end, negated=negated))

    def _apart(self) -> None:
        """ "Second bike right", "far left second kid": an ordinal left over ranks the one side."""
        if len(self.places) != 1 or self.places[0].axis not in ("x", "y", "depth"):
            return
        [place] = self.places
        left = [i for i, word in enumerate(self.words) if not self.used[i] and ordinal(word)]
        if left and place.end != MIDDLE and place.rank == 1 and not place.row:
            self._use(left[0])
            rank = ordinal(self.words[left[0]]) or 1
            self.places = [replace(place, rank=rank)]

    def _read_sizes(self) -> None:
        for i, word in enumerate(self.words):
            if self.used[i] or word not in SIZES or not self.sizable[i]:
                continue
            measure, end = SIZES[word]
            self._use(i, role="size")
            self.sizes.append(Size(measure, end, self._negated(i, "size")))
        self.sizes = list(dict.fromkeys(self.sizes))
        if len({(size.measure, size.end) for size in self.sizes}) > 1:
            self.sizes = self.sizes[:1]


def _settled(places: Sequence[Place]) -> list[Place]:
    """The places without contradiction: two ends of an axis say nothing about it."""
    kept: list[Place] = []
    sides = [p for p in places if p.end != MIDDLE or p.row]
    for place in sides:
        same = [p for p in sides if p.axis == place.axis and p.row == place.row]
        ranked = [p for p in same if p.rank > 1] or same
        ends = {(p.end, p.negated) for p in ranked}
        if place in ranked and len(ends) == 1 and place not in kept:
            kept.append(place)
    if any(p.end == MIDDLE and not p.row for p in places):
        [middle, *_] = [p for p in places if p.end == MIDDLE and not p.row]
        taken = {p.axis for p in kept if not p.row}
        axis = "y" if "x" in taken else "x"
        if axis not in taken:
            kept.append(replace(middle, axis=axis))
    return kept
