"""Any text brought to plain words: lower case, one space between words, known marks only."""

from __future__ import annotations

import re
import unicodedata

_MARKS = ".,;:!?()'"
_SHORT = {"w/o": "without", "w/": "with", "&": "and", "b/w": "between", "pic": "picture"}


def plain(text: str) -> tuple[str, tuple[str, ...]]:
    """The plain form of `text` (NFKC), and the characters that were dropped.

    Marks stand apart from words, digits from letters ("dog2" → "dog 2", but "2nd" stays), and
    invisible characters go. "|" and "/" part words as "or" does.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"[’‘`´]", "'", text)
    text = re.sub(r"\s'\s?(?=s\b|t\b|re\b)", "'", text)  # "lady ' s", as tokenized lists have it
    for short, written in _SHORT.items():
        text = re.sub(
            rf"(?<!\w){re.escape(short)}(?!\w)|(?<= ){re.escape(short)}(?= )", f" {written} ", text
        )
    text = text.replace("w/", " with ").replace("&", " and ")
    text = re.sub(r"[|/]", " or ", text)
    dropped = []
    kept = []
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cf" or kind == "Mn":
            continue
        if kind[0] in "LNM" or character in _MARKS:
            kept.append(character)
        else:
            kept.append(" ")
            if not character.isspace() and character not in '-_–—"“”+*#~=<>[]{}\\':
                dropped.append(character)
    text = "".join(kept)
    text = re.sub(r"([.,;:!?()])", r" \1 ", text)
    text = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=(?!st\b|nd\b|rd\b|th\b)[a-z])", " ", text)
    return " ".join(text.split()), tuple(dict.fromkeys(dropped))
