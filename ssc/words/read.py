"""An expression read once: plain text → spelling → dependency parse → `Expression`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ssc.cache import Cache
from ssc.expression import Expression, Size
from ssc.words.key import key_noun, names_a_thing
from ssc.words.lexis import (
    ANIMALS,
    CLAUSE_ENDS,
    FOREIGN,
    HAVING,
    JOINING,
    PICTURE,
    POSTURES,
    SIDE_NOUNS,
    SIZES,
    SMALL,
    SMALL_ONE,
    YOUNG,
)
from ssc.words.nouns import (
    FAMILY,
    Parser,
    SpacyNouns,
)
from ssc.words.places import Scan
from ssc.words.plain import plain
from ssc.words.related import find_relations
from ssc.words.several import Read, read_several
from ssc.words.sides import ordinal
from ssc.words.spelling import english, mend
from ssc.words.table import is_compound, look_up
from ssc.words.vocabulary import COCO_80


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
    typed, mended = mend(text.split())
    typed = " ".join(typed).split()
    if not typed:
        return Expression("", dropped=dropped, english=False)
    whole = _read_one(typed, nouns)
    said = read_several(typed, whole, lambda some: _read_one(some, nouns))
    return replace(said, dropped=dropped, mended=tuple(mended))


def _read_one(typed: list[str], nouns: SpacyNouns) -> Read:
    """Words that are mended, read as of one thing; and whether the key noun is a plural."""
    text = " ".join(typed)
    if not text:
        return Read(Expression("", english=False), False)
    with nouns.parser.lock:
        doc = nouns.parser(text)
    words = [token.text for token in doc]
    is_noun = [names_a_thing(token, nouns) for token in doc]
    for i, pair in enumerate(pairwise(words)):
        if is_compound(*pair):  # though the tagger may see a verb or an adjective
            is_noun[i] = is_noun[i + 1] = True
    noun, key = key_noun(doc, is_noun, nouns)
    taken = [""] * len(words)
    relations, vague = find_relations(words, is_noun, key, noun, taken)
    free = ["" if mine else word for word, mine in zip(words, taken)]
    scan = Scan(free, [_sizes(i, free, is_noun, key, noun) for i in range(len(words))], words)
    sizes = list(scan.sizes)
    if not (scan.places or sizes or relations) and _alive(noun):
        sizes = _postures(free, is_noun, key)
    without = _without(words, scan.used)
    denied = {i for phrase in without for i in (phrase.start - 1, *phrase)}
    placed = {i for i in range(len(words)) if taken[i] or scan.used[i]}
    silent = SMALL | PICTURE
    left = [i for i, w in enumerate(free) if w and not scan.used[i] and w not in silent]
    rest = [i for i in left if i not in key and i not in denied]
    known = english()
    strange = [
        i
        for i in left
        if words[i].isalpha() and words[i] not in known and look_up(words[i]) is None
    ]
    roles = [mine or used for mine, used in zip(taken, scan.used)]
    lacking = [i for phrase in without for i in phrase]
    for said_so, role in ((strange, "lost"), (key, "noun"), (lacking, "not"), (rest, "looks")):
        for i in said_so:
            roles[i] = roles[i] or role
    said = Expression(
        text,
        noun,
        attributes=tuple(words[i] for i in rest if words[i] in known),
        places=tuple(scan.places),
        sizes=tuple(sizes),
        relations=tuple(relations),
        vague=vague,
        without=tuple(" ".join(words[i] for i in phrase) for phrase in without),
        looks=_looks(words, denied | placed),
        unread=tuple(words[i] for i, role in enumerate(roles) if role == "lost"),
        roles=tuple(zip(words, roles)),
        english=_english(words, known),
    )
    return Read(said, bool(key) and doc[max(key)].tag_ in ("NNS", "NNPS"))


def _looks(words: list[str], gone: set[int]) -> str:
    """The words but those that are `gone`, and what joins them to these; "" where none tells."""
    kept: list[int] = []
    dropped = False
    for i, word in enumerate(words):
        if i in gone:
            while kept and words[kept[-1]] in JOINING:
                kept.pop()
        elif not (dropped and (word in SIDE_NOUNS | PICTURE or word in ("of", "the"))):
            kept.append(i)
        dropped = i not in kept
    while gone and kept and words[kept[-1]] in JOINING:
        kept.pop()
    told = any(words[i] not in SMALL for i in kept)
    return " ".join(words[i] for i in kept) if told else ""


def _english(words: list[str], known: frozenset[str]) -> bool:
    letters = [word for word in words if any(c.isalpha() for c in word)]
    good = [word for word in letters if word in known or look_up(word) is not None]
    foreign = [word for word in letters if word in FOREIGN]
    return 2 * len(good) >= len(letters) and (not letters or 3 * len(foreign) < len(letters))


def _sizes(i: int, words: list[str], is_noun: list[bool], key: set[int], noun: str) -> bool:
    """Whether a size word at `i` is said of the key noun."""
    word = words[i]
    if word not in SIZES:
        return False
    after = words[i + 1] if i + 1 < len(words) else ""
    if word in FAMILY:
        return i + 1 in key or bool(noun and after and after in noun)
    if i in key or (i and ordinal(words[i - 1])):
        return False  # "third tallest"
    for k in range(i + 1, len(words)):
        if k in key:
            return not (word in ("little", "young") and words[k] in YOUNG)
        if is_noun[k]:
            return False
        if words[k] in ("one", "of", "", "with", "in", ","):
            break
    before = [k for k in range(i) if is_noun[k]]
    if HAVING.intersection(words[max(key, default=i) + 1 : i]):
        return False  # "banana with the largest spot"
    return not before or before[-1] in key or not key


def _alive(noun: str) -> bool:
    """Whether a noun, or its lack, may be of who stands or sits."""
    entry = look_up(noun) if noun else None
    return not noun or (entry is not None and bool(set(entry.classes[:1]) & (ANIMALS | {"person"})))


def _postures(words: list[str], is_noun: list[bool], key: set[int]) -> list[Size]:
    """What a posture or an age says of the key noun's size, the first of several."""
    for i, word in enumerate(words):
        nouns = [k for k in range(i) if is_noun[k]]
        said = POSTURES.get(word)
        if word in SIZES and i + 1 in key and words[i + 1] in YOUNG:
            said = SMALL_ONE  # "little boy"
        thing = i and words[i - 1] in ("a", "in", "the", "on", "of")  # "in the stands"
        if said and not (thing and i not in key) and (i in key or not nouns or nouns[-1] in key):
            return [said]
    return []


def _without(words: list[str], used: list[str]) -> list[range]:
    """Where phrases stand after "not" or "without" that say no place or size."""
    found = []
    for i, word in enumerate(words):
        if word not in ("not", "n't", "nt", "without", "no", "isn't") or used[i]:
            continue
        start = i + 1
        end = start
        while end < min(start + 5, len(words)) and words[end] not in CLAUSE_ENDS:
            end += 1
        if end > start:
            found.append(range(start, end))
    return found
