"""From pictures and sentences to a checkpoint of stage 3, in one command.

python -m train run --data my/pictures.jsonl --out runs/my --dry-run     # the plan: time, disk
python -m train run --data my/pictures.jsonl --out runs/my --val my/val.jsonl
python -m train run --data refer:data/refcoco:unc:train --out runs/refcoco --model-set paper \\
    --val refer:data/refcoco:unc:val --test refer:data/refcoco:unc:testA --processes 4

Steps: S1 and S2 (train.pseudo), bootstrap and correct (train.fit), evaluate (train.evaluate) where
there are true masks or boxes, report (train report). Each step is a command that the plan shows; a
step whose output is complete and of the same data, models and options is skipped; one whose inputs
have changed is done again, and its old output gets another name. The same command continues a
killed run. To repeat a step, delete its folder.

Recipes: paper follows the paper. best counts words in S2 and adds a second round of matching.
tune is best without the bootstrap and with one round, for a checkpoint that is already good, such
as the bundled one. supervised trains on true masks, the upper bound.

Options that are not listed here go to train.fit, for all trainings: --epochs 4 --batch 8 --lr 5e-4
--match optimal --precision no … With a mini checkpoint as --init, the default rate is a tenth of
train.fit's.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import explained, make_folder, write_whole
from train.data import SOURCES, open_dataset
from train.data.locks import hold
from train.data.usable import HELP
from train.run.inputs import changed, finished, forget_val, inputs_of, note, same_weights, set_aside
from train.run.steps import FILES, RECIPES, last_training, steps
from train.run.verdict import verdict

if TYPE_CHECKING:
    from train.data import Dataset
    from train.fit.options import Options

OF_DATA = 500  # pictures to evaluate on where only the training pictures have true masks
LOOKED_AT = 20  # pictures in which to look for true masks
KEPT = 0.1  # of the rate for fresh weights, at which a mini checkpoint keeps what it knows


def publish(source: Path, folder: Path) -> None:
    """Copies the checkpoint out of a training's folder; an older one there is replaced."""
    from train.fit.options import FILE as OPTIONS

    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    kept = [f for f in source.iterdir() if f.suffix in FILES and f.name != OPTIONS]
    with explained(folder, sum(file.stat().st_size for file in kept)):
        part.mkdir()
        for file in kept:
            shutil.copyfile(file, part / file.name)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)


def run(args: argparse.Namespace) -> None:
    """Runs all steps that are not complete, and again those whose inputs have changed.

    Raises:
        InputError: bad data or options, or `--out` is another run's, or a run works there.
    """
    with ExitStack() as locks:
        held = [
            locks.enter_context(_alone(folder))
            for folder in {args.out.resolve(), args.shared.resolve()}
        ]
        _begin(args)
        plan, checkpoint, worked = steps(args), args.out / "checkpoint", False
        last = last_training(plan)
        for number, step in enumerate(plan, 1):
            place = f"Step {number} of {len(plan)}: {step.title}"
            inputs = inputs_of(step, args.out)
            if why := changed(step, inputs):
                aside = set_aside(step)
                print(f"{place}: {why}: done again; the old one is now {aside}", flush=True)
            elif forget_val(step, inputs):
                print(f"{place}: --val changed: its figures in the log are dropped", flush=True)
            if finished(step) and not (worked and step.module == "train.run.report"):
                print(f"{place}: complete, skipped ({step.output})", flush=True)
            else:
                print(f"{place}\n  {step.command}", flush=True)
                note(step, inputs)
                step.run(held)
                worked = True
            if step == last and not same_weights(step.output, checkpoint, args.out):
                publish(step.output, checkpoint)
    table = args.out / "evaluation.json"
    lines = verdict(json.loads(table.read_text())) if args.measured else []
    page = f"python demo_app.py --models {args.model_set} --correct {shlex.quote(str(checkpoint))}"
    print(f"\nDone. Checkpoint: {checkpoint}\nReport: {plan[-1].output}")
    print(*lines, sep="\n")
    print(f"Open the page with it:\n  {page}")


@contextmanager
def _alone(out: Path) -> Iterator[int]:
    """Locks a folder for one run; the lock ends with the run's processes.

    Yields:
        The file descriptor that holds it.
    """
    make_folder(out)
    with (out / ".lock").open("w") as file:
        if not hold(file):
            raise InputError(f"{out}: expected no other run in this folder, got one")
        yield file.fileno()


def _begin(args: argparse.Namespace) -> None:
    """Writes the settings to `run.json`, or checks that the run in the folder has the same.

    The data may have changed under their name: each step knows what it has read.
    """
    file = args.out / "run.json"
    settings = {
        "data": args.data,
        "recipe": args.recipe,
        "content": f"{args.dataset.name}, {len(args.dataset)} pictures",
        "model set": args.model_set,
        "model": args.model,
        "init": str(args.init or "none"),
        "val": args.val or "none",
        "options": shlex.join(args.fit),
        "given options": shlex.join(args.given),
    }
    if file.exists():
        begun = json.loads(file.read_text())
        same = begun.get("given options") == settings["given options"]
        free = {"content", "given options"} | ({"options"} if same else set())  # of the data
        for key, value in settings.items():
            if begun.get(key) != value and key not in free:
                raise InputError(
                    f"{args.out}: expected to go on with {key} = {begun.get(key)}, got {value}; "
                    "give the first command again, or another --out"
                )
    text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")
    if not file.exists() or file.read_bytes() != content:
        write_whole(file, content)


def has_truth(data: Dataset) -> bool:
    """Whether an object of the first pictures has a true mask or box."""
    for index in range(min(LOOKED_AT, len(data))):
        try:
            picture = data[index]
        except (InputError, OSError):
            continue
        if any(thing.mask is not None or thing.box is not None for thing in picture.objects):
            return True
    return False


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options, completed: `dataset`, `measured` (data to evaluate on), `fit` (for train.fit).

    Raises:
        InputError: data that is not there or not valid.
    """
    parser = argparse.ArgumentParser(
        prog="python -m train run", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--data", required=True, help=SOURCES)
    add("--out", type=Path, required=True, help="folder for everything that the run writes")
    add("--val", help="data with true masks, to evaluate on during training and at the end")
    add("--test", help="data with true masks or boxes, to evaluate on at the end")
    add(
        "--measure",
        type=int,
        help=f"pictures of each to evaluate on; default: all, or {OF_DATA} of DATA",
    )
    add(
        "--recipe",
        choices=tuple(RECIPES),
        default="paper",
        help="see above; default: paper",
    )
    add("--shared", type=Path, help="folder for S1, S2 and the cache, to share them between runs")
    add("--model-set", choices=("mini", "base", "paper"), default="mini", help="for stages 1 and 2")
    add(
        "--model",
        choices=("nano", "mini", "swin_b"),
        help="for stage 3; default: mini with --model-set mini, else swin_b",
    )
    add(
        "--init",
        help="checkpoint to start from, or none; default: of nano and mini the bundled one",
    )
    add("--allow-missing", action="store_true", help=HELP)
    add("--workers", type=int, default=1, help="processes for stages 1 and 2 and the cache")
    add("--processes", type=int, default=1, help="processes (GPUs) that train together")
    add("--dry-run", action="store_true", help="measure a sample, show the plan, and stop")
    args, rest = parser.parse_known_args(argv)
    args.fit, args.given = rest, [*rest]

    from ssc.models.bundled import ASSETS

    args.model = args.model or ("mini" if args.model_set == "mini" else "swin_b")
    known = _options_of_first(args, RECIPES[args.recipe].methods)
    if args.init in (None, "none"):
        bundled = ASSETS / "mini" / {"mini": "lavt"}.get(args.model, args.model)
        usable = args.model != "swin_b" and args.init is None and known.visual is None
        args.init = bundled if usable and (bundled / "model.safetensors").exists() else None
    if RECIPES[args.recipe].methods[0] == "correct" and not args.init:
        raise InputError(f"--recipe {args.recipe}: expected --init, a checkpoint to go on with")
    args.shared = args.shared or args.out
    args.dataset = open_dataset(args.data)
    if RECIPES[args.recipe].supervised and not has_truth(args.dataset):
        raise InputError(f"{args.data}: expected true masks for --recipe supervised, got none")
    args.measured = [source for source in (args.val, args.test) if source]
    for source in args.measured:
        if not has_truth(open_dataset(source)):
            raise InputError(f"{source}: expected true masks or boxes to measure with, got none")
    if not args.measured and has_truth(args.dataset):
        args.measured = [args.data]
        args.measure = args.measure or OF_DATA
    args.seed, args.visual = known.seed, known.visual
    # At most, as some pictures have nothing to learn from.
    args.options = known
    args.updates, args.batch = known.updates(len(args.dataset)), known.batch
    if args.model == "mini" and args.init and not _given(args.fit, "--lr"):
        args.fit += ["--lr", str(known.lr * KEPT)]
    if not _given(args.fit, "--warmup"):  # the default is for long trainings
        args.fit += ["--warmup", str(min(known.warmup, args.updates // 10))]
    if args.val and not _given(args.fit, "--eval-every"):  # a curve of about eight points, or more
        args.fit += ["--eval-every", str(min(known.eval_every, -(-args.updates // 8)))]
    return args


def _options_of_first(args: argparse.Namespace, methods: Sequence[str]) -> Options:
    """Those of the first training; ends with train.fit's usage where any training's are bad."""
    from train.fit.options import HEEDED_BY, heeded
    from train.fit.options import parse as parse_fit

    parsed = []
    for method in methods:
        own = ["--data", args.data, "--out", str(args.out), "--model", args.model]
        own += ["--store", str(args.out)] if method in HEEDED_BY["--store"] else []
        own += ["--init", str(args.init)] if method == "correct" else []
        parsed.append(parse_fit([method, *own, *heeded(method, methods, args.fit)]))
    return parsed[0]


def _given(options: Sequence[str], name: str) -> bool:
    return any(option.partition("=")[0] == name for option in options)


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    if args.dry_run:
        from train.run.plan import describe

        print(describe(args))
    else:
        run(args)


if __name__ == "__main__":
    main()
