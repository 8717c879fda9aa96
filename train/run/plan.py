"""Estimates time and disk of `python -m train run` from a few of its own pictures."""

from __future__ import annotations

import argparse
import shutil
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ssc.errors import InputError

if TYPE_CHECKING:
    from train.data import Dataset, Picture
    from train.run.steps import Step

PICTURES = 6  # of the sample, evenly spread
UPDATES = 3  # of each training, after one that is not timed


@dataclass(frozen=True)
class Sample:
    """Seconds and bytes, as measured.

    Attributes:
        pictures, objects, expressions: how many the sample has.
        look: seconds of stages 1 and 2 for a picture, in one process.
        bootstrap, correct: seconds of an update, in one process.
        store, cache: bytes of a picture.
        training: bytes that a training leaves.
    """

    pictures: int
    objects: int
    expressions: int
    look: float
    bootstrap: float
    correct: float
    store: float
    cache: float
    training: int


def describe(args: argparse.Namespace) -> str:
    """The plan as text.

    Args:
        args: of `train.run.__main__.parse`.

    Raises:
        InputError: nothing of the sample opens, or nothing is found in it to learn from.
    """
    from train.run.steps import steps

    print(f"Measuring {PICTURES} pictures and {UPDATES} updates of each training …", flush=True)
    with TemporaryDirectory(prefix="train-run-") as folder:
        sample = measure(args, Path(folder))
    count = len(args.dataset)
    each = (sample.objects / sample.pictures, sample.expressions / sample.pictures)
    plan = steps(args)
    trainings = [step for step in plan if step.module == "train.fit"]
    costs = [
        _cost(step, args, sample, step == trainings[0], step == trainings[-1]) for step in plan
    ]
    seconds, size = sum(cost[1] for cost in costs), sum(cost[2] for cost in costs)
    lines = [
        f"Data: {args.data}: {count:,} pictures, about {each[0] * count:,.0f} objects and "
        f"{each[1] * count:,.0f} expressions",
        f"Models: {args.model_set} for stages 1 and 2; {args.model} for stage 3, from "
        f"{_begins(args)}",
        "",
    ]
    for number, (step, (what, time_, bytes_)) in enumerate(zip(plan, costs), 1):
        lines.append(
            f"Step {number} of {len(plan)}: {step.title:38} {what:28} {in_time(time_):>8} "
            f"{in_bytes(bytes_):>9}"
        )
        lines.append(f"  {step.command}")
    free = shutil.disk_usage(_existing(args.out)).free
    lines += [
        "",
        f"About {in_time(seconds)} in all, plus some seconds for each step to start; "
        f"{in_bytes(size)} of disk in {args.out}, where {in_bytes(free)} are free.",
        f"Measured on {sample.pictures} pictures in one process; more processes are assumed to "
        "share the work evenly.",
    ]
    if args.val:
        lines.append("Evaluation on --val during training takes additional time.")
    if size > free:
        lines.append("That is more than the free space: choose another --out.")
    return "\n".join(lines)


def _begins(args: argparse.Namespace) -> str:
    """What stage 3's training starts from, in words."""
    if args.init:
        return str(args.init)
    visual = args.visual or ("ImageNet's Swin-B" if args.model == "swin_b" else "none")
    words = ["BERT"] if args.model == "swin_b" else []
    return " and ".join([*words, *([visual] if visual != "none" else [])]) or "fresh weights"


def _cost(
    step: Step, args: argparse.Namespace, sample: Sample, fills: bool, published: bool
) -> tuple[str, float, float]:
    """Of a step: how much there is to do, in words; seconds; bytes.

    Args:
        fills: whether it makes the cache.
        published: whether the checkpoint is copied when it ends.
    """
    count = len(args.dataset)
    if step.module == "train.pseudo":
        anew = "--from" in step.options  # runs no network
        seconds = 0.0 if anew else sample.look * count / args.workers
        return f"{count:,} pictures", seconds, sample.store * count
    if step.module == "train.fit":
        method = step.options[0]
        seconds = sample.correct if method == "correct" else sample.bootstrap
        size = float(sample.training * (2 if published else 1))
        if fills:
            size += sample.cache * count
        work = f"{args.updates:,} updates of {args.batch} pictures"
        return work, seconds * args.updates / args.processes, size
    if step.module == "train.evaluate":
        measured = sum(map(len, map(_open, args.measured)))
        measured = min(measured, args.measure * len(args.measured)) if args.measure else measured
        return f"{measured:,} pictures", sample.look * measured, 0
    return "", 0.0, 0


def measure(args: argparse.Namespace, folder: Path) -> Sample:
    """Runs stages 1 and 2 and a few updates; writes to `folder` alone."""
    import ssc
    from train.data.export import export
    from train.pseudo import make as pseudo
    from train.run.steps import read_state, steps

    pictures = spread(args.dataset, PICTURES)
    pipeline = ssc.load(args.model_set, correct=False)
    pseudo.look(pictures[0], pipeline)  # loads what loads at its first use
    start = time.perf_counter()
    for picture in pictures:
        pseudo.look(picture, pipeline)
    look = (time.perf_counter() - start) / len(pictures)
    data = export(pictures, folder / "sample.jsonl")
    small = argparse.Namespace(**vars(args) | {"data": str(data), "out": folder / "run"})
    small.shared = small.out
    small.val, small.measured, small.workers, small.processes = None, [], 1, 1
    small.recipe = "paper"  # the others' steps take as long as these
    small.fit = [*args.fit, "--visual", "none"]  # as fast as with ImageNet's, and no download
    short = ["--steps", str(UPDATES)]
    look_at, boot, correct, *_ = (replace(step, launch=None) for step in steps(small))
    output = StringIO()
    with redirect_stderr(output), redirect_stdout(output):
        look_at.run()
        first = [*boot.options, "--steps", "1", "--out", str(folder / "first")]
        replace(boot, options=first).run()
        for step in (boot, correct):
            replace(step, options=[*step.options, *short]).run()
    states = [read_state(step.output) for step in (boot, correct)]
    bootstrap, matching = (state["seconds"] / UPDATES for state in states if state)
    objects = [referred for picture in pictures for referred in picture.objects]
    return Sample(
        len(pictures),
        len(objects),
        sum(len(referred.expressions) for referred in objects),
        look,
        bootstrap,
        matching,
        _size(look_at.output) / len(pictures),
        _size(small.out / "cache") / len(pictures),
        _size(boot.output),
    )


def spread(data: Dataset, count: int) -> list[Picture]:
    """Pictures that open, evenly spread over the data set."""
    places = [k * len(data) // min(count, len(data)) for k in range(min(count, len(data)))]
    opened = [_tried(data, index) for index in places]
    pictures = [picture for picture in opened if not isinstance(picture, Exception)]
    if not pictures:
        raise InputError(f"{data.name}: expected pictures that open, got: {opened[-1]}")
    return pictures


def _tried(data: Dataset, index: int) -> Picture | Exception:
    try:
        return data[index]
    except (InputError, OSError) as error:
        return error


def _open(source: str) -> Dataset:
    from train.data import open_dataset

    return open_dataset(source)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _existing(folder: Path) -> Path:
    return next(islice((f for f in (folder, *folder.absolute().parents) if f.exists()), 1))


def in_time(seconds: float) -> str:
    """Seconds in words: "3.2 h"."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def in_bytes(count: float) -> str:
    """A number of bytes in words: "3.2 MB"; "–" for none."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB" if count else "–"
