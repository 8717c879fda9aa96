"""Counts a table's measures: each expression's mask against its truth, by kind of expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.metrics import (
    GeneralizedScores,
    Scores,
    chosen_instance,
    mask_box,
    mask_iou,
    pairwise_box_iou,
    pairwise_iou,
)
from ssc.sure import LIKELY, NOT_SURE, SURE
from train.data.usable import LeftOut
from train.evaluate.methods import FOUND_IOU, Question, Row, ask, mask_of
from train.evaluate.misses import misses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from train.data import Dataset

KINDS = ("attribute", "position", "relation", "mixed")


class Group:
    """Counts over a group of expressions.

    An expression counts in the measures that its truth allows: mask measures with a true mask,
    "choice accuracy" if also all other objects have one, "box P@0.5" with a box alone.
    """

    def __init__(self) -> None:
        self.scores: dict[str, Scores] = {}
        self.general: dict[str, GeneralizedScores] = {}
        self.right: dict[str, list[bool]] = {}
        self.boxes: dict[str, list[bool]] = {}
        self.covered: list[bool] = []
        self.chance: list[float] = []  # of those found
        self.right_of_found: list[bool] = []
        self.sure: dict[str, dict[str | None, list[bool]]] = {}

    def add(self, masks: Mapping[str, NDArray[np.bool_]], question: Question, number: int) -> None:
        """Counts expression `number` of a picture: each row's mask against the truth."""
        referent, instances = question.referent(number), question.picture.instances
        for row, mask in masks.items():
            scores = self.scores.setdefault(row, Scores())
            if referent.mask is not None:
                scores.add(mask, referent.mask)
                self.general.setdefault(row, GeneralizedScores()).add(mask, referent.mask)
            elif referent.box is not None:
                overlap = pairwise_box_iou(mask_box(mask)[None], referent.box[None])[0, 0]
                self.boxes.setdefault(row, []).append(bool(overlap >= FOUND_IOU))
        if referent.mask is None:
            return
        result = question.results[number]
        overlaps = pairwise_iou(result.candidates.masks, referent.mask[None])
        self.covered.append(bool((overlaps >= FOUND_IOU).any()))
        if self.covered[-1]:
            self.chance.append(1 / len(result.candidates))
        for row, words in question.sure.items():
            called = self.sure.setdefault(row, {}).setdefault(words[number], [])
            called.append(mask_iou(masks[row], referent.mask) >= FOUND_IOU)
        if instances is None or not len(instances):
            return
        same = pairwise_iou(instances, referent.mask[None])[:, 0]
        if same.max() < FOUND_IOU:  # several things at once, or none
            return
        target = int(same.argmax())
        for row, mask in masks.items():
            right = chosen_instance(mask, instances) == target
            self.right.setdefault(row, []).append(right)
        if self.covered[-1]:
            self.right_of_found.append(
                chosen_instance(mask_of(result.selected), instances) == target
            )

    def summary(self) -> dict[str, Any]:
        """Measures by row; None for a measure without samples."""
        rows: dict[str, dict[str, float | None]] = {}
        for row, scores in self.scores.items():
            measures = scores.summary()
            if row in self.general:
                measures |= self.general[row].summary()
            measures = {**measures, "choice accuracy": mean(self.right.get(row, []))}
            if row in self.boxes:
                measures |= {"box P@0.5": mean(self.boxes[row]), "boxes": len(self.boxes[row])}
            rows[row] = {key: None if np.isnan(v) else v for key, v in measures.items()}
        segment = {
            "share": mean(self.covered),
            "S+S choice accuracy": mean(self.right_of_found),
            "chance": mean(self.chance),
        }
        shares = {key: None if np.isnan(v) else v for key, v in segment.items()}
        summary = {"rows": rows, "right candidate found": shares}
        if self.sure:
            summary["sure"] = {row: _called(own) for row, own in self.sure.items()}
        return summary


def _called(answers: Mapping[str | None, Sequence[bool]]) -> dict[str, dict[str, float]]:
    """How sure answers are called → the share of those, and how many of them are right."""
    total = sum(map(len, answers.values()))
    return {
        word: {"share": len(answers[word]) / total, "right": mean(answers[word])}
        for word in (SURE, LIKELY, NOT_SURE)
        if answers.get(word)
    }


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else float("nan")


def evaluate(
    pipeline: Pipeline,
    rows: Sequence[Row],
    data: Dataset,
    pictures: int | None = None,
    seed: int = 0,
    left_out: LeftOut | None = None,
    wrong: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Runs the pipeline and the rows on a data set, each expression as an object of its own.

    Args:
        rows: with different titles.
        pictures: how many, from the first on; None for all.
        seed: for rows that draw at random.
        left_out: counts the pictures that cannot be used; by default up to a tenth may be.
        wrong: is filled with what `train.evaluate.misses` finds.

    Returns:
        "all" and each kind of expression → rows of measures (`Group.summary`).

    Raises:
        InputError: the data set has neither masks nor boxes.
        TooManyLeftOut: more pictures cannot be used than may be left out.
    """
    from tqdm import trange

    groups = {"all": Group()}
    counted = 0
    count = len(data) if pictures is None else min(pictures, len(data))
    left_out = LeftOut(data.name, count) if left_out is None else left_out

    def answer(index: int) -> tuple[Question, dict[str, list[NDArray[np.bool_]]]]:
        question = ask(pipeline, data[index], seed)
        return question, {row.title: row.masks(question) for row in rows}

    for index in trange(count, desc=data.name, unit="picture", mininterval=2):
        answered = left_out.tried(lambda: data.picture_name(index), lambda: answer(index))  # noqa: B023
        if answered is None:
            continue
        question, answers = answered
        if wrong is not None:
            wrong += misses(pipeline, question)
        kinds = [kind for referent in question.picture.objects for kind in _kinds(referent)]
        for number, kind in enumerate(kinds):
            referent = question.referent(number)
            if referent.mask is None and referent.box is None:
                continue
            counted += 1
            masks = {title: own[number] for title, own in answers.items()}
            for group in ("all", kind) if kind else ("all",):
                groups.setdefault(group, Group()).add(masks, question, number)
    left_out.say()
    if not counted:
        raise InputError(
            f"{data.name}: expected masks or boxes to measure with, found neither in {count} "
            "pictures"
        )
    order = [kind for kind in ("all", *KINDS) if kind in groups]
    return {kind: groups[kind].summary() for kind in dict.fromkeys((*order, *groups))}


def _kinds(referent: Any) -> Sequence[str]:
    return referent.kinds or ("",) * len(referent.expressions)
