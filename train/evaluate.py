"""Recomputes the tables on RefSprites, by split and kind of expression.

python -m train.evaluate                                  # prints Markdown
python -m train.evaluate --scenes 108 --json assets/mini/results.json \\
    --checkpoint ZSBootstrap=runs/mini/lavt-bootstrap supervised=runs/mini/lavt-supervised

Rows: Random (a candidate drawn at random), S+S, S+S matched (the objects of a picture choose
together, without training), S+S+C, S+S+C snapped (the candidate nearest to it), one for each
`--checkpoint` of stage 3, Oracle (the best candidate).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.metrics import Scores, chosen_instance, pairwise_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct import Correct
    from ssc.pipeline import Pipeline
    from ssc.types import Result
    from train.scenes import Scene

SPLITS = ("testA", "testB", "hard")
KINDS = ("attribute", "position", "relation", "mixed")
NOUNS = Path(__file__).resolve().parents[1] / "tests" / "data" / "everyday_nouns.json"
FOUND_IOU = 0.5


class Group:
    """What is counted over a group of expressions."""

    def __init__(self) -> None:
        self.scores: dict[str, Scores] = {}
        self.right: dict[str, list[bool]] = {}
        self.found: list[bool] = []
        self.chance: list[float] = []  # of those found
        self.right_of_found: dict[str, list[bool]] = {}

    def add(
        self, masks: Mapping[str, NDArray[np.bool_]], result: Result, scene: Scene, target: int
    ) -> None:
        """Counts one expression: each row's mask against instance `target` of the scene."""
        instances = scene.masks
        truth, candidates = instances[target], result.candidates.masks
        found = bool((pairwise_iou(candidates, truth[None]) >= FOUND_IOU).any())
        self.found.append(found)
        if found:
            self.chance.append(1 / len(candidates))
        for row, mask in masks.items():
            self.scores.setdefault(row, Scores()).add(mask, truth)
            right = chosen_instance(mask, instances) == target
            self.right.setdefault(row, []).append(right)
            if found:
                self.right_of_found.setdefault(row, []).append(right)

    def summary(self) -> dict[str, Any]:
        rows = {
            row: {**scores.summary(), "choice accuracy": _mean(self.right[row])}
            for row, scores in self.scores.items()
        }
        found = {
            "share": _mean(self.found),
            "S+S choice accuracy": _mean(self.right_of_found.get("S+S", [])),
            "chance": _mean(self.chance),
        }
        return {"rows": rows, "right candidate found": found}


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else float("nan")


def evaluate(
    pipeline: Pipeline,
    checkpoints: Mapping[str, Correct],
    split: str,
    scenes: int,
    seed: int,
) -> dict[str, Any]:
    """Runs the pipeline on `scenes` scenes, each expression as an object of its own.

    Args:
        checkpoints: further rows by name: other weights of stage 3.

    Returns:
        "all" and each kind of expression → rows of measures (`Group.summary`).
    """
    from tqdm import trange

    from ssc.select import Select
    from train.scenes import render

    groups = {kind: Group() for kind in ("all", *KINDS)}
    rng = np.random.default_rng([seed, 1])
    matched = Select(pipeline.select.clip, rule="matching")
    for index in trange(scenes, desc=split, unit="scene", mininterval=2):
        scene = render(split, index, seed)
        asked = [(k, e) for k, expressions in scene.referred.items() for e in expressions]
        results = pipeline(scene.image, [expression.text for _, expression in asked])
        together = _matched(matched, scene, results)
        corrected = {name: correct(scene.image, results) for name, correct in checkpoints.items()}
        for number, ((target, expression), result) in enumerate(zip(asked, results)):
            masks = _stages_1_and_2(result, together[number], scene.masks[target], rng)
            if result.correction:
                masks["S+S+C"] = result.correction.mask
                masks["S+S+C snapped"] = _snapped(result)
            for name, row in corrected.items():
                correction = row[number].correction
                assert correction is not None
                masks[name] = correction.mask
            for group in ("all", expression.kind):
                groups[group].add(masks, result, scene, target)
    return {name: group.summary() for name, group in groups.items()}


def _matched(matched: Any, scene: Scene, results: list[Result]) -> list[Result]:
    """Stage 2 again, the first expressions of all objects together, then the second ones, …"""
    each = [len(expressions) for expressions in scene.referred.values()]
    starts = np.cumsum([0, *each])[:-1]
    done: dict[int, Result] = {}
    for turn in range(max(each)):
        numbers = [int(start) + turn for start, n in zip(starts, each) if turn < n]
        done.update(zip(numbers, matched(scene.image, [results[n] for n in numbers])))
    return [done[n] for n in range(len(results))]


def _stages_1_and_2(
    result: Result, together: Result, truth: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, NDArray[np.bool_]]:
    masks = result.candidates.masks
    nothing = np.zeros_like(truth)
    overlaps = pairwise_iou(masks, truth[None])[:, 0]  # N
    return {
        "Random": masks[rng.integers(len(masks))] if len(masks) else nothing,
        "Oracle": masks[overlaps.argmax()] if len(masks) else nothing,
        "S+S": result.mask,
        "S+S matched": together.mask,
    }


def _snapped(result: Result) -> NDArray[np.bool_]:
    """The candidate that agrees best with the corrected mask; that mask where none does."""
    correction = result.correction
    assert correction is not None
    snapped = correction.snapped
    return correction.mask if snapped < 0 else result.candidates.masks[snapped]


def gap_closed(rows: Mapping[str, Any]) -> float | None:
    """Share of the way from S+S to the supervised model that S+S+C goes, in mIoU."""
    if not {"S+S", "S+S+C", "supervised"} <= rows.keys():
        return None
    low, reached, high = (rows[name]["mIoU"] for name in ("S+S", "S+S+C", "supervised"))
    return (reached - low) / (high - low)


def project_nouns(pipeline: Pipeline) -> dict[str, Any]:
    """Class projection on the list of everyday nouns that was written before CLIP was trained."""
    from train.lexicon import LEXICON

    nouns = json.loads(NOUNS.read_text())
    trained = {word for words in LEXICON.values() for word in words}
    matches = pipeline.segment.classes(list(nouns))
    right = [match.name == nouns[match.noun] for match in matches]
    unseen = [ok for ok, noun in zip(right, nouns) if noun not in trained]
    return {
        "nouns": len(nouns),
        "right": _mean(right),
        "not among the training synonyms": len(unseen),
        "of these right": _mean(unseen),
        "wrong": {m.noun: m.name for m, ok in zip(matches, right) if not ok},
    }


def markdown(report: dict[str, Any]) -> str:
    """The report's tables."""
    lines = ["| split | expressions | | oIoU | mIoU | P@0.5 | P@0.7 | P@0.9 | choice accuracy |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for split, groups in report["splits"].items():
        for name, group in groups.items():
            for row, measures in group["rows"].items():
                if name != "all" and row not in ("S+S", "S+S+C"):
                    continue
                names = ("oIoU", "mIoU", "P@0.5", "P@0.7", "P@0.9", "choice accuracy")
                cells = " | ".join(f"{100 * measures[key]:.1f}" for key in names)
                lines.append(f"| {split} | {name} ({measures['samples']}) | {row} | {cells} |")
    for split, groups in report["splits"].items():
        share = gap_closed(groups["all"]["rows"])
        if share is not None:
            lines += ["", f"{split}: S+S+C closes {100 * share:.0f} % of the gap to supervised."]
    lines += ["", "| split | box AP50 | mask IoU in true boxes |", "|---|---|---|"]
    for split, figures in report["detector"].items():
        lines.append(f"| {split} | " + " | ".join(f"{v:.3f}" for v in figures.values()) + " |")
    lines += ["", "| split | expressions | right candidate found | S+S choice of these | chance |"]
    lines.append("|---|---|---|---|---|")
    for split, groups in report["splits"].items():
        for name, group in groups.items():
            cells = " | ".join(f"{100 * v:.1f}" for v in group["right candidate found"].values())
            lines.append(f"| {split} | {name} | {cells} |")
    nouns = report["nouns"]
    lines.append("")
    lines.append(f"Class projection: {100 * nouns['right']:.1f} % of {nouns['nouns']} nouns.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--models", default="mini", help="model set")
    parser.add_argument("--splits", nargs="+", choices=("val", *SPLITS), default=SPLITS)
    parser.add_argument(
        "--scenes", type=int, default=130, help="per split; about 5.6 expressions each"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="further rows: checkpoints of stage 3",
    )
    parser.add_argument("--json", type=Path, help="also write the report here")
    args = parser.parse_args()

    import ssc
    from ssc.correct import Correct
    from ssc.correct.predict import Corrector
    from train.mini.detector import measure

    pipeline = ssc.load(args.models)
    network = pipeline.segment.detector.network
    folders = dict(pair.split("=", 1) for pair in args.checkpoint)
    checkpoints = {name: Correct(Corrector.load(folder)) for name, folder in folders.items()}
    report = {
        "command": shlex.join(["python", "-m", "train.evaluate", *sys.argv[1:]]),
        "splits": {
            split: evaluate(pipeline, checkpoints, split, args.scenes, args.seed)
            for split in args.splits
        },
        "detector": {s: measure(network, s, args.scenes, args.seed) for s in args.splits},
        "nouns": project_nouns(pipeline),
    }
    print(markdown(report))
    if args.json:
        temporary = args.json.with_suffix(".tmp")
        temporary.write_text(json.dumps(report, indent=1) + "\n")
        os.replace(temporary, args.json)


if __name__ == "__main__":
    main()
