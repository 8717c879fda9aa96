"""Recomputes the tables on RefSprites: Random, Oracle and S+S, by split and kind of expression.

python -m train.evaluate                                  # prints Markdown
python -m train.evaluate --scenes 130 --json assets/mini/results.json
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.metrics import Scores, chosen_instance, pairwise_iou

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from ssc.types import Result
    from train.scenes import Scene

SPLITS = ("testA", "testB", "hard")
KINDS = ("attribute", "position", "relation", "mixed")
ROWS = ("Random", "S+S", "Oracle")
NOUNS = Path(__file__).resolve().parents[1] / "tests" / "data" / "everyday_nouns.json"
FOUND_IOU = 0.5


class Group:
    """What is counted over a group of expressions."""

    def __init__(self) -> None:
        self.scores = {row: Scores() for row in ROWS}
        self.right: dict[str, list[bool]] = {row: [] for row in ROWS}
        self.found: list[bool] = []
        self.chance: list[float] = []  # of those found
        self.right_of_found: list[bool] = []

    def add(self, result: Result, scene: Scene, target: int, rng: np.random.Generator) -> None:
        """Counts one expression: its result against instance `target` of the scene."""
        masks, instances = result.candidates.masks, scene.masks
        truth = instances[target]
        overlaps = pairwise_iou(masks, truth[None])[:, 0]  # N
        nothing = np.zeros_like(truth)
        picks = {
            "Random": masks[rng.integers(len(masks))] if len(masks) else nothing,
            "S+S": result.mask,
            "Oracle": masks[overlaps.argmax()] if len(masks) else nothing,
        }
        for row, mask in picks.items():
            self.scores[row].add(mask, truth)
            self.right[row].append(chosen_instance(mask, instances) == target)
        self.found.append(bool((overlaps >= FOUND_IOU).any()))
        if self.found[-1]:
            self.right_of_found.append(self.right["S+S"][-1])
            self.chance.append(1 / len(masks))

    def summary(self) -> dict[str, Any]:
        rows = {
            row: {**scores.summary(), "choice accuracy": _mean(self.right[row])}
            for row, scores in self.scores.items()
        }
        found = {
            "share": _mean(self.found),
            "S+S choice accuracy": _mean(self.right_of_found),
            "chance": _mean(self.chance),
        }
        return {"rows": rows, "right candidate found": found}


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else float("nan")


def evaluate(pipeline: Pipeline, split: str, scenes: int, seed: int) -> dict[str, Any]:
    """Runs the pipeline on `scenes` scenes, each expression as an object of its own.

    Returns:
        "all" and each kind of expression → rows of measures (`Group.summary`).
    """
    from tqdm import trange

    from train.scenes import render

    groups = {kind: Group() for kind in ("all", *KINDS)}
    rng = np.random.default_rng([seed, 1])
    for index in trange(scenes, desc=split, unit="scene", mininterval=2):
        scene = render(split, index, seed)
        asked = [(k, e) for k, expressions in scene.referred.items() for e in expressions]
        results = pipeline(scene.image, [expression.text for _, expression in asked])
        for (target, expression), result in zip(asked, results):
            for group in ("all", expression.kind):
                groups[group].add(result, scene, target, rng)
    return {name: group.summary() for name, group in groups.items()}


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
                if name != "all" and row != "S+S":
                    continue
                names = ("oIoU", "mIoU", "P@0.5", "P@0.7", "P@0.9", "choice accuracy")
                cells = " | ".join(f"{100 * measures[key]:.1f}" for key in names)
                lines.append(f"| {split} | {name} ({measures['samples']}) | {row} | {cells} |")
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
    parser.add_argument("--json", type=Path, help="also write the report here")
    args = parser.parse_args()

    import ssc
    from train.mini.detector import measure

    pipeline = ssc.load(args.models)
    network = pipeline.segment.detector.network
    report = {
        "command": f"python -m train.evaluate --models {args.models} --scenes {args.scenes} "
        f"--seed {args.seed} --splits {' '.join(args.splits)}",
        "splits": {s: evaluate(pipeline, s, args.scenes, args.seed) for s in args.splits},
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
