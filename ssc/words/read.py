"""An expression read once: plain text → spelling → dependency parse → `Expression`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ssc.expression import Expression, Relation
from ssc.words.nouns import (
    COLOURS,
    FAMILY,
    NEVER,
    PEOPLE,
    is_key,
    trim,
)
from ssc.words.places import PICTURE, SIDES, SIZES, VIEWER, Scan
from ssc.words.plain import plain
from ssc.words.relations import LONGEST, WORDS
from ssc.words.spelling import english, mend
from ssc.words.table import look_up

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

    from ssc.words.nouns import SpacyNouns

PERSONAL = frozenset(
    ["he", "she", "him", "her", "they", "them", "everyone", "everybody", "anyone", "anybody", "someone", "somebody", "who", "whoever", "myself", "himself", "herself", "person"]
)
"""Pronouns that stand for a person where nothing else is named."""
HUMAN = frozenset(["wearing", "smiling", "talking", "laughing", "answering", "dressed", "shirtless", "bald"])
"""What only people do or are."""
YOUNG = frozenset(["child", "kid", "kids", "children", "toddler", "baby", "boy", "girl", "infant"])
GROUP = frozenset(["all", "both", "every", "everything", "everyone", "everybody"])
_DETERMINERS = frozenset(
    ["the", "a", "an", "this", "that", "his", "her", "its", "their", "my", "our", "your", "another", "other", "some", "one", "ones", "two", "three", "both", "of", "to", "each", "four", "others"]
)
_LOOKS = frozenset("old young empty full wooden white plain metal open closed brick".split())
_VAGUE = frozenset(["other", "others", "one", "ones", "two", "another", "both", "three", "it", "them", "all"])
_PLACELIKE = frozenset(["near", "nearest", "closest", "behind", "far", "under", "above", "over", "before", "next", "by"])
_SMALL = frozenset(
    ["the", "a", "an", "is", "are", "was", "with", "in", "on", "of", "to", "at", "and", "or", "that", "which", "who", "it", "its", "his", "her", "their", "there", "this", "be", "being", "has", "have", "for", "from", "by", "as", "one", "ones", ",", ".", ";", ":", "!", "?", "(", ")", "'", "'s", "t", "you", "we", "i", "he", "she", "they"]
)


def read(expression: str, nouns: SpacyNouns) -> Expression:
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
    relations = _relations(words, is_noun, key, noun, taken)
    free = ["" if mine else word for word, mine in zip(words, taken)]
    scan = Scan(free, [_sizes(i, free, is_noun, key, noun) for i in range(len(words))], words)
    sizes = list(scan.sizes)
    left = [
        i
        for i, word in enumerate(free)
        if word and not scan.used[i] and word not in _SMALL and i not in key and word not in PICTURE
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
    runs = [
        list(run)
        for named, run in groupby(doc, lambda token: is_noun[token.i])
        if named
    ]
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


def _relations(
    words: list[str], is_noun: list[bool], key: set[int], noun: str, taken: list[bool]
) -> list[Relation]:
    """Relations said in `words`; `taken` is set for the words of each and of its other object."""
    found: list[Relation] = []
    first = min(key, default=len(words))
    i = 0
    while i < len(words):
        length, kind = _marker(words, i) if not _apart(words, i) else (1, _apart(words, i))
        if not kind:
            i += 1
            continue
        start = i + length
        if words[i] in _PLACELIKE and length == 1 and ((key and i < first) or not key) and not (
            start < len(words) and words[start] in ("the", "a", "an", "his", "her")
        ):
            i += 1
            continue
        end, other = _noun_phrase(words, is_noun, start)
        if end == start or i in key or set(range(start, end)) & key:
            i += 1
            continue
        entry = look_up(other) if other else None
        classes = entry.classes if entry is not None else ()
        worn = entry is not None and entry.mark == "p"
        if kind in ("on", "in", "with") and (not other or not classes or worn):
            i = end if other and (kind == "with" or worn) else i + 1
            continue
        same = bool(other) and bool(noun) and _same(other, noun)
        inner = Scan(words[start:end], [True] * (end - start))
        places, sizes = inner.places, inner.sizes
        stop = end
        if same or not other:
            stop = _clause_end(words, end)
            tail = Scan(words[end:stop], [False] * (stop - end))
            if tail.places:
                places = [*places, *tail.places]
            else:
                stop = end
        negated = any(word in ("not", "n't") for word in words[max(0, i - 2) : i])
        for k in range(i, stop):
            taken[k] = True
        if _apart(words, i):
            for k in range(max(0, i - 4), i):
                taken[k] = taken[k] or words[k] in SIDES
        symmetric = kind in ("next to", "with", "in", "on") and same and not places and not sizes
        if (classes or not other) and not symmetric:
            relation = Relation(kind, other, tuple(places), tuple(sizes), negated)
            found.append(relation)
        i = stop
    return found


def _marker(words: list[str], i: int) -> tuple[int, str]:
    """Length and kind of the longest relation that begins at word `i`; (0, "") for none."""
    for length in range(min(LONGEST, len(words) - i), 0, -1):
        kind = WORDS.get(tuple(words[i : i + length]))
        if kind:
            return length, kind
    return 0, ""


def _apart(words: list[str], i: int) -> str:
    """The relation of a superlative and its "to" or "from" at `i`, parted by the key noun."""
    before = words[max(0, i - 4) : i - 1]
    if words[i] == "to" and {"closest", "nearest", "closer", "nearer"}.intersection(before):
        return "next to"
    if words[i] == "from" and {"farthest", "furthest", "farther", "further"}.intersection(before):
        return "far from"
    return ""


def _noun_phrase(words: list[str], is_noun: list[bool], start: int) -> tuple[int, str]:
    """End and noun of the noun phrase at `start`; the end is `start` where there is none."""
    vague = False
    for i in range(start, min(start + 6, len(words))):
        word = words[i]
        last = i + 1 == len(words)
        if word in ("her", "him", "person") and (last or not is_noun[i + 1]):
            return i + 1, "person"
        if word in VIEWER or word in PICTURE - _VAGUE:
            return start, ""
        if is_noun[i]:
            end = i
            while end < len(words) and is_noun[end]:
                end += 1
            run = trim(words[i:end])
            return (end, " ".join(run)) if run else (start, "")
        if word in _VAGUE:
            vague = True
        elif not (word in _DETERMINERS or word in COLOURS or word in SIDES or word in SIZES
                  or word in _LOOKS or word.endswith("ed")):
            return (i, "") if vague else (start, "")
        elif word in COLOURS and (last or _marker(words, i + 1)[1]):
            return start, ""  # "in black next to …"
    return (min(start + 6, len(words)), "") if vague else (start, "")


def _clause_end(words: list[str], i: int) -> int:
    for k in range(i, len(words)):
        if words[k] in (",", ".", ";", "and", "but", "who", "which", "that"):
            return k
    return len(words)


def _same(one: str, two: str) -> bool:
    a, b = look_up(one), look_up(two)
    return one == two or (a is not None and b is not None and a.classes[:1] == b.classes[:1] != ())


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
    if any(word in ("two", "three", "four", "several", "many", "couple") for word in before):
        if not any(scan.used[k] for k in range(max(0, first - 3), first)):
            last = max(key, default=0)
            if "of" not in words[max(0, first - 3) : first] and doc[last].tag_ in ("NNS", "NNPS"):
                return "several"
    return "one"


def _without(doc: Doc, scan: Scan) -> tuple[str, ...]:
    """Phrases after "not" or "without" that say no place or size."""
    found = []
    words = [token.text for token in doc]
    for i, word in enumerate(words):
        if word in ("not", "n't", "without", "no", "isn't") and not scan.used[i] and i + 1 < len(words):
            end = i + 1
            while end < len(words) and end < i + 6 and words[end] not in (",", ".", "and", "but", "in", "on"):
                end += 1
            if end > i + 1:
                found.append(" ".join(words[i + 1 : end]))
    return tuple(found)
