"""From scores to choices: the zero-shot rule (paper §3.2, eq. 1), and matching (§4.3)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ssc.cache import content_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.result import Result


def argmax_choice(
    scores: Sequence[NDArray[np.float32]], keys: Sequence[Sequence[Hashable]]
) -> list[int]:
    """Each object's candidate of highest score, whatever the other objects choose.

    Args:
        scores: float32 N of each object.
        keys: not used; as in `matching_choice`.

    Returns:
        Index of the highest score of each, the first of equals; -1 where N is 0.
    """
    return [int(np.argmax(row)) if len(row) else -1 for row in scores]


def matching_choice(
    scores: Sequence[NDArray[np.float32]], keys: Sequence[Sequence[Hashable]]
) -> list[int]:
    """Objects of one image choose together under the constraints of Algorithm 1.

    The paper's "On Correcting Mistakes at Stage 2" (§4.3): greedy matching with the CLIP score in
    place of the soft IoU. No candidate goes to two objects, and an object goes without only
    where all of its candidates went to others.

    Args:
        scores: float32 N of each object.
        keys: N of each object, equal for what is the same candidate of two objects.

    Returns:
        Index of each object's candidate among its own, -1 where it gets none.
    """
    import torch

    from ssc.correct.matching import greedy_match

    column = {key: c for c, key in enumerate(dict.fromkeys(key for row in keys for key in row))}
    table = torch.full((len(scores), len(column)), -torch.inf)  # J×C
    for j, (row, own) in enumerate(zip(scores, keys)):
        table[j, [column[key] for key in own]] = torch.from_numpy(row)
    matched = greedy_match(table).tolist() if column else [-1] * len(scores)
    places = [{column[key]: i for i, key in enumerate(own)} for own in keys]
    return [place.get(c, -1) for place, c in zip(places, matched)]


def match_joint(results: Sequence[Result]) -> list[Result]:
    """The results of one image after stage 3, with `joint` by matching: a candidate for one object.

    Candidates of equal masks are one. Not in the paper, whose test is of stage 2 alone.
    """
    none = np.zeros(0, np.float32)
    scores = [none if r.joint_scores is None else r.joint_scores for r in results]
    keys = [[content_key(mask) for mask in r.candidates.masks] for r in results]
    chosen = matching_choice(scores, keys)
    return [replace(result, joint_index=index) for result, index in zip(results, chosen)]


RULES = {"argmax": argmax_choice, "matching": matching_choice}
"""Name → function of every object's scores and candidate keys → every object's choice.

- argmax: the best score, each object for itself (the paper's S+S).
- matching: no two objects share a candidate (the paper's test of correcting at stage 2); after
  stage 3 this holds of the joint answer too, by `match_joint`.
"""
