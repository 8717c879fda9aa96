"""An expression read once: plain text → spelling → dependency parse → `Expression`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ssc.cache import Cache
from ssc.expression import Expression
from ssc.words.lexis import (
    GROUP,
    HUMAN,
    PERSONAL,
    PICTURE,
    SIDES,
    SIZES,
    SMALL,
    YOUNG,
)
from ssc.words.nouns import (
    COLOURS,
    FAMILY,
    NEVER,
    PEOPLE,
    Parser,
    SpacyNouns,
    is_key,
    trim,
)
from ssc.words.places import Scan
from ssc.words.plain import plain
from ssc.words.related import find_relations
from ssc.words.spelling import english, mend
from ssc.words.table import look_up
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


class Reader(SpacyNouns):
    """The paper's key noun as a call; all that an expression says as `read` (not of the paper)."""

    def __init__(self, vocabulary: Sequence[str] = COCO_80, parser: Parser | None = None) -> None:
        super().__init__(vocabulary, parser)
        self._read: Cache[Expression] = Cache(4096)

    def read(self, expression: str) -> Expression:
        """What `expression` says. Answers are cached; calls from several threads are safe."""
        return self._read.get(expression, lambda: _read(expression, self))


def _read(expression: str, nouns: SpacyNouns) -> Expression:
    """What `expression` says; `nouns` lends its parser and its vocabulary's words."""
    text, dropped = plain(expression)
    words, mended = mend(text.split())
    text = " ".join(words)
    if not text:
        return Expression("", dropped=dropped, english=False)
    with nouns.parser.lock:
        doc = nouns.parser(text)
    words = [token.text for token in doc]
    is_noun = [_is_noun(token, nouns) for token in doc]
    noun, key = _key_noun(doc, is_noun, nouns)
    taken = [False] * len(words)
    relations = find_relations(words, is_noun, key, noun, taken)
    free = ["" if mine else word for word, mine in zip(words, taken)]
    scan = Scan(free, [_sizes(i, free, is_noun, key, noun) for i in range(len(words))], words)
    sizes = list(scan.sizes)
    left = [
        i
        for i, word in enumerate(free)
        if word and not scan.used[i] and word not in SMALL and i not in key and word not in PICTURE
    ]
    known = english()
    return Expression(
        text,
        noun,
        attributes=tuple(words[i] for i in left if words[i] in known),
        places=tuple(scan.places),
        sizes=tuple(sizes),
        relations=tuple(relations),
        count=_count(doc, key, scan),
        without=_without(doc, scan),
        mended=tuple(mended),
        dropped=dropped,
        unread=tuple(words[i] for i in left if words[i] not in known and words[i].isalpha()),
        english=_english(words, known),
    )


def _english(words: list[str], known: frozenset[str]) -> bool:
    letters = [word for word in words if any(c.isalpha() for c in word)]
    good = [word for word in letters if word in known or look_up(word) is not None]
    return bool(not letters or len(good) >= 0.5 * len(letters))


def _is_noun(token: Token, nouns: SpacyNouns) -> bool:
    if nouns.is_noun(token):
        return True
    word = token.text
    if word in NEVER or word in SIDES or word in SIZES or len(word) < 3:
        return False
    entry = look_up(word)
    if entry is None or not entry.classes:
        return False
    return token.tag_ in {"JJ", "RB", "VB", "VBP", "VBZ", "UH", "FW", "CD", "JJR"}


def _key_noun(doc: Doc, is_noun: list[bool], nouns: SpacyNouns) -> tuple[str, set[int]]:
    """The key noun and the indices of its run; "" and none where there is none."""
    runs = [list(run) for named, run in groupby(doc, lambda token: is_noun[token.i]) if named]
    keys = [run for run in runs if is_key(run)]
    first: tuple[str, set[int]] | None = None
    for number, run in enumerate(keys):
        words = trim([token.text for token in run])
        if not words:
            continue
        indices = {token.i for token in run}
        after = run[-1].i + 1
        if after + 1 < len(doc) and doc[after].tag_ == "VBN" and is_noun[after + 1]:
            continue  # "bat shaped cake": the head comes later
        noun = " ".join(words)
        entry = look_up(noun)
        beast = entry is not None and "person" in entry.classes and not PEOPLE & set(words)
        if entry is None or not entry.classes or entry.mark == "p" or beast:
            better = _whole(doc, run, runs)
            if better:
                return better, indices
        if entry is not None and entry.classes:
            return noun, indices
        if first is None and number == 0:
            first = noun, indices
    for run in runs:
        if _bound(doc, run[0].i):
            break
        words = trim([token.text for token in run])
        entry = look_up(" ".join(words)) if words else None
        if entry is not None and entry.classes:
            return " ".join(words), {token.i for token in run}
    if first is not None:
        return first
    texts = [token.text for token in doc]
    for i, word in enumerate(texts):
        if word in PERSONAL and (word != "her" or i + 1 == len(texts) or not is_noun[i + 1]):
            return "person", {i}
        if word in HUMAN:
            return "person", set()
    return "", set()


def _bound(doc: Doc, i: int) -> bool:
    """Whether a preposition or a verb of having stands before token `i`."""
    return any(
        token.tag_ in {"IN", "TO", "WDT", "WP"} and token.text not in ("of", "like")
        for token in doc[:i]
    )


def _whole(doc: Doc, run: list[Token], runs: list[list[Token]]) -> str:
    """The thing that a part or a measure in `run` is of ("elephant trunk", "trunk of the car")."""
    for token in run[:-1]:
        entry = look_up(token.text)
        if token.text in COLOURS or token.text in SIDES:
            continue
        if entry is not None and entry.classes and entry.mark != "p":
            return token.text
    after = run[-1].i + 1
    if after < len(doc) and doc[after].text in ("of", "from"):
        for other in runs:
            if other[0].i > after and other[0].i - after <= 4:
                words = trim([token.text for token in other])
                entry = look_up(" ".join(words)) if words else None
                if entry is not None and entry.classes and entry.mark != "p":
                    return " ".join(words)
                break
    return ""


def _sizes(i: int, words: list[str], is_noun: list[bool], key: set[int], noun: str) -> bool:
    """Whether a size word at `i` is said of the key noun."""
    word = words[i]
    if word not in SIZES:
        return False
    if word in FAMILY:
        after = words[i + 1] if i + 1 < len(words) else ""
        return i not in key or bool(noun and after in noun)
    if i in key:
        return False
    for k in range(i + 1, len(words)):
        if k in key:
            return not (word in ("little", "young") and words[k] in YOUNG)
        if is_noun[k]:
            return False
        if words[k] in ("one", "of", "", "with", "in", ","):
            break
    before = [k for k in range(i) if is_noun[k]]
    return not before or before[-1] in key or not key


def _count(doc: Doc, key: set[int], scan: Scan) -> str:
    """How many things are meant."""
    words = [token.text for token in doc]
    first = min(key, default=len(words))
    before = words[max(0, first - 3) : first + 1]
    if any(word in GROUP for word in before):
        return "all"
    if words[0] in ("no", "none", "nothing", "nobody"):
        return "none"
    counted = {"two", "three", "four", "several", "many", "couple"}.intersection(before)
    ordered = "of" in before or any(scan.used[max(0, first - 3) : first])  # "second of the two"
    plural = doc[max(key, default=0)].tag_ in ("NNS", "NNPS")
    return "several" if counted and plural and not ordered else "one"


def _without(doc: Doc, scan: Scan) -> tuple[str, ...]:
    """Phrases after "not" or "without" that say no place or size."""
    found = []
    words = [token.text for token in doc]
    for i, word in enumerate(words):
        if (
            word in ("not", "n't", "without", "no", "isn't")
            and not scan.used[i]
            and i + 1 < len(words)
        ):
            end = i + 1
            while (
                end < len(words)
                and end < i + 6
                and words[end] not in (",", ".", "and", "but", "in", "on")
            ):
                end += 1
            if end > i + 1:
                found.append(" ".join(words[i + 1 : end]))
    return tuple(found)
