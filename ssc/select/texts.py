"""Expressions as CLIP reads them: looks alone, what is denied subtracted, long ones by their noun.

What boxes tell better, places, sizes and relations, is left out where words count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.words.order import fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Expression
    from ssc.result import Result
    from ssc.select.prompt_cache import Encoder

NEGATION = 1.0
"""Weight of what an expression denies, beside what it says.

By denials of colours and traits in RefSprites' val scenes with the mini set, among 0, 0.5 and 1."""


def embed_texts(
    clip: Encoder, results: Sequence[Result], words: bool
) -> tuple[list[NDArray[np.float32]], list[tuple[str, ...]]]:
    """Embeddings of each object's expressions, in one call, and the words that CLIP did not read.

    Args:
        words: whether what the expressions say is heeded.

    Returns:
        float32 M×D of each object, M×0 where nothing is to choose, of length 1 but where something
        is denied; and of each object its unread words.
    """
    ends = np.cumsum([len(result.expressions) for result in results])[:-1]
    count = sum(len(result.expressions) for result in results)
    if not any(len(result.candidates) for result in results):
        return np.split(np.zeros((count, 0), np.float32), ends), [()] * len(results)
    texts: list[str] = []
    denied: dict[int, list[str]] = {}
    unread: list[tuple[str, ...]] = []
    for result in results:
        lost: list[str] = []
        for number, text in enumerate(result.expressions):
            reading = result.words[number] if words and result.words else None
            if reading is not None:
                if reading.looks not in ("", reading.text) and _measured(reading, result):
                    text = reading.looks
                if reading.without:
                    named = [f"{reading.noun} {phrase}".strip() for phrase in reading.without]
                    denied[len(texts)] = named
            text, rest = fitted(
                text, reading.noun if reading else "", getattr(clip, "unread", None)
            )
            texts.append(text)
            lost += rest
        unread.append(tuple(lost))
    more = [phrase for phrases in denied.values() for phrase in phrases]
    embedded = clip.encode_text([*texts, *more])
    rows, others = embedded[: len(texts)].copy(), iter(embedded[len(texts) :])
    for number, phrases in denied.items():
        rows[number] -= NEGATION * np.mean([next(others) for _ in phrases], axis=0)
    return np.split(rows, ends), unread


def _measured(said: Expression, result: Result) -> bool:
    """Whether boxes tell what is said of geometry: what they do not is left for CLIP to read."""
    nouns = [relation.noun for relation in said.relations if relation.noun]
    return not said.vague and all(len(result.others.get(noun, ())) for noun in nouns)
