"""Stage 2's scores of a store's object, and its choice by them (paper §3.2, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.select.spatial import guide
from ssc.words.read import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from train.pseudo.records import PseudoObject

NOUNS = Reader()
SPATIAL = "spatial"  # in the manifest of a store whose S2 counts words


def counts_words(manifest: Mapping[str, Any]) -> bool:
    """Whether words for place and size count in the S2 of a store."""
    return SPATIAL in manifest


def scores_of(referent: PseudoObject, size: tuple[int, int], spatial: bool) -> NDArray[np.float32]:
    """float32 C: the mean of the expressions' similarities, with words counted where `spatial`.

    Args:
        size: (h, w) of the picture.
    """
    if not len(referent.candidates):
        return np.zeros(0, np.float32)
    scores = referent.similarity.mean(0)  # E×C → C
    if not spatial:
        return scores
    words = [NOUNS.read(text) for text in referent.expressions]
    return guide(scores, words, referent.candidates.boxes, *size)[0]


def choice_of(referent: PseudoObject, size: tuple[int, int], spatial: bool) -> int:
    """Index of the candidate of the highest score, -1 where there is none."""
    scores = scores_of(referent, size, spatial)
    return int(scores.argmax()) if len(scores) else -1
