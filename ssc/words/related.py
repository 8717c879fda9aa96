"""Relations in a run of words: where each begins, and the noun phrase of its other object."""

from __future__ import annotations

from ssc.expression import Relation
from ssc.words.lexis import (
    DETERMINERS,
    DONE,
    HAVING,
    LOOKS,
    PICTURE,
    PLACELIKE,
    SIDES,
    SIZES,
    VAGUE,
    VIEWER,
)
from ssc.words.nouns import COLOURS, trim
from ssc.words.places import Scan
from ssc.words.relations import marker
from ssc.words.table import look_up


def find_relations(
    words: list[str], is_noun: list[bool], key: set[int], noun: str, taken: list[str]
) -> tuple[list[Relation], bool]:
    """Relations said in `words`, and whether another is said to what is of no class; `taken` gets
    the role (`ssc.expression.ROLES`) of the words of each and of its other object."""
    found: list[Relation] = []
    vague = False
    first = min(key, default=len(words))
    i = 0
    while i < len(words):
        length, kind = marker(words, i) if not _apart(words, i) else (1, _apart(words, i))
        if not kind:
            i += 1
            continue
        start = i + length
        if (
            words[i] in PLACELIKE
            and length == 1
            and ((key and i < first) or not key)
            and not (start < len(words) and words[start] in ("the", "a", "an", "his", "her"))
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
        if words[i] == "back" and words[max(0, i - 2) : i] == ["on", "the"]:
            i = end
            continue  # "on the back of a motorcycle"
        if _of_itself(words, is_noun, key, i, start, worn):
            i = end
            continue
        if _done(words, i):
            taken[i:end] = ["looks"] * (end - i)
            vague = True
            i = end
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
        told = classes or not other or kind in ("left of", "right of", "behind")
        symmetric = kind == "next to" and (same or not other)  # as true of one as of the other
        role = "looks" if not told else "lost" if symmetric else "relation"
        for k in range(i, stop):
            taken[k] = role
        if _apart(words, i):
            for k in range(max(0, i - 4), i):
                taken[k] = taken[k] or (role if words[k] in SIDES else "")
        if told and not symmetric:
            relation = Relation(kind, other, tuple(places), tuple(sizes), negated)
            found.append(relation)
        vague = vague or not told
        i = stop
    return found, vague


def _of_itself(
    words: list[str], is_noun: list[bool], key: set[int], i: int, start: int, worn: bool
) -> bool:
    """Whether what the relation at `i` is to is the key noun's own ("fries behind it")."""
    owned = words[start] != "her" or (start + 1 < len(words) and is_noun[start + 1])
    if words[start] in ("his", "her", "its", "their") and owned:
        return worn
    last = max(key, default=-1)
    held = [k for k in range(last + 1, i) if words[k] in HAVING]
    things = (look_up(words[k]) for k in range(held[-1], i) if is_noun[k]) if held else ()
    if last >= 0 and any(thing is not None and thing.mark != "p" for thing in things):
        return True  # "holding an umbrella over a woman"
    return words[start] in ("it", "him", "her", "them") and any(is_noun[last + 1 : i])


def _done(words: list[str], i: int) -> bool:
    """Whether "by" at `i` names who does it ("used by the woman")."""
    return words[i] == "by" and bool(DONE.intersection(words[max(0, i - 2) : i]))


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
        if (word in VIEWER and (last or word not in SIDES)) or word in PICTURE - VAGUE:
            return start, ""
        if is_noun[i]:
            end = i
            while end < len(words) and is_noun[end]:
                end += 1
            run = trim(words[i:end])
            return (end, " ".join(run)) if run else (start, "")
        if word in HAVING:
            return start, ""  # "leaning over wearing a jacket"
        if word in VAGUE:
            vague = True
        elif not (
            word in DETERMINERS
            or word in COLOURS
            or word in SIDES
            or word in SIZES
            or word in LOOKS
            or word.endswith(("ed", "ing"))
        ):
            return (i, "") if vague else (start, "")
        elif word in COLOURS and (last or marker(words, i + 1)[1]):
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
