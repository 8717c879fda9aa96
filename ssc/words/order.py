"""Long expressions: what is said of the key noun comes first, so that an encoder reads it."""

from __future__ import annotations

from collections.abc import Callable

from ssc.words.lexis import words as _words

_BREAKS = _words(
    """and are at but by from in is near next of on over sits standing stands that there to under
    was where which while who with"""
)
_MARKS = ",.;:"
_LONGEST = 5


def key_first(text: str, noun: str) -> str:
    """`text` from the phrase of its key noun on, and what stood before behind that.

    It comes as it is where the noun, or a word that it is read from, is not found in it.
    """
    typed = text.split()
    plain = [word.lower().strip(_MARKS) for word in typed]
    head = noun.split()[-1] if noun else ""
    if head not in plain:
        return text
    at = start = plain.index(head)
    while start and at - start < _LONGEST:
        if plain[start - 1] in _BREAKS or typed[start - 1][-1] in _MARKS:
            break
        start -= 1
    return " ".join([*typed[start:], *typed[:start]])


def fitted(
    text: str, noun: str, unread: Callable[[str], tuple[str, ...]] | None
) -> tuple[str, tuple[str, ...]]:
    """`text` as an encoder is to read it, and the words that are too many for it.

    Args:
        noun: the key noun; "" keeps the order.
        unread: text → the words at its end that the encoder does not read; None for one that
            reads all.
    """
    lost = unread(text) if unread is not None else ()
    if unread is None or not lost or not noun:
        return text, lost
    text = key_first(text, noun)
    return text, unread(text)
