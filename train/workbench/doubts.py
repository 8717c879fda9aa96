"""How sure an answer of result.json is, for a table that has the doubts first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssc.sure import LIKELY, NOT_SURE, SURE
from ssc.types import softmax

RANKS = {None: 0, NOT_SURE: 1, LIKELY: 2, SURE: 3}  # None: nothing is found


def rows_of(stem: str, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each object of a picture.

    Args:
        records: of its result.json; see `ssc.export`.

    Returns:
        "stem", "picture", "object", "expressions", "message", "sure"; "rank" and "lead", by which
        rows are sorted: how sure, then the lead of the best candidate on the next, in shares of
        the softmax of stage 2's scores.
    """
    return [
        {
            "stem": stem,
            "picture": record["image"],
            "object": number,
            "expressions": record["expressions"],
            "message": record["message"],
            "sure": record["sure"],
            "rank": RANKS[record["sure"]],
            "lead": _lead(record["candidates"]),
        }
        for number, record in enumerate(records)
    ]


def _lead(candidates: Sequence[dict[str, Any]]) -> float:
    given = [one["guided_score"] if one["guided_score"] is not None else one["clip_score"]
             for one in candidates]  # fmt: skip
    if not given or None in given:
        return 0.0
    best, second, *_ = [*np.sort(softmax(np.array(given, np.float32)))[::-1], 0.0]
    return float(best - second)
