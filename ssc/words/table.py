"""The table of nouns: which classes a noun may mean (`train.mini.noun_classes` makes it)."""

from __future__ import annotations

import gzip
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from ssc.words.vocabulary import COCO_80


class Entry(NamedTuple):
    """Classes of a noun, the likeliest first; `mark` as in `train.mini.noun_classes`."""

    classes: tuple[str, ...]
    mark: str


@cache
def noun_table() -> dict[str, Entry]:
    """Noun (singular, lower case) → its entry."""
    table = {}
    with gzip.open(Path(__file__).with_name("nouns.tsv.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            noun, classes, mark = line.rstrip("\n").split("\t")
            table[noun] = Entry(tuple(COCO_80[int(c)] for c in classes.split(",") if c), mark)
    return table


_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot",
    "teeth": "tooth", "mice": "mouse", "knives": "knife", "geese": "goose", "calves": "calf",
    "loaves": "loaf", "halves": "half", "leaves": "leaf", "oxen": "ox", "guys": "guy",
    "skis": "ski", "buses": "bus", "busses": "bus", "gloves": "glove", "mans": "man",
    "womans": "woman", "buss": "bus",
}  # fmt: skip


@lru_cache(8192)
def look_up(words: str) -> Entry | None:
    """The entry of a noun of one or more words, singular or plural; the longest ending counts.

    "chocolate glazed donut" is looked up as that, "glazed donut", then "donut".
    """
    table = noun_table()
    parts = words.split()
    for start in range(len(parts)):
        for last in singulars(parts[-1]):
            entry = table.get(" ".join((*parts[start:-1], last)))
            if entry is not None:
                return entry
    return None


def is_compound(first: str, last: str) -> bool:
    """Whether two words name what the last one alone does not ("stop light", "hot dog")."""
    table = noun_table()
    for one in singulars(last):
        entry, alone = table.get(f"{first} {one}"), table.get(one)
        if entry is not None and entry.classes and not entry.mark:
            return alone is None or not set(alone.classes) & set(entry.classes)
    return False


def singulars(word: str) -> list[str]:
    """A noun as it is and as its singular may be."""
    forms = [word]
    if word in _IRREGULAR:
        forms.append(_IRREGULAR[word])
    elif word.endswith("men"):
        forms.append(word[:-2] + "an")  # "policemen"
    if word.endswith("'s"):
        forms.append(word[:-2])
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s"):
        forms.append(word[:-1])
    return forms
