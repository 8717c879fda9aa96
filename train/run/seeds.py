"""Recipes beside each other over several seeds: how far each goes of the way to true masks.

python -m train seeds --data refsprites:train:2000:32000 --out runs/seeds --processes 2 \\
    --epochs 1 --test refsprites:testA:108 refsprites:testB:108 refsprites:hard:108
python -m train seeds --data refer:data/refcoco:unc:train --out runs/refcoco --model-set paper \\
    --processes 4 --test refer:data/refcoco:unc:testA refer:data/refcoco:unc:testB

For each seed a `train.run` of every recipe, and one on the true masks, as long as the longest: all
from the same checkpoint, on the same pictures. Then one `train.evaluate` of all of them, and their
mean and spread. A killed run goes on where it stopped. Other options are those of `train.run` and
`train.fit`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssc.errors import InputError
from train.evaluate.tables import write_json
from train.run import __main__ as run
from train.run.steps import RECIPES, START, Step, complete

UPPER = "supervised"  # the recipe that the others are measured against
MEASURES = ("mIoU", "oIoU", "choice accuracy")


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """All trainings, their evaluation, and what comes of it.

    Returns:
        "command"; "evaluated", the command of the evaluation; "splits": test set → "fixed" (title →
        measures), "recipes" (recipe → measure → a value per seed) and "gap closed" (recipe → a
        value per seed).

    Raises:
        InputError: bad data or options.
    """
    runs = {
        (recipe, seed): _parse(args, recipe, seed) for seed in args.seeds for recipe in args.recipes
    }
    for (recipe, seed), one in runs.items():
        print(f"\n{recipe}, seed {seed}", flush=True)
        one.measured = []  # all of them are evaluated together
        run.run(one)
    first = next(iter(runs.values()))
    table = args.out / "evaluation.json"
    options = ["--models", first.model_set, "--data", *args.test]
    options += ["--rows", "random", "oracle", "s+s", "spatial", "--checkpoint"]
    options += [f"{START}={first.init}"] if first.init else []
    options += [f"{title(*key)}={one.out / 'checkpoint'}" for key, one in runs.items()]
    options += ["--json", str(table)]
    step = Step("evaluate", "train.evaluate", options, table)
    if not complete(step):
        step.run()
    evaluation = json.loads(table.read_text())
    groups = {name: split["all"]["rows"] for name, split in evaluation["splits"].items()}
    return {
        "command": shlex.join(["python", "-m", "train", "seeds", *args.argv]),
        "evaluated": evaluation["command"],
        "splits": {name: summary(rows, args.recipes, args.seeds) for name, rows in groups.items()},
    }


def title(recipe: str, seed: int) -> str:
    """The evaluation's row of a run."""
    return f"{recipe}, seed {seed}"


def summary(
    rows: Mapping[str, Mapping[str, Any]], recipes: Sequence[str], seeds: Sequence[int]
) -> dict[str, Any]:
    """Of one test set: the rows without training, each recipe's measures and shares of the gap."""
    own = {recipe: [rows[title(recipe, seed)] for seed in seeds] for recipe in recipes}
    trained = {title(recipe, seed) for recipe in recipes for seed in seeds}
    low = rows["S+S"]["mIoU"]
    return {
        "fixed": {name: _measures(row) for name, row in rows.items() if name not in trained},
        "recipes": {
            recipe: {measure: [row[measure] for row in of_seeds] for measure in MEASURES}
            for recipe, of_seeds in own.items()
        },
        "gap closed": {
            recipe: [
                _share(low, row["mIoU"], upper["mIoU"]) for row, upper in zip(of_seeds, own[UPPER])
            ]
            for recipe, of_seeds in own.items()
            if recipe != UPPER and UPPER in own
        },
    }


def _share(low: float, reached: float, high: float) -> float | None:
    """Of the way from `low` to `high`; None where there is none."""
    return None if high == low else (reached - low) / (high - low)


def _measures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {measure: row[measure] for measure in MEASURES}


def markdown(report: Mapping[str, Any]) -> str:
    """Mean ± standard deviation over the seeds, in per cent."""
    lines = [f"| test set | | {' | '.join(MEASURES)} | gap closed |", "|---" * 6 + "|"]
    for name, split in report["splits"].items():
        for row, measures in split["fixed"].items():
            cells = [_cell([value]) for value in measures.values()]
            lines.append(f"| {name} | {row} | {' | '.join(cells)} | |")
        for recipe, measures in split["recipes"].items():
            cells = [_cell(values) for values in measures.values()]
            cells.append(_cell(split["gap closed"].get(recipe, [])))
            lines.append(f"| {name} | {recipe} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: Sequence[float | None]) -> str:
    known = [100 * value for value in values if value is not None]
    if len(known) < 2:
        return f"{known[0]:.1f}" if known else ""
    return f"{statistics.mean(known):.1f} ± {statistics.stdev(known):.1f}"


def _parse(args: argparse.Namespace, recipe: str, seed: int) -> argparse.Namespace:
    """The `train.run` of a recipe and a seed."""
    own = ["--recipe", recipe, "--seed", str(seed), "--out", str(args.out / f"{recipe}-{seed}")]
    return run.parse(["--data", args.data, "--shared", str(args.out), *own, *args.more])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train seeds", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--data", required=True, help="to train on; with true masks for the upper bound")
    add("--out", type=Path, required=True, help="folder of everything that is made")
    add("--test", nargs="+", required=True, help="data with true masks to measure on")
    add("--recipes", nargs="+", choices=tuple(RECIPES), default=["paper", "best", UPPER])
    # Far from each other, as the second training of a kind takes the seed after its run's.
    add("--seeds", nargs="+", type=int, default=[0, 10, 20])
    add("--json", type=Path, help="also write the report here")
    args, args.more = parser.parse_known_args(argv)
    args.argv = sys.argv[1:] if argv is None else list(argv)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    try:
        report = compare(args)
    except (InputError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"\n{markdown(report)}")
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
