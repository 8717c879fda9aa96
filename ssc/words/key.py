"""The key noun of a parsed expression, where people do not write sentences (not of the paper)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ssc.words.lexis import (
    ANIMALS,
    HAVING,
    HOLDERS,
    HUMAN,
    ONE,
    PERSONAL,
    POSES,
    SIDES,
    SIZES,
    VAGUEST,
    YOUNG,
)
from ssc.words.nouns import COLOURS, FAMILY, NEVER, PEOPLE, SpacyNouns, is_key, trim
from ssc.words.relations import relates
from ssc.words.table import look_up

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


def names_a_thing(token: Token, nouns: SpacyNouns) -> bool:
    """Whether `token` is a noun, or a word of the table that the tagger takes for another kind."""
    word = token.text
    if _acts(token):
        return False
    if nouns.is_noun(token):
        return word not in VAGUEST
    if word in NEVER or word in SIDES or word in SIZES or word in VAGUEST or len(word) < 3:
        return False
    after = token.nbor() if token.i + 1 < len(token.doc) else None
    described = after is not None and (after.tag_[:2] in ("NN", "JJ") or after.text == "looking")
    if token.tag_.startswith("JJ") and described:
        return False  # "a modern looking couch"
    entry = look_up(word)
    if entry is None or not entry.classes:
        return False
    return token.tag_ in {"JJ", "RB", "VB", "VBP", "VBZ", "UH", "FW", "CD", "JJR"}


def _acts(token: Token) -> bool:
    """Whether `token` is a verb after who does it ("bird stands behind", "giraffe drinking")."""
    word = token.text
    if not token.i or not (word in POSES or word.endswith("ing")):
        return False
    if word in POSES and token.i + 1 == len(token.doc):
        return False
    who, does = look_up(token.nbor(-1).text), look_up(word)
    named = does is not None and bool(does.classes) and word not in POSES
    return who is not None and bool(who.classes) and not named


def key_noun(doc: Doc, is_noun: list[bool], nouns: SpacyNouns) -> tuple[str, set[int]]:
    """The key noun and the indices of its run; "" and none where there is none."""
    runs = [list(run) for named, run in groupby(doc, lambda token: is_noun[token.i]) if named]
    keys = [run for run in runs if is_key(run)]
    first: tuple[str, set[int]] | None = None
    for number, run in enumerate(keys):
        words = _owned(run, doc) or trim([token.text for token in run])
        if not words or _other(doc, run[0].i):
            continue
        indices = {token.i for token in run}
        if words[-1] in PERSONAL:
            return "person", indices
        if words[-1] in FAMILY | YOUNG and (young := _young(doc, run, runs)):
            return young
        after = run[-1].i + 1
        if after + 1 < len(doc) and doc[after].tag_ == "VBN" and is_noun[after + 1]:
            continue  # "bat shaped cake": the head comes later
        entry = look_up(" ".join(words))
        while entry is None and len(words) > 1:
            words = words[:-1]  # "giraffe milking"
            entry = look_up(" ".join(words))
        noun = " ".join(words if entry is not None else trim([token.text for token in run]))
        beast = (
            entry is not None
            and "person" in entry.classes
            and not (PEOPLE & set(words) or words[-1].endswith(("er", "or")))
        )
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


def _owned(run: list[Token], doc: Doc) -> list[str]:
    """The thing of "girls umbrella" or "umbrella the girl is holding"; [] for other runs."""
    words = [token.text for token in run]
    if len(words) < 2:
        return []
    owner, last = words[0], look_up(words[-1])
    thing = last is not None and last.mark != "p" and "person" not in last.classes
    if thing and owner.endswith("s") and owner[:-1] in PEOPLE and last and last.classes:
        return words[1:]
    after = doc[run[-1].i + 1].text if run[-1].i + 1 < len(doc) else ""
    first = look_up(" ".join(words[:-1]))
    held = first is not None and first.mark != "p" and bool(first.classes)
    if held and after in ("is", "was") and words[-1] in HOLDERS:
        return words[:-1]
    return []


def _young(doc: Doc, run: list[Token], runs: list[list[Token]]) -> tuple[str, set[int]] | None:
    """The animal of "mother and young baby zebra"; None where none follows at once."""
    for token in run[1:]:
        entry = look_up(token.text)
        if entry is not None and set(entry.classes[:1]) & ANIMALS:
            return token.text, {t.i for t in run}  # "child zebra"
    for other in runs:
        between = doc[run[-1].i + 1 : other[0].i]
        if other[0].i <= run[-1].i or len(between) > 3:
            continue
        if any(token.tag_[:2] in ("IN", "VB", "WP", "WD", ".", ",") for token in between):
            return None
        entry = look_up(other[-1].text)
        if entry is not None and set(entry.classes[:1]) & ANIMALS:
            return " ".join(trim([token.text for token in other])), {t.i for t in (*run, *other)}
    return None


def _bound(doc: Doc, i: int) -> bool:
    """Whether a preposition stands before token `i`, or what makes it another object."""
    return _other(doc, i) or any(
        token.tag_ in {"IN", "TO", "WDT", "WP"} and token.text not in ("of", "like")
        for token in doc[:i]
    )


def _other(doc: Doc, i: int) -> bool:
    """Whether token `i` is what "one" has or stands in a relation to ("one left of the car")."""
    before = [token.text for token in doc[:i]]
    heads = [k for k, word in enumerate(before) if word in ONE]
    return bool(heads) and any(
        before[k] in HAVING or relates(before, k) for k in range(heads[0] + 1, i)
    )


def _whole(doc: Doc, run: list[Token], runs: list[list[Token]]) -> str:
    """The thing that a part or a measure in `run` is of ("elephant trunk", "trunk of the car")."""
    for token in run[:-1]:
        entry = look_up(token.text)
        if token.text in COLOURS or token.text in SIDES:
            continue
        if entry is not None and entry.classes and entry.mark != "p":
            return token.text
    before = run[0].i - 1
    if before > 0 and doc[before].tag_ == "POS":
        part = look_up(run[-1].text)
        stands_for = part.classes if part is not None else ()
        for other in runs:
            entry = look_up(other[-1].text) if other[-1].i == before - 1 else None
            if entry is None or not entry.classes or entry.mark == "p":
                continue
            if not set(entry.classes) & set(stands_for):  # "cat's tail", not "elephant's trunk"
                return other[-1].text
    after = run[-1].i + 1
    while after + 2 < len(doc) and doc[after].text == "and":
        after += 2  # "neck and face of a giraffe"
    if after < len(doc) and doc[after].text in ("of", "from"):
        for other in runs:
            if other[0].i > after and other[0].i - after <= 4:
                words = trim([token.text for token in other])
                entry = look_up(" ".join(words)) if words else None
                if entry is not None and entry.classes and entry.mark != "p":
                    return " ".join(words)
                break
    return ""
