"""What reviews are worth to training: mIoU of stage 3 with a share of the objects reviewed.

python -m train reviewed                        # the study's world: 0, 5, 10 and 25 %
python -m train reviewed --shares 0 0.1 --orders doubtful --seeds 0 --plot out/reviewed.png

A reviewer who knows the true masks decides the most doubtful objects, or as many at random
(`train review --simulate --decide`). Each seed has one bootstrap on S2 with words counted, that of
`train study` where it is in `--out`. From there each share trains as the study's best recipe does,
by matching with a prior for S2, with those decisions, for `--steps` updates. A killed run goes on
where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from ssc.entry import command
from ssc.writing import make_folder, make_place, written
from train.evaluate.tables import write_json
from train.markdown import percent, table
from train.run.steps import Step
from train.run.study import add_world, complete_world, looking, step_of, work
from train.run.study_trainings import TRAININGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STORE, START, LAST = "spatial", "best-start", "best"  # of the study
ORDERS = {"doubtful": "#0072b2", "random": "#d55e00"}
"""Name → colour in the plot."""


def titles(args: argparse.Namespace) -> dict[str, tuple[float, str]]:
    """Row → share and order; nothing reviewed is one row."""
    rows = {}
    for share in args.shares:
        for order in args.orders if share else args.orders[:1]:
            rows[f"{100 * share:g} % {order}" if share else "0 %"] = share, order
    return rows


def reviewing(args: argparse.Namespace, seed: int, share: float, order: str) -> Step:
    """The decisions of a share; those in order of doubt are the same for every seed."""
    seed = seed if order == "random" else 0
    file = args.out / "reviews" / f"{order}-{share:g}-{seed}.jsonl"
    options = [str(args.out / STORE), "--data", args.data, "--simulate", "--decide", f"{share:g}"]
    options += ["--order", order, "--seed", str(seed), "--out", str(file)]
    return Step(f"{100 * share:g} % reviewed, {order}", "train.review", options, file)


def steps(args: argparse.Namespace, seed: int) -> tuple[list[Step], dict[str, Path]]:
    """What a seed does, in order, and row → its checkpoint."""
    first = step_of(args, seed, START, TRAININGS[START], args.start)
    plan, found, last = [first], {}, TRAININGS[LAST]
    for title, (share, order) in titles(args).items():
        options: tuple[str, ...] = ()
        if share:
            plan.append(reviewing(args, seed, share, order))
            options = ("--reviews", str(plan[-1].output))
        own = replace(last, options=(*last.options, *options))
        folder = f"reviewed-{order}-{share:g}" if share else "reviewed-0"
        plan.append(step_of(args, seed, folder, own, first.output))
        found[title] = plan[-1].output
    return plan, found


def evaluating(args: argparse.Namespace, seed: int, found: Mapping[str, Path]) -> Step:
    """All rows of a seed on the test sets."""
    table = args.out / f"seed-{seed}" / "reviewed.json"
    options = ["--models", args.model_set, "--data", *args.test, "--rows", "s+s", "words"]
    options += ["--checkpoint", *(f"{title}={folder}" for title, folder in found.items())]
    return Step(f"seed {seed}, evaluate", "train.evaluate", [*options, "--json", str(table)], table)


def markdown(seeds: Mapping[str, Any]) -> str:
    """Mean mIoU over the seeds in per cent, a row for each share, as Markdown."""
    groups = list(seeds.values())
    sources = list(groups[0])
    rows = list(groups[0][sources[0]])
    means = (
        [title, *(percent(mean(own[source][title] for own in groups)) for source in sources)]
        for title in rows
    )
    return table(["reviewed", *sources], means)


def draw(seeds: Mapping[str, Any], rows: Mapping[str, tuple[float, str]]) -> Figure:
    """mIoU against the share reviewed, the mean over seeds: of all test sets, and of each, thin.

    Args:
        seeds: seed → test set → row → mIoU.
        rows: row → share and order, see `titles`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    sources = list(next(iter(seeds.values())))
    for order in dict.fromkeys(own for _, own in rows.values()):
        line = {share: title for title, (share, own) in rows.items() if own == order or not share}
        x = [100 * share for share in line]
        each = [
            [100 * mean(own[source][title] for own in seeds.values()) for title in line.values()]
            for source in sources
        ]
        for y in each:
            axes.plot(x, y, color=ORDERS[order], alpha=0.3, linewidth=1)
        axes.plot(x, [mean(own) for own in zip(*each)], "o-", color=ORDERS[order], label=order)
    axes.set_xlabel("objects reviewed, %")
    axes.set_ylabel("mIoU, %")
    axes.set_ylim(0, 1.1 * axes.dataLim.y1)  # a small gain looks small
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train reviewed", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--shares", nargs="+", type=float, default=[0.0, 0.05, 0.1, 0.25], help="of the objects")
    add("--orders", nargs="+", choices=tuple(ORDERS), default=list(ORDERS))
    add("--json", type=Path, default=Path("out/reviewed.json"), help="file of the figures")
    add("--plot", type=Path, help="also draw them here, a PNG")
    add_world(parser)
    args = complete_world(parser.parse_args(argv), argv)
    make_folder(args.json.parent)
    make_folder(args.out / "reviews")
    if args.plot:
        make_place(args.plot)
    for step in looking(args, {STORE}):
        work(step)
    seeds: dict[str, Any] = {}
    for seed in args.seeds:
        plan, found = steps(args, seed)
        evaluation = evaluating(args, seed, found)
        for step in (*plan, evaluation):
            work(step)
        splits = json.loads(evaluation.output.read_text())["splits"]
        seeds[str(seed)] = {
            source: {title: row["mIoU"] for title, row in groups["all"]["rows"].items()}
            for source, groups in splits.items()
        }
        write_json(args.json, {"seeds": seeds})
        print(markdown(seeds), flush=True)
        if args.plot:
            with written(args.plot) as beside:
                draw(seeds, titles(args)).savefig(beside, dpi=110, format="png")


if __name__ == "__main__":
    main()
