"""The paper's Tables 1 to 4, each row computed and beside the paper's figure.

python -m train tables                                  # RefSprites of 16 classes, a nano LAVT
python -m train tables --out runs/study --study assets/study   # goes on from a `train study`
python -m train tables --data refer:data/refcoco:unc:train --model-set paper --model swin_b \\
    --test refer:data/refcoco:unc:testA --steps 28000 --batch 60 --out runs/refcoco
python -m train tables --efficiency base                # and seconds a sample of four methods
python -m train tables --dry-run                        # hours, reckoned from parts measured here

Tables 1 and 4 are on --test, Tables 2 and 3, of stages 1 and 2, on --sample. A row of a trained
method needs its checkpoint for each seed: one in OUT/seed-K/NAME is taken, another is trained
first, as `train study` does it. Writes tables.md, tables.tex and a picture of each table to
--figures. A killed run goes on where it stopped when the same command is given again; figures whose
data and weights are the same are not computed again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_folder
from train.data.usable import HELP
from train.evaluate.ablations import lacking
from train.evaluate.tables import write_json
from train.run.steps import complete
from train.run.study import add_world, begin, complete_world, work
from train.tables import efficiency
from train.tables.figures import ABLATIONS, Cell, Figures
from train.tables.reckon import describe
from train.tables.report import Figure, all_tables
from train.tables.rows import TABLE_1, TABLE_4, TITLES, TRAINED, trainings
from train.tables.write import write

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline


def tables(args: argparse.Namespace) -> None:
    """Trains what is missing, computes what is missing, and writes the tables."""
    make_folder(args.figures)
    found = read_study(args.study, args.test) if args.study else {}
    wanted = missing(args, found)
    trained, untrained = checkpoints(args, dict.fromkeys(n for n, _ in wanted if n in TRAINED))
    sample = Cell(ABLATIONS, args.sample or args.test[0])
    cells = [Cell(name, test) for name, test in wanted if name not in TRAINED]
    cells += [
        Cell(name, test, folder, seed)
        for name, test in wanted
        for seed, folder in trained.get(name, {}).items()
    ]
    figures = Figures(args.out / "figures", args.model_set, args.allow_missing)

    @cache
    def load() -> Pipeline:
        import ssc

        return ssc.load(args.model_set, correct=False)

    figures.complete(cells if args.no_stages else [*cells, sample], load)
    lacks = {}
    for cell in cells:
        if "lacks" in (figure := figures.read(cell)):
            lacks[cell.row] = figure["lacks"]
        else:
            rows = {title: kinds["all"] for title, kinds in figure["rows"].items()}
            found.setdefault((cell.row, cell.test), []).append(Figure(seed=cell.seed, rows=rows))
    speeds = [
        efficiency.table(name, efficiency.measured(name, args.passes, figures.folder, args.tiny))
        for name in args.efficiency
    ]
    stages = {} if args.no_stages else figures.read(sample)
    made = all_tables(args.test, found, stages, sample.test)
    line = shlex.join(["python", "-m", "train", "tables", *args.argv])
    left_out = {**untrained, **lacks, **({} if args.no_stages else lacking())}
    notes = [f"Left out: {name}: {why}." for name, why in left_out.items()]
    record = {"command": line, "tables": made, "efficiency": speeds, "notes": notes}
    write_json(args.figures / "tables.json", record)
    print(write(args.figures, made, speeds, [f"`{line}`", *notes]))


def missing(
    args: argparse.Namespace, found: Mapping[tuple[str, str], Any]
) -> list[tuple[str, str]]:
    """Name and test set of each row of Tables 1 and 4 that is not found."""
    names = dict.fromkeys((*TABLE_1, *TABLE_4))
    every = [(name, test) for name in names for test in args.test]
    return [row for row in every if row not in found]


def checkpoints(
    args: argparse.Namespace, names: Iterable[str]
) -> tuple[dict[str, dict[int, Path]], dict[str, str]]:
    """Trains what is not there.

    Args:
        names: of `TRAINED`.

    Returns:
        Name → seed → folder of each checkpoint; and what is left out → why.
    """
    found: dict[str, dict[int, Path]] = {name: {} for name in names}
    left_out = {}
    for seed in args.seeds:
        steps = trainings(args, seed, found)
        if steps and not args.no_training:
            begin(args)
            for step in steps:
                work(step)
        made = {step.output.name: step.output for step in steps if complete(step)}
        for name, folders in found.items():
            if name in made:
                folders[seed] = made[name]
            else:
                left_out[f"{TRAINED[name].title} of seed {seed}"] = "not trained"
    return found, left_out


def read_study(folder: Path, tests: Sequence[str]) -> dict[tuple[str, str], list[Figure]]:
    """(name, test set) → a figure per seed, of those of a `train study`.

    Raises:
        InputError: none are there.
    """
    files = sorted(folder.glob("seed-*.json"))
    if not files:
        raise InputError(f"study: expected a folder of `train study` figures, got {folder}")
    found: dict[tuple[str, str], list[Figure]] = {}
    for file in files:
        study = json.loads(file.read_text())
        for test in set(tests) & study["splits"].keys():
            for title, measures in study["splits"][test]["all"].items():
                name = TITLES.get(title)
                if name in TRAINED:
                    figure = Figure(seed=study["seed"], rows={title: measures})
                    found.setdefault((name, test), []).append(figure)
                elif name is not None:
                    found[name, test] = [Figure(seed=None, rows={title: measures})]
    return found


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train tables", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_world(parser)
    add = parser.add_argument
    add("--sample", help="data of Tables 2 and 3; default: the first of --test")
    add(
        "--study",
        type=Path,
        help="figures of `train study` (assets/study): rows to take as they are",
    )
    add("--no-training", action="store_true", help="leave rows out whose checkpoints are not there")
    add("--no-stages", action="store_true", help="leave Tables 2 and 3 out")
    sets, help_ = efficiency.SETS, "model sets, with random weights, to time as the paper does"
    add("--efficiency", nargs="+", default=[], choices=sets, help=help_)
    add("--passes", type=int, default=3, help="of --efficiency; default: 3")
    add("--tiny", action="store_true", help="random networks as small as can be: whether it runs")
    add("--dry-run", action="store_true", help="reckon what it takes here, and do nothing")
    add("--figures", type=Path, default=Path("assets/tables"), help="folder of the tables")
    add("--allow-missing", action="store_true", help=HELP)
    parser.set_defaults(out=Path("runs/tables"))
    return complete_world(parser.parse_args(argv), argv)


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    if args.dry_run:
        found = read_study(args.study, args.test) if args.study else {}
        print(describe(args, missing(args, found)))
    else:
        tables(args)


if __name__ == "__main__":
    sys.exit(main())
