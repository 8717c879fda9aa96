"""Places, sizes and negation in a run of words: which words say them, and what they say.

Rules of grammar over word classes (side, ordinal, preposition), not phrases; what follows a
relation to another object has been taken out before (`ssc.words.relations`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ssc.expression import HIGH, LOW, MIDDLE, Place, Size


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SIDES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(["left", "leftmost", "lefty", "lefthand", "leftest", "leftmore"], ("x", LOW)),
    **dict.fromkeys(["right", "rightmost", "righty", "righthand", "rightest"], ("x", HIGH)),
    **dict.fromkeys(["top", "topmost", "upper", "uppermost", "highest", "higher", "upmost"], ("y", LOW)),
    **dict.fromkeys(["bottom", "bottommost", "lower", "lowest", "lowermost"], ("y", HIGH)),
    **dict.fromkeys(
        ["back", "rear", "background", "backmost", "farthest", "furthest", "farther", "further", "distance", "distant", "backround", "farest", "far", "behind"],
        ("depth", LOW),
    ),
    **dict.fromkeys(
        ["front", "foreground", "frontmost", "closest", "nearest", "closer", "nearer", "close", "near", "forefront", "nearby", "forward"],
        ("depth", HIGH),
    ),
    **dict.fromkeys(["middle", "center", "centre", "central", "centered", "mid"], ("x", MIDDLE)),
}
ORDINALS = {
    word: rank
    for rank, word in enumerate(
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"],
        1,
    )
}
CARDINALS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 1
    )
}
NOT = _words("not n't isn't isnt except excluding but no non neither without never cannot")
FILLERS = _words(
    """the a an on in at to of is that which far very most all way over side hand one ones from
    toward towards it's are more closest furthest extreme bit just picture us"""
)
PICTURE = _words(
    """picture pictures photo photograph image pic screen frame shot scene view row rows group line
    center middle two three four both pair bunch stack pile them all others page set trio"""
)
VIEWER = _words("us me you camera viewer viewers front photographer cameraman lens screen")
SIDE_NOUNS = _words("side sides edge end part corner hand half portion area most section")
ROWS = _words("row rows shelf level line column columns tier rack")
PARTS = _words(
    """hand hands arm arms leg legs foot feet ear ears eye eyes shoulder shoulders knee knees paw
    paws wing wings wheel wheels tire tires pocket body lip teeth light lights window windows
    door view facing tooth horn horns yard seat seats half"""
)
MOVING = _words(
    """facing looking turned turning pointing leaning going headed heading moving running walking
    faces looks leans points leading tilted stares staring bending reaching"""
)
AFTER_ADVERB = _words("next behind in beside near under above below by over between there here at")
TOPS = _words(
    """white black red blue green yellow pink purple gray grey brown orange striped plaid tank crop
    halter sleeveless bikini wearing dark light"""
)
SIZES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(
        ["big", "bigger", "biggest", "large", "larger", "largest", "huge", "giant", "largets", "enormous", "massive", "main"],
        ("area", HIGH),
    ),
    **dict.fromkeys(
        ["small", "smaller", "smallest", "little", "littlest", "tiny", "tiniest", "mini", "miniature", "baby", "babies"],
        ("area", LOW),
    ),
    **dict.fromkeys(["tall", "taller", "tallest", "highest"], ("height", HIGH)),
    **dict.fromkeys(["short", "shorter", "shortest"], ("height", LOW)),
    **dict.fromkeys(["wide", "wider", "widest", "longest", "longer"], ("width", HIGH)),
    **dict.fromkeys(["thin", "thinner", "thinnest", "narrow"], ("width", LOW)),
}
CUT = _words("partial partially partly half barely only hardly")
SEEN = _words("visible showing seen shown see view picture hidden")


def ordinal(word: str) -> int | None:
    """The rank that a word says ("third", "3rd"); None where it says none."""
    if word in ORDINALS:
        return ORDINALS[word]
    found = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)", word)
    return int(found[1]) or None if found else None


def number(word: str) -> int | None:
    """The rank that a number says ("3", "three"); None where it is none."""
    if re.fullmatch(r"[1-9]\d?", word):
        return int(word)
    return CARDINALS.get(word)


class Scan:
    """What a run of words says of place and size; `used` marks the words that said it.

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
        self.words = list(words)
        self._context = list(context or words)
        self.used = [False] * len(self.words)
        self.sizable = sizable
        self.places: list[Place] = []
        self.sizes: list[Size] = []
        self._ordinals()
        self._rows()
        self._cut()
        self._sides()
        self._read_sizes()
        self.places = _settled(self.places)

    def _at(self, i: int) -> str:
        return self.words[i] if 0 <= i < len(self.words) else ""

    def _use(self, *indices: int) -> None:
        for i in indices:
            self.used[i] = True

    def _negated(self, i: int) -> bool:
        """Whether a "not" stands before word `i`, with fillers between at most."""
        for k in range(i - 1, max(i - 6, -1), -1):
            word = self._at(k)
            if word in NOT:
                self._use(k)
                return True
            if word not in FILLERS and word not in SIDES:
                return False
        return False

    def _skip(self, i: int, words: frozenset[str]) -> int:
        while self._at(i) in words and i < len(self.words):
            i += 1
        return i

    def _ordinals(self) -> None:
        """ "Third from the left", "second to last on the right", "left 2nd", "3 from left"."""
        for i, word in enumerate(self.words):
            if self.used[i] or not word:
                continue
            last = word == "last"
            rank = 1 if last else ordinal(word)
            counted = number(word) if rank is None else None
            if rank is None and counted is None:
                continue
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
            self._use(i, side)
            for n in range(i, side):
                if self._at(n) in FILLERS:
                    self._use(n)
            self.places.append(
                Place(axis, end, rank or counted or 1, negated=self._negated(i))
            )

    def _side_after(self, k: int, strict: bool) -> int | None:
        """Index of the side that an ordinal before `k` counts from."""
        passed = 0
        for n in range(k, min(k + 6, len(self.words))):
            word = self._at(n)
            if not word or self.used[n]:
                return None
            if word in ("from", "to", "on", "in", "at", "form"):
                if strict and word != "from":
                    return None
                n = self._skip(n + 1, _words("the a far very most"))
                return n if self._at(n) in SIDES and not self._blocked(n) else None
            if word in SIDES and not strict and passed == 0:
                return n if not self._blocked(n) and self._at(n + 1) not in ROWS else None
            if strict and passed:
                return None
            passed += 1
            if passed > 3:
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
                self._use(*(k for k in range(i, min(i + 5, len(self.words))) if self._at(k) in SEEN | CUT))
                self.places.append(Place("cut", negated=self._negated(i)))
                return
            if word in ("corner", "edge") and not any(
                w in SIDES and SIDES[w][0] in "xy" for w in self.words
            ):
                self._use(i)
                self.places.append(Place("corner" if word == "corner" else "cut"))
                return

    def _sides(self) -> None:
        for i, word in enumerate(self.words):
            if self.used[i] or word not in SIDES or self._blocked(i):
                continue
            axis, end = SIDES[word]
            negated = self._negated(i)
            self._use(i)
            self.places.append(Place(axis, end, negated=negated))

    def _blocked(self, i: int) -> bool:
        """Whether the side word at `i` says no place of the key noun."""
        word, before = self._at(i), self._at(i - 1)
        after = self._context[i + 1] if i + 1 < len(self._context) else ""
        if word in ("left", "right"):
            if after in AFTER_ADVERB and before not in ("on", "the", "far", "from", "to", "in"):
                return after != "in" or self._at(i + 2) in ("front", "the")
            if before in ("his", "her", "their", "its", "your"):
                return after not in SIDE_NOUNS
        if after in PARTS and not (after == "hand" and self._at(i + 2) in SIDE_NOUNS):
            return True
        if word == "mid" and after:
            return True
        if after == "of" and SIDES[word][1] == MIDDLE:
            k = self._skip(i + 2, _words("the a of"))
            return self._at(k) not in PICTURE and bool(self._at(k))
        k = i - 1
        while self._at(k) in ("to", "towards", "toward", "the", "his", "her", "our", "slightly"):
            k -= 1
        if self._at(k) in MOVING and k >= 0:
            return True
        if word == "top":
            return (before in TOPS and after not in ("left", "right")) or before == "a"
        if word in ("upper", "lower") and after in ("half", "part") and self._at(i + 2) == "of":
            return True
        if word in ("back", "rear"):
            return self._back(i)
        if word == "front":
            if before == "the" and self._at(i - 2) == "from":
                return True
            return before == "from" or after in ("facing", "legs", "view", "end") or (
                after == "of" and self._at(i + 2) in ("the", "a")
            )
        if word in ("far", "further", "farther", "furthest", "farthest", "closest", "most"):
            k = self._skip(i + 1, _words("to on the in at most one over"))
            near = self._at(k)
            if near in SIDES and SIDES[near][0] in ("x", "y"):
                return True
            if word == "far":
                return (after in ("away", "off") and self._at(i + 2) == "from") or near in SIDES
        if word in ("close", "near"):
            return after in ("up", "together", "the", "a", "cropped")
        if word == "behind":
            return after not in ("", ".", ",") or before in ("from", "right", "left", "and")
        if word == "further":
            return False
        if word == "distance" and before not in ("the", "in", "far"):
            return True
        return False

    def _back(self, i: int) -> bool:
        """Whether "back" at `i` is a part or an adverb, not a place."""
        before, after = self._at(i - 1), self._at(i + 1)
        if after in ("of", "to", "turned", "facing", "pack", "end", "is", "pocket", "towards", "view"):
            return not (after == "of" and self._at(self._skip(i + 2, _words("the a"))) in PICTURE)
        if before in ("his", "her", "their", "its", "with", "turned", "showing", "our", "going",
                      "leaning", "laying", "looking", "whose", "only", "from", "pulled", "held"):  # fmt: skip
            return True
        if before == "the":
            return self._at(i - 2) in ("from", "of", "with", "only", "showing", "shows", "see")
        return False

    def _read_sizes(self) -> None:
        for i, word in enumerate(self.words):
            if self.used[i] or word not in SIZES or not self.sizable[i]:
                continue
            measure, end = SIZES[word]
            self._use(i)
            self.sizes.append(Size(measure, end, self._negated(i)))
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
