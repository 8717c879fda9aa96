"""How well sentences are grouped where true boxes are known and words alone can tell.

As in `train.evaluate.words`, the pipeline is the project's own with a detector that knows the
truth, and blank pixels; the truth of a pair is whether both sentences' boxes are one object.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.pipeline import Pipeline
from train.data.group import group, pairs
from train.evaluate.words import SIDE, Row, Square, Truth, knowing_boxes, read_lists
from train.markdown import table

if TYPE_CHECKING:
    from ssc.result import Result


def measure(
    pipeline: Pipeline, sources: Sequence[str], limit: int | None = None
) -> dict[str, dict[str, float]]:
    """Pairwise figures of each list.

    Args:
        pipeline: lends its reader of words and its classes.
        sources: as of `train.evaluate.words.measure`.
        limit: pictures of each list, from the first on; None for all.

    Returns:
        List → "pictures", "sentences", and percent of pairs: "precision" of those joined, "recall"
        of those of one object, and "chance", the precision of joining all.
    """
    lists, squares = read_lists(pipeline, sources)
    reading, truth = knowing_boxes(pipeline)
    return {name: _figures(reading, truth, squares, rows, limit) for name, rows in lists.items()}


def _figures(
    pipeline: Pipeline,
    truth: Truth,
    squares: dict[str, list[Square]],
    rows: Sequence[Row],
    limit: int | None,
) -> dict[str, float]:
    from tqdm import tqdm

    pictures: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        pictures[row.picture].append(row)
    chosen = list(pictures.items())[:limit]
    rng = np.random.default_rng(0)
    counts: Counter[str] = Counter()
    for picture, own in tqdm(chosen, unit="picture", mininterval=2):
        image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        truth.show(squares[picture], "")
        results: list[Result] = []
        for row in own:
            results += pipeline(image, [row.expression])
        numbers = [row.number for row in own]
        right, joined, same = pairs(group(results), numbers)
        every = len(own) * (len(own) - 1) // 2
        counts.update(right=right, joined=joined, same=same, all=every, sentences=len(own))
    return {
        "pictures": len(chosen),
        "sentences": counts["sentences"],
        "precision": 100 * counts["right"] / max(counts["joined"], 1),
        "recall": 100 * counts["right"] / max(counts["same"], 1),
        "chance": 100 * counts["same"] / max(counts["all"], 1),
    }


def markdown(report: dict[str, dict[str, float]]) -> str:
    """The figures as a table."""
    names = ("pictures", "sentences", "precision", "recall", "chance")
    rows = (
        [name, *(f"{figures[n]:.{0 if n in names[:2] else 1}f}" for n in names)]
        for name, figures in report.items()
    )
    return table(["list", *names], rows)
