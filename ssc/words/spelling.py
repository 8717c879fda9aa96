"""Typing errors, against words that matter: classes, people, places, sizes, colours.

A correct English word is left as it is, but where two words are one name ("base ball bat") or
grammar leaves no other reading ("closet to us").
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files

from ssc.words.lexis import COMMON, JOINED, SIZES, VERBS
from ssc.words.nouns import COLOURS, PEOPLE, PLACES
from ssc.words.table import look_up, noun_table
from ssc.words.vocabulary import COCO_80

_SPOKEN = {
    "rite": "right",
    "u": "you",
    "r": "are",
    "pix": "picture",
    "fron": "from",
    "frm": "from",
    "frt": "front",
}
_GLUED = {
    f"{p}{t}": f"{p} the" for p in ("on", "in", "at", "of", "to", "from") for t in ("the", "teh")
}


@cache
def english() -> frozenset[str]:
    """Correct English words: symspellpy's list of 82,765, and the table's nouns."""
    listed = files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    words = {line.split()[0] for line in listed.read_text("utf-8-sig").splitlines() if line}
    return frozenset(words | {word for noun in noun_table() for word in noun.split()})


@cache
def _wanted() -> tuple[str, ...]:
    """The words that an unknown one may mean, those of classes first."""
    names = dict.fromkeys(word for name in COCO_80 for word in name.split())
    rest = sorted(PEOPLE | PLACES | COLOURS | VERBS | COMMON | SIZES.keys())
    return tuple(w for w in dict.fromkeys((*names, *rest)) if len(w) > 2)


def mend(words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The words as they are read, and (as typed, as read) of each that was changed."""
    read: list[str] = []
    changed: list[tuple[str, str]] = []
    i = 0
    while i < len(words):
        word = words[i]
        after = words[i + 1] if i + 1 < len(words) else ""
        joined = word + after
        if after and _is_pair(word, after, joined):
            new, used = joined, 2
        elif joined in _GLUED and (word not in _GLUED[joined] or after not in _GLUED[joined]):
            new, used = _GLUED[joined], 2
        elif word == "closet" and after == "to":
            new, used = "closest", 1
        else:
            new, used = mend_word(word), 1
        if used == 2 or new != word:
            changed.append((" ".join(words[i : i + used]), new))
        read += new.split()
        i += used
    return read, changed


def _is_pair(word: str, after: str, joined: str) -> bool:
    """Whether two words are one that was parted ("skate board", "ri ght")."""
    if not (word.isalpha() and after.isalpha()):
        return False
    if joined in JOINED:
        return True
    parted = word not in english() or after not in english()
    return parted and len(joined) > 4 and joined in _wanted()


@lru_cache(8192)
def _known(word: str) -> bool:
    if not word.isalpha() or not word.isascii():
        return True
    if word in english() and (set(word) & set("aeiouy") or len(word) > 5):
        return True  # the list has abbreviations too
    return look_up(word) is not None


@lru_cache(8192)
def mend_word(word: str) -> str:
    """What `word` is read as: itself where it is English or nothing is near enough."""
    if word in _SPOKEN:
        return _SPOKEN[word]
    if len(word) < 3 or _known(word):
        return word
    if len(word) == 3 and _beginning(word):
        return _beginning(word)
    return _skeleton(word) or _near(word) or _beginning(word) or _parted(word) or word


def _skeleton(word: str) -> str:
    """The word whose consonants these are ("lft", "blk", "bttm")."""
    if set(word) & set("aeiouy"):
        return ""
    fits = [
        wanted
        for wanted in _wanted()
        if wanted[0] == word[0] and wanted[-1] == word[-1] and _runs_through(word, wanted)
    ]
    return min(fits, key=len, default="")


def _runs_through(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)


def _near(word: str) -> str:
    """The nearest wanted word by edits: one of four letters, two from seven on."""
    from rapidfuzz.distance import OSA

    most = 1 if len(word) < 6 else 2
    best, least = "", most + 1
    for wanted in _wanted():
        if abs(len(wanted) - len(word)) > most or (len(wanted) < 4 and wanted[0] != word[0]):
            continue
        edits = OSA.distance(word, wanted, score_cutoff=most)
        if edits < least or (edits == least <= most and wanted[0] == word[0] != best[0]):
            best, least = wanted, edits
    return best


def _beginning(word: str) -> str:
    """The class whose name begins so ("zeb", "gir", "broc")."""
    fits = {name for name in COCO_80 if " " not in name and name.startswith(word)}
    return fits.pop() if len(fits) == 1 and len(word) > 2 else ""


def _parted(word: str) -> str:
    """Two words that were typed as one ("farleft", "blueshirt")."""
    for cut in range(3, len(word) - 2):
        first, last = word[:cut], word[cut:]
        if first in _wanted() and (last in _wanted() or look_up(last)):
            return f"{first} {last}"
        if last in _wanted() and first in english():
            return f"{first} {last}"
    return ""
