"""What stage 3 is worth: the paper's Table 4 and figure 6, over several seeds.

python -m train study                                   # RefSprites of 16 classes, a nano LAVT
python -m train study --seeds 0 --trainings best slow   # these and what they start from
python -m train study --data refsprites:train:1000:classes=16 --trainings best ungrouped grouped \\
    --out runs/grouping --figures runs/grouping/figures # what it is worth to know what is grouped
python -m train study --data refer:data/refcoco:unc:train --model-set paper --model swin_b \\
    --test refer:data/refcoco:unc:testA --steps 28000 --batch 60 --out runs/refcoco

Stages 1 and 2 look at the data once. Each seed trains from weights that know class names and no
referring expression, as the paper's start from ImageNet's and BERT's: ZSBootstrap on S2; from there
the same again (+ N), the paper's matching (S+S+C), and, beyond the paper, the best recipe, which
counts words in S2 and S2 in matching; and on true masks (supervised), for as many updates in all.
`--trainings` chooses others: at a tenth of the rate (slow), each sentence as an object of its own
(ungrouped), and sentences joined as `train data group` proposes (grouped), by the best recipe.
Each seed's figures are written to `--figures` as it ends, and then their mean and spread. A killed
run goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ssc.correct.predict import CONFIGS
from ssc.entry import command
from ssc.errors import InputError
from ssc.models.bundled import ASSETS
from ssc.writing import make_folder
from train.data import SOURCES, open_dataset
from train.evaluate.tables import write_json
from train.fit.watch import read_watched
from train.run.figure6 import truth_of
from train.run.steps import Step, complete, read_state
from train.run.study_summary import write_summary
from train.run.study_trainings import DEFAULT, STORES, TRAININGS, Training, needed
from train.weak.names import SYSTEMS

WORLD = "classes=16"
NANO = ASSETS / "mini" / "nano"
GROUPS = "groups.json"  # of the study: which sentences name one object
LOOKS = 8  # at the watched pictures, over a training


def looking(args: argparse.Namespace, stores: Collection[str | None]) -> list[Step]:
    """Stages 1 and 2 of the stores that are needed, once for all seeds."""
    steps = []
    if "grouped" in stores:
        options = ["group", data_of(args, "ungrouped"), "--models", args.model_set]
        file = args.out / GROUPS
        steps.append(Step("groups", "train.data", [*options, "--out", str(file)], file))
    for counted, first in STORES.items():
        if counted not in stores and first not in stores:
            continue
        folder = args.out / first
        options = ["--data", data_of(args, first), "--models", args.model_set]
        options += ["--out", str(folder), "--workers", str(args.workers)]
        steps.append(Step(f"S1 and S2 ({first})", "train.pseudo", options, folder))
        if counted in stores:
            options = ["--from", str(folder), "--out", str(args.out / counted)]
            title = f"S2 with words counted ({counted})"
            steps.append(Step(title, "train.pseudo", options, args.out / counted))
    return steps


def data_of(args: argparse.Namespace, store: str | None) -> str:
    """The data of a store: its sentences as they are, one by one, or in proposed groups."""
    if store is None or not store.startswith(("ungrouped", "grouped")):
        return args.data
    alone = f"ungrouped:{args.data}"
    return alone if store.startswith("ungrouped") else f"grouped:{args.out / GROUPS}:{alone}"


def trainings(args: argparse.Namespace, seed: int) -> dict[str, Step]:
    """The trainings of a seed, each after what it starts from."""
    steps: dict[str, Step] = {}
    for name in needed(args.trainings):
        training = TRAININGS[name]
        start = steps[training.start].output if training.start else args.start
        steps[name] = step_of(args, seed, name, training, start)
    return steps


def step_of(
    args: argparse.Namespace, seed: int, name: str, training: Training, start: Path | None
) -> Step:
    """A training of a seed, from the weights of `start`."""
    folder = args.out / f"seed-{seed}" / name
    updates, rate = args.steps * training.length, args.lr * training.rate
    data = data_of(args, training.store)
    options = [training.method, "--data", data, "--model", args.model]
    options += ["--store", str(args.out / training.store)] if training.store else []
    options += ["--init", str(start)] if start else []
    options += ["--steps", str(updates), "--batch", str(args.batch), "--lr", f"{rate:g}"]
    options += ["--expressions", str(args.expressions), "--seed", str(seed)]
    if training.method not in SYSTEMS:  # which learn of no masks that could be drawn
        options += ["--watch", str(args.watch), "--eval-every", str(max(1, updates // LOOKS))]
    options += ["--cache", str(args.out / "cache"), "--workers", str(args.workers)]
    options += [*training.options, "--out", str(folder)]
    return Step(f"seed {seed}, {name}", "train.fit", options, folder)


def evaluating(args: argparse.Namespace, seed: int, trained: dict[str, Step]) -> Step:
    """All rows of a seed on the test sets."""
    table = args.out / f"seed-{seed}" / "evaluation.json"
    options = ["--models", args.model_set, "--data", *args.test]
    options += ["--rows", "random", "s+s", "words", "oracle", "--checkpoint"]
    options += [f"{title}={trained[name].output}" for name, title in titles(trained).items()]
    return Step(f"seed {seed}, evaluate", "train.evaluate", [*options, "--json", str(table)], table)


def titles(trained: dict[str, Step]) -> dict[str, str]:
    """The rows of the tables among the trainings, and what they are called there."""
    names = {name: training.title for name, training in TRAININGS.items()}
    return {name: title for name in trained if (title := names[name]) is not None}


def figures(args: argparse.Namespace, seed: int, trained: dict[str, Step]) -> dict[str, Any]:
    """What a seed's trainings reach, and how many matches are right on their way.

    Returns:
        "command", "seed"; "splits": test set → kind of expression → row → measures; "matching":
        row → "S2", the share of the watched objects whose S2 mask is right, and "matched", (update,
        share whose matched mask is right) by update; "seconds": row → of its training.
    """
    evaluation = json.loads((args.out / f"seed-{seed}" / "evaluation.json").read_text())
    matching = {}
    for name, title in titles(trained).items():
        step = trained[name]
        watched = read_watched(step.output)
        if step.options[0] != "correct" or watched is None:
            continue
        truth = truth_of(watched, open_dataset(step.options[step.options.index("--data") + 1]))
        if truth is not None:
            matched = sorted(watched.matched.items())
            matching[title] = {
                "S2": truth.share(watched.chosen),
                "matched": [(update, truth.share(masks)) for update, masks in matched],
            }
    states = {name: read_state(step.output) for name, step in trained.items()}
    return {
        "command": shlex.join(["python", "-m", "train", "study", *args.argv]),
        "seed": seed,
        "splits": {
            source: {kind: group["rows"] for kind, group in groups.items()}
            for source, groups in evaluation["splits"].items()
        },
        "matching": matching,
        "seconds": {name: round(state["seconds"]) for name, state in states.items() if state},
    }


def study(args: argparse.Namespace) -> None:
    """All seeds, one after the other; what is complete is skipped."""
    args.figures.mkdir(parents=True, exist_ok=True)
    begin(args)
    for step in looking(args, {TRAININGS[name].store for name in needed(args.trainings)}):
        work(step)
    for seed in args.seeds:
        trained = trainings(args, seed)
        evaluation = evaluating(args, seed, trained)
        for step in (*trained.values(), evaluation):
            work(step)
        write_json(args.figures / f"seed-{seed}.json", figures(args, seed, trained))
        print(write_summary(args.figures), flush=True)


def begin(args: argparse.Namespace) -> None:
    """Writes what all trainings share to `study.json`, or checks that the study there has the same:
    a training that is complete is of these settings.

    Raises:
        InputError: it has others.
    """
    names = ("data", "model_set", "model", "start", "steps", "batch", "lr", "expressions", "watch")
    settings = {name: str(getattr(args, name)) for name in names}
    file = args.out / "study.json"
    begun = json.loads(file.read_text()) if file.exists() else settings
    for name, value in settings.items():
        if begun.get(name) != value:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{args.out}: expected to go on with {option} {begun.get(name)}, got {value}; give "
                "the first command again, or another --out"
            )
    make_folder(args.out)
    write_json(file, settings)


def work(step: Step) -> None:
    if complete(step):
        print(f"{step.title}: complete, skipped ({step.output})", flush=True)
        return
    print(f"{step.title}\n  {step.command}", flush=True)
    step.run()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train study", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    chosen = [name for name, training in TRAININGS.items() if training.title]
    help_ = f"rows to train, with what they start from; default: {' '.join(DEFAULT)}"
    parser.add_argument(
        "--trainings", nargs="+", default=DEFAULT, choices=chosen, metavar="NAME", help=help_
    )
    folder = Path("assets/study")
    parser.add_argument("--figures", type=Path, default=folder, help="folder of the figures")
    add_world(parser)
    return complete_world(parser.parse_args(argv), argv)


def add_world(parser: argparse.ArgumentParser) -> None:
    """The options of a study's data, models and trainings."""
    add = parser.add_argument
    add("--data", default=f"refsprites:train:4000:{WORLD}", help=f"with true masks; {SOURCES}")
    splits = [f"refsprites:{split}:100:{WORLD}" for split in ("val", "testA", "testB", "hard")]
    add("--test", nargs="+", default=splits, help="data with true masks to measure on")
    add("--model-set", default="mini", help="of stages 1 and 2")
    add("--model", choices=tuple(CONFIGS), default="nano", help="stage 3")
    add("--start", type=Path, help="checkpoint; default: of nano the bundled one, else train.fit's")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--steps", type=int, default=1200, help="updates of one training")
    add("--batch", type=int, default=16, help="pictures of an update")
    add("--lr", type=float, default=1e-3)
    add("--expressions", type=int, default=1, help="drawn per object")
    add("--watch", type=int, default=100, help="pictures in which matching is watched")
    add("--workers", type=int, default=2, help="processes of stages 1 and 2 and of the cache")
    add("--out", type=Path, default=Path("runs/study"), help="folder of everything that is made")


def complete_world(args: argparse.Namespace, argv: Sequence[str] | None) -> argparse.Namespace:
    """With what the options of `add_world` leave open, and the command line as `argv`."""
    if args.start is None and args.model == "nano":
        args.start = NANO
    args.argv = sys.argv[1:] if argv is None else list(argv)
    return args


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    study(parse(argv))


if __name__ == "__main__":
    main()
