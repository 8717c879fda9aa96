"""From sentences to a checkpoint in one command.

python -m train run --data my/pictures.jsonl --out runs/my --dry-run     # the plan: time, disk
python -m train run --data my/pictures.jsonl --out runs/my --val my/val.jsonl
python -m train run --data refer:data/refcoco:unc:train --out runs/refcoco --model-set paper \\
    --val refer:data/refcoco:unc:val --test refer:data/refcoco:unc:testA --processes 4

Steps: S1 and S2 (train.pseudo), bootstrap and correct (train.fit), evaluate (train.evaluate) where
there are true masks or boxes, report (train.report). Each is a command of its own, which the plan
shows, and is skipped where its output is complete; a killed run goes on where it stopped when the
same command is given again. To do a step again, delete its folder and those of the steps after it.

Options that are not listed here are train.fit's, for both trainings: --epochs 4 --batch 8 --lr 5e-4
--match optimal --precision no …
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.types import InputError
from train.data import SOURCES, open_dataset
from train.report import verdict

if TYPE_CHECKING:
    from train.data import Dataset

OF_DATA = 500  # pictures to evaluate on where they are those that were trained on
FILES = (".json", ".safetensors", ".txt")  # of a checkpoint; the others are a training's own
LOOKED_AT = 20  # pictures in which to look for true masks


@dataclass(frozen=True)
class Step:
    """A command of its own.

    Attributes:
        title: what it makes.
        module: whose `main` it is.
        options: of its command line.
        output: folder or file.
        launch: what goes before `-m module` to start it in another process, or several.
    """

    title: str
    module: str
    options: list[str]
    output: Path
    launch: tuple[str, ...] | None = None

    @property
    def command(self) -> str:
        launch = [*self.launch, "-m", self.module] if self.launch else ["-m", self.module]
        return shlex.join(["python", *launch, *self.options])

    def run(self, locks: Sequence[int] = ()) -> None:
        """Raises SystemExit where the step ends with an error.

        Args:
            locks: open files that a process of its own holds too, and longer than a killed parent.
        """
        if self.launch is not None:
            command = [sys.executable, *self.launch, "-m", self.module, *self.options]
            if status := subprocess.run(command, pass_fds=locks).returncode:
                sys.exit(f"error: this ended with status {status}: {self.command}")
            return
        import torch

        threads, argv = torch.get_num_threads(), sys.argv
        sys.argv = [f"python -m {self.module}", *self.options]
        try:
            import_module(self.module).main()
        finally:
            sys.argv = argv
            torch.set_num_threads(threads)  # stages 1 and 2 take one each


def steps(args: argparse.Namespace) -> list[Step]:
    """All of them, in order."""
    out, python = args.out, ()
    store, boot, corrected = out / "pseudo", out / "bootstrap", out / "correct"
    # Real networks have a process of their own, which gives their memory back.
    looked = python if args.model_set != "mini" else None
    trained = python if args.model != "mini" else None
    if args.processes > 1:
        trained = ("-m", "torch.distributed.run", "--nproc_per_node", str(args.processes))
    pseudo = ["--data", args.data, "--models", args.model_set, "--out", str(store)]
    pseudo += ["--workers", str(args.workers)]
    fit = ["--data", args.data, "--store", str(store), "--model", args.model]
    fit += ["--cache", str(out / "cache"), "--workers", str(args.workers)]
    fit += ["--val", args.val] if args.val else []
    fit += args.fit
    init = ["--init", str(args.init)] if args.init else []
    plan = [
        Step("S1 and S2, stages 1 and 2", "train.pseudo", pseudo, store, looked),
        Step(
            "bootstrap, on the masks of S2",
            "train.fit",
            ["bootstrap", *fit, "--out", str(boot), *init],
            boot,
            trained,
        ),
        Step(
            "correct, by matching over S1",
            "train.fit",
            ["correct", *fit, "--out", str(corrected), "--init", str(boot)],
            corrected,
            trained,
        ),
    ]
    if args.measured:
        table = out / "evaluation.json"
        options = ["--models", args.model_set, "--data", *args.measured]
        options += ["--scenes", str(args.measure)] if args.measure else []
        options += ["--rows", "random", "s+s", "oracle", "--checkpoint"]
        options += [f"ZSBootstrap={boot}", f"S+S+C={out / 'checkpoint'}", "--json", str(table)]
        plan.append(Step("evaluate", "train.evaluate", options, table, looked))
    return [*plan, Step("report", "train.report", [str(out)], out / "report.md")]


def complete(step: Step) -> bool:
    """Whether there is nothing left to do."""
    if step.module == "train.pseudo":
        from train.store import missing_shards, read_manifest

        manifest = read_manifest(step.output)
        return manifest is not None and not missing_shards(step.output, manifest["pictures"])
    if step.module == "train.fit":
        state = read_state(step.output)
        weights = step.output / "model.safetensors"
        return bool(state and weights.exists() and state["update"] == state["run"]["updates"])
    if step.module == "train.evaluate" and step.output.exists():
        return json.loads(step.output.read_text())["command"] == step.command
    return step.output.exists()


def read_state(folder: Path) -> dict[str, Any] | None:
    """A training's `state.pt` without its weights in memory, None where there is none."""
    import torch

    file = folder / "state.pt"
    return torch.load(file, "cpu", weights_only=True, mmap=True) if file.exists() else None


def publish(source: Path, folder: Path) -> None:
    """Copies the checkpoint out of a training's folder, whole or not at all."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for file in source.iterdir():
        if file.suffix in FILES:
            shutil.copyfile(file, part / file.name)
    os.replace(part, folder)


def run(args: argparse.Namespace) -> None:
    """All steps that are not complete yet.

    Raises:
        InputError: bad data or options, or `--out` is another run's, or one is at work there.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    with _alone(args.out) as lock:
        _begin(args)
        plan, checkpoint, worked = steps(args), args.out / "checkpoint", False
        for number, step in enumerate(plan, 1):
            place = f"Step {number} of {len(plan)}: {step.title}"
            if complete(step) and not (worked and step.module == "train.report"):
                print(f"{place}: complete, skipped ({step.output})", flush=True)
            else:
                print(f"{place}\n  {step.command}", flush=True)
                step.run([lock])
                worked = True
            if step.output.name == "correct" and not checkpoint.exists():
                publish(step.output, checkpoint)
    table = args.out / "evaluation.json"
    lines = verdict(json.loads(table.read_text())) if args.measured else []
    page = f"python demo_app.py --models {args.model_set} --correct {shlex.quote(str(checkpoint))}"
    print(f"\nDone. The checkpoint is the folder {checkpoint}; {plan[-1].output} is about it.")
    print(*lines, sep="\n")
    print(f"Open the page with it:\n  {page}")


@contextmanager
def _alone(out: Path) -> Iterator[int]:
    """Two runs in a folder would spoil each other's files; the lock ends with its processes.

    Yields:
        The file descriptor that holds it.
    """
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{out}: expected no other run at work there, got one") from error
        yield file.fileno()


def _begin(args: argparse.Namespace) -> None:
    """Notes what is run, or makes sure that the run begun there is the same one."""
    file = args.out / "run.json"
    settings = {
        "data": args.data,
        "content": f"{args.dataset.name}, {len(args.dataset)} pictures",
        "model set": args.model_set,
        "model": args.model,
        "init": str(args.init or "none"),
        "val": args.val or "none",
        "options": shlex.join(args.fit),
    }
    if file.exists():
        for key, old in json.loads(file.read_text()).items():
            if settings.get(key) != old:
                raise InputError(
                    f"{args.out}: expected to go on with {key} = {old}, got {settings.get(key)}; "
                    "give the first command again, or another --out"
                )
        return
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n")
    os.replace(temporary, file)


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


def updates(fit: argparse.Namespace, pictures: int) -> tuple[int, int]:
    """Updates of a training, and pictures of each; at most, as some have nothing to learn from."""
    from train.fit import DEFAULTS

    default = DEFAULTS[fit.model]
    batch = fit.batch or default["batch"]
    epochs = default["epochs"] if fit.epochs is None else fit.epochs
    return fit.steps or -int(-epochs * pictures // batch), batch


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
    add("--out", type=Path, required=True, help="folder of everything that the run makes")
    add("--val", help="data with true masks: measured on now and then, and evaluated in the end")
    add("--test", help="data with true masks or boxes to evaluate in the end")
    add("--measure", type=int, help=f"pictures evaluated of each; default: all, {OF_DATA} of DATA")
    add("--model-set", choices=("mini", "base", "paper"), default="mini", help="stages 1 and 2")
    add("--model", choices=("mini", "swin_b"), help="stage 3; default: mini with mini, else swin_b")
    add("--init", help="checkpoint to start from, or none; default: for mini the bundled one")
    add("--workers", type=int, default=1, help="processes of stages 1 and 2 and of the cache")
    add("--processes", type=int, default=1, help="processes (GPUs) that train together")
    add("--dry-run", action="store_true", help="measure a sample and show the plan, no more")
    args, args.fit = parser.parse_known_args(argv)

    from ssc.models import ASSETS
    from train.fit import DEFAULTS
    from train.fit import parse as parse_fit

    args.model = args.model or ("mini" if args.model_set == "mini" else "swin_b")
    own = ["--out", str(args.out), "--store", str(args.out), "--model", args.model]
    known = parse_fit(["bootstrap", "--data", args.data, *own, *args.fit])  # or ends with its usage
    if args.init in (None, "none"):
        bundled = ASSETS / "mini" / "lavt"
        usable = args.model == "mini" and args.init is None and known.visual is None
        args.init = bundled if usable and (bundled / "model.safetensors").exists() else None
    args.dataset = open_dataset(args.data)
    args.measured = [source for source in (args.val, args.test) if source]
    for source in args.measured:
        if not has_truth(open_dataset(source)):
            raise InputError(f"{source}: expected true masks or boxes to measure with, got none")
    if not args.measured and has_truth(args.dataset):
        args.measured = [args.data]
        args.measure = args.measure or OF_DATA
    args.updates, args.batch = updates(known, len(args.dataset))
    if known.warmup is None:  # the default is for long trainings
        warmup = min(DEFAULTS[args.model]["warmup"], args.updates // 10)
        args.fit += ["--warmup", str(warmup)]
    if args.val and "--eval-every" not in args.fit:  # a curve of about eight points, or more
        args.fit += ["--eval-every", str(min(known.eval_every, -(-args.updates // 8)))]
    return args


def main(argv: Sequence[str] | None = None) -> None:
    try:
        args = parse(argv)
        if args.dry_run:
            from train.plan import describe

            print(describe(args))
        else:
            run(args)
    except (InputError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
