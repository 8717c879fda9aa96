"""Whether a word for a side says a place, and whether a word is an ordinal or a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ssc.expression import MIDDLE
from ssc.words.lexis import (
    AFTER_ADVERB,
    BACK_BODY,
    BACK_PARTS,
    CARDINALS,
    HAVING,
    MOVING,
    ORDINALS,
    PARTS,
    PICTURE,
    SIDE_NOUNS,
    SIDES,
    TOPS,
    VIEWER,
    words,
)
from ssc.words.nouns import PEOPLE

NEAR = words("close closer closest near nearer nearest")


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


class Sides:
    """A run of words in which sides are looked at one by one.

    Args:
        words: plain words; "" stands for one that belongs to something else.
        context: all words, where `words` leaves some out.
    """

    def __init__(self, words: Sequence[str], context: Sequence[str] | None = None) -> None:
        self.words = list(words)
        self._context = list(context or words)

    def _at(self, i: int) -> str:
        return self.words[i] if 0 <= i < len(self.words) else ""

    def _skip(self, i: int, words: frozenset[str]) -> int:
        while self._at(i) in words and i < len(self.words):
            i += 1
        return i

    def _blocked(self, i: int) -> bool:
        """Whether the side word at `i` says no place of the key noun."""
        word, before = self._at(i), self._at(i - 1)
        after = self._context[i + 1] if i + 1 < len(self._context) else ""
        if word in ("left", "right"):
            if (
                word == "right"
                and after in AFTER_ADVERB
                and before not in ("on", "the", "far", "from", "to", "in")
            ):
                return after != "in" or self._at(i + 2) in ("front", "the")
            if before in ("his", "her", "their", "its", "your"):
                return True
        if after in PARTS and not self._halves(i):
            return True
        if (word == "mid" and after) or (word == "middle" and after in ("age", "aged")):
            return True
        if after == "of" and SIDES[word][1] == MIDDLE:
            k = self._skip(i + 2, words("the a of"))
            return self._at(k) not in PICTURE and bool(self._at(k))
        k = i - 1
        while self._at(k) in ("to", "towards", "toward", "the", "his", "her", "our", "slightly"):
            k -= 1
        if self._at(k) in MOVING and k >= 0:
            return True
        if word == "top":
            if before == "on" and {"with", "has", "having"}.intersection(self._context[: i - 1]):
                return True
            return (before in TOPS and after not in ("left", "right")) or before == "a"
        if word == "bottom" and before in TOPS and after not in ("left", "right"):
            return True  # "bus with blue bottom"
        on = i - 1 - (before == "the")
        has = self._at(on) in ("on", "across") and HAVING.intersection(self._context[:on])
        if has and word in ("front", "back"):
            return True  # "a truck that has damages on the front"
        if word in ("back", "rear"):
            return self._back(i)
        if word == "front":
            if before == "the" and self._at(i - 2) == "from" and not self._counted(i - 2):
                return True
            return (
                (before == "from" and not self._counted(i - 1))
                or after in ("facing", "legs", "view", "end")
                or (after == "of" and self._far_end(i + 1))
            )
        if word in ("far", "further", "farther", "furthest", "farthest", "closest", "most"):
            k = self._skip(i + 1, words("to on the in at most one over"))
            near = self._context[k] if k < len(self._context) else ""
            if near in SIDES and SIDES[near][0] in ("x", "y"):
                return True
            if word == "far":
                return (after in ("away", "off") and self._at(i + 2) == "from") or near in SIDES
        if word in NEAR:
            return self._near(i)
        if word == "behind":
            return after not in ("", ".", ",") or before in ("from", "right", "left", "and")
        return word == "distance" and before not in ("the", "in", "far")

    def _halves(self, i: int) -> bool:
        """Whether the part after the side at `i` is what is sought ("right half of a bun")."""
        word, after = self._at(i), self._context[i + 1]
        if after == "hand":
            return self._at(i + 2) in SIDE_NOUNS
        if self._at(i - 1) in ("his", "her", "their", "its"):
            return False
        if after == "half":
            return self._at(self._skip(i + 2, words("of the his her a"))) != "body"
        return SIDES[word][0] == "x" and after.endswith("s")  # "far right arms crossed"

    def _of_thing(self, i: int) -> bool:
        """Whether "of" and a thing follow word `i` ("edge of a bed", not "of the picture")."""
        return self._at(i + 1) == "of" and self._far_end(i + 1)

    def _far_end(self, k: int) -> bool:
        """Whether what follows word `k` is a thing, not the picture or the viewer."""
        k = self._skip(k + 1, words("the a an this all"))
        return bool(self._at(k)) and self._at(k) not in PICTURE | VIEWER | SIDE_NOUNS

    def _near(self, i: int) -> bool:
        """Whether "near", "closest", … at `i` sets the key noun beside a thing."""
        word, before, after = self._at(i), self._at(i - 1), self._at(i + 1)
        if after == "to":
            return self._far_end(i + 1)
        if word in ("near", "close") and after in ("up", "together", "the", "a", "cropped"):
            return True
        if word in ("near", "nearest") and before not in ("", "the", "on", "in", "very"):
            return after not in ("", ",", ".", "side", "end") and self._far_end(i)
        return after == "the" and self._far_end(i)

    def _counted(self, i: int) -> bool:
        """Whether an ordinal or a number stands shortly before word `i`."""
        before = self._context[max(0, i - 3) : i]
        return any(ordinal(word) or number(word) or word == "last" for word in before)

    def _back(self, i: int) -> bool:
        """Whether "back" at `i` is a part or an adverb, not a place."""
        before, after = self._at(i - 1), self._at(i + 1)
        if after in BACK_PARTS:
            return not (after == "of" and self._at(self._skip(i + 2, words("the a"))) in PICTURE)
        if before in BACK_BODY:
            return True
        if before == "'s" or (before.endswith("s") and before[:-1] in PEOPLE):
            return True  # "mans back"
        if before == "the":
            return self._at(i - 2) in ("from", "of", "with", "only", "showing", "shows", "see")
        return False
