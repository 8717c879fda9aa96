"""Scores without CLIP: what the words say of colour, and how sure the detector is.

Places, sizes and relations are `ssc.select.spatial`'s, which counts them beside any scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.select.colour import colour_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.result import Result

COLOUR = 0.3
"""Weight of the share of pixels in a colour that is named; set by hand, not measured."""
SURE = 0.05
"""Weight of the detector's score: it decides where words do not; set by hand likewise."""


def score_words(
    image: NDArray[np.uint8], result: Result
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The scores of an object's candidates by words alone, and what of them is colour.

    Args:
        image: RGB uint8 H×W×3.
        result: stage 1 of the object.

    Returns:
        float32 N in [0, 1]; and float32 N, the share of each in the colour that is named, the mean
        over the expressions; None where none is.
    """
    candidates = result.candidates
    scores = SURE * candidates.scores
    people = np.array([label == "person" for label in candidates.labels], np.bool_)
    # The colours of other objects are not its own.
    texts = [reading.looks for reading in result.words] or list(result.expressions)
    colours = [colour_shares(text, image, candidates.masks, people) for text in texts]
    shares_of = [shares for shares in colours if shares is not None]
    if not shares_of:
        return scores.astype(np.float32), None
    colour = np.sum(shares_of, axis=0) / len(texts)
    return (scores + COLOUR * colour).astype(np.float32), colour.astype(np.float32)
