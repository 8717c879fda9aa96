"""What the pipeline answers wrongly with words counted, and why: a list to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.metrics import mask_box, pairwise_box_iou, pairwise_iou
from train.evaluate.methods import FOUND_IOU, heeding
from train.markdown import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from ssc.result import Result
    from train.data import Referred
    from train.evaluate.methods import Question

CAUSES = {
    "choice": "the right candidate is there, another is chosen",
    "mask": "its box is there, its mask is not",
    "box": "no candidate of its classes is there",
    "class": "other classes are looked for, or none",
}
"""Why an answer is wrong, by the first stage that went right."""


def misses(pipeline: Pipeline, question: Question) -> list[dict[str, Any]]:
    """Expressions whose answer has an IoU below 0.5 with the truth, by mask or else by box.

    Returns:
        Of each the picture, the expression, "iou", "cause" (a key of `CAUSES`), and "chosen": the
        class, score and box of the answer, in words.
    """
    rows = []
    for number, result in enumerate(heeding(pipeline, question)):
        referent = question.referent(number)
        if referent.mask is None and referent.box is None:
            continue
        iou = float(_overlaps(result.mask[None], referent)[0])
        if iou < FOUND_IOU:
            rows.append(
                {
                    "picture": question.picture.name,
                    "expression": question.texts[number],
                    "iou": round(iou, 3),
                    "cause": _cause(result, question, referent),
                    "chosen": _chosen(result),
                }
            )
    return rows


def markdown(splits: Mapping[str, Sequence[Mapping[str, Any]]], counts: Mapping[str, int]) -> str:
    """The lists of `misses` by data set, each with its counts by cause.

    Args:
        counts: how many expressions were asked of each data set.
    """
    parts = []
    for name, rows in splits.items():
        total = counts[name]
        causes = Counter(row["cause"] for row in rows)
        lines = [f"{name}: {total - len(rows)} of {total} right with words counted."]
        lines += [f"- {causes[cause]} × {cause}: {CAUSES[cause]}." for cause in CAUSES]
        each = (
            [row["picture"], row["expression"], f"{row['iou']:.2f}", row["cause"], row["chosen"]]
            for row in rows
        )
        lines += ["", table(["picture", "expression", "IoU", "cause", "chosen"], each)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _overlaps(masks: NDArray[np.bool_], referent: Referred) -> NDArray[np.float64]:
    """IoU of each of N masks with the truth; of their boxes where only its box is known."""
    if referent.mask is not None:
        return pairwise_iou(masks, referent.mask[None])[:, 0]
    assert referent.box is not None
    boxes = np.array([mask_box(mask) for mask in masks], np.float32).reshape(-1, 4)
    return pairwise_box_iou(boxes, referent.box[None])[:, 0]


def _cause(result: Result, question: Question, referent: Referred) -> str:
    candidates = result.candidates
    if (_overlaps(candidates.masks, referent) >= FOUND_IOU).any():
        return "choice"
    box = referent.box
    if referent.mask is not None:
        box = mask_box(referent.mask)
    assert box is not None
    if (pairwise_box_iou(candidates.boxes, box[None]) >= FOUND_IOU).any():
        return "mask"
    names, instances = question.picture.names, question.picture.instances
    if names and instances is not None and referent.mask is not None:
        own = names[int(pairwise_iou(instances, referent.mask[None])[:, 0].argmax())]
        looked_for = {name for match in result.matches for name in (match.name, *match.others)}
        return "box" if own in looked_for else "class"
    return "box"


def _chosen(result: Result) -> str:
    index, candidates = result.answer.index, result.candidates
    if index < 0:
        return f"nothing ({' or '.join(result.classes)}: {len(candidates)} candidates)"
    height, width = candidates.masks.shape[1:]
    x0, y0, x1, y1 = candidates.boxes[index] / np.array([width, height] * 2)
    return (
        f"{index + 1} of {len(candidates)}: {candidates.labels[index]} "
        f"{candidates.scores[index]:.2f} at {x0:.2f} {y0:.2f} {x1:.2f} {y1:.2f}"
    )
