"""Reckons what `python -m train tables` takes on this machine: parts measured here × their counts.

Every part of the command is done once for a few pictures and a few updates, in a folder of its own.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ssc.errors import InputError
from train.data import open_dataset
from train.run.plan import in_time, spread
from train.run.scale import device_name
from train.run.steps import Step, complete, read_state
from train.tables.figures import ABLATIONS, Cell, tables_of
from train.tables.rows import TRAINED, trainings
from train.tables.stand_ins import pipeline_of, random_start

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline

PICTURES = 4  # of each data set; the first of the tests warms up and is not counted
UPDATES = 2  # of each training, beyond one that is not counted
SLOW_BATCH = 2  # pictures of an update of Swin-B without a GPU; time is taken to grow as they do
MEASURED = ("bootstrap", "correct", "supervised", "tseg", "tris", "gather")
"""Of `TRAINED`: one of each method, named as that; the others are as fast."""
T = TypeVar("T")


@dataclass
class Parts:
    """Seconds, as measured in one process.

    Attributes:
        look: of a picture, stages 1 and 2 of its objects, as training needs them.
        update: method of `train.fit` → of an update of --batch pictures.
        asked: of a picture, stages 1 and 2 of its sentences, as all rows need them.
        row: row of Tables 1 and 4, or `ABLATIONS` → of a picture, beside that.
    """

    look: float = 0.0
    update: dict[str, float] = field(default_factory=dict)
    asked: float = 0.0
    row: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """A line: what is done how often, and seconds of one time."""

    what: str
    count: int
    unit: str
    seconds: float


def describe(args: argparse.Namespace, wanted: Sequence[tuple[str, str]]) -> str:
    """The reckoning as text.

    Args:
        args: of `train.tables.__main__.parse`.
        wanted: name and test set of each row of Tables 1 and 4 that no study has.

    Raises:
        InputError: nothing of the data opens, or nothing is found in it to learn from.
    """
    print(f"Measuring {PICTURES} pictures and {UPDATES} updates of each training …", flush=True)
    with TemporaryDirectory(prefix="train-tables-") as folder:
        parts, made_up = measure(args, Path(folder), {name for name, _ in wanted})
    lines = [f"Measured here ({device_name()}), with {args.model_set} and {args.model}; {made_up}:"]
    costs = reckon(args, wanted, parts)
    for cost in costs:
        count, took = f"{cost.count:,} {cost.unit}", in_time(cost.seconds * cost.count)
        lines.append(f"  {cost.what:44}{count:>18} × {cost.seconds:8.3f} s {took:>10}")
    hours = sum(cost.seconds * cost.count for cost in costs) / 3600
    lines.append(
        f"About {hours:.1f} h in all, in one process on this machine as busy as it is. What is "
        f"trained in {args.out} is left out; rows are counted whether or not they are computed."
    )
    return "\n".join(lines)


def reckon(args: argparse.Namespace, wanted: Sequence[tuple[str, str]], parts: Parts) -> list[Cost]:
    """Each step's cost, of all seeds together; arguments as of `describe`."""
    names = dict.fromkeys(name for name, _ in wanted if name in TRAINED)
    steps = {
        step.output: step
        for seed in args.seeds
        for step in trainings(args, seed, () if args.no_training else names)
    }
    by_name: dict[str, Cost] = {}
    for step in steps.values():
        if not complete(step):
            cost = _of_step(step, parts, args)
            before = by_name.get(cost.what)
            by_name[cost.what] = replace(cost, count=cost.count + (before.count if before else 0))
    costs = list(by_name.values())
    for test in dict.fromkeys(test for _, test in wanted):
        rows = [name for name, of in wanted if of == test and _measured_as(name) in parts.row]
        seeds = {name: len(args.seeds) if name in TRAINED else 1 for name in rows}
        each = parts.asked + sum(parts.row[_measured_as(name)] * seeds[name] for name in rows)
        count = len(open_dataset(test))
        costs.append(Cost(f"{sum(seeds.values())} rows on {test}", count, "pictures", each))
    if not args.no_stages:
        sample = args.sample or args.test[0]
        each = parts.asked + parts.row[ABLATIONS]
        costs.append(Cost(f"Tables 2, 3 on {sample}", len(open_dataset(sample)), "pictures", each))
    return costs


def _of_step(step: Step, parts: Parts, args: argparse.Namespace) -> Cost:
    name = step.output.name
    if step.module == "train.fit":
        updates = int(step.options[step.options.index("--steps") + 1])
        return Cost(name, updates, "updates", parts.update[step.options[0]])
    anew = "--from" in step.options  # runs no network
    maps = step.module == "train.weak.maps"
    each = 0.0 if anew else parts.row["tris"] if maps else parts.look
    return Cost(name, len(open_dataset(args.data)), "pictures", each)


def _measured_as(name: str) -> str:
    """The row that is as fast as one of a training: another of the same network."""
    if name in TRAINED and name not in MEASURED:
        return "bootstrap"
    return name


def measure(args: argparse.Namespace, folder: Path, names: set[str]) -> tuple[Parts, str]:
    """Does everything for a few pictures; writes to `folder` alone.

    Args:
        names: of the rows of Tables 1 and 4.

    Returns:
        What it took; and what stands in for what, in words.
    """
    import torch

    from train.data.export import export
    from train.evaluate.methods import ask
    from train.pseudo.make import look

    pictures = spread(open_dataset(args.data), PICTURES)
    pipeline, own = pipeline_of(args.model_set, args.tiny)
    parts = Parts()
    look(pictures[0], pipeline)  # loads what loads at its first use
    parts.look = _mean(_timed(look, picture, pipeline)[0] for picture in pictures)
    slow = args.model == "swin_b" and not torch.cuda.is_available()
    batch = min(args.batch, SLOW_BATCH) if slow else args.batch
    small = argparse.Namespace(**vars(args))
    small.data = str(export(pictures, folder / "data.jsonl", masks=True))
    small.out, small.batch, small.watch, small.workers = folder / "run", batch, 0, 1
    small.model_set = args.model_set if own else "mini"
    small.start = args.start or random_start(args.model, pictures, folder / "start")
    checkpoints = {}
    if not args.no_training:
        steps = trainings(args, args.seeds[0], [name for name in names if name in TRAINED])
        methods = {step.options[0] for step in steps}
        checkpoints = _train(small, [name for name in MEASURED if name in methods], parts)
        for method in parts.update:
            parts.update[method] *= args.batch / batch
    tests = spread(open_dataset(args.test[0]), PICTURES)
    rows = _rows(pipeline, args, names, checkpoints)
    asked, spent = [], {name: [0.0] * len(tests) for name in rows}
    for number, picture in enumerate(tests):
        seconds, question = _timed(ask, pipeline, picture)
        asked.append(seconds)
        for name, works in rows.items():
            spent[name][number] = sum(_timed(work, question)[0] for work in works)
    counted = slice(1 if len(tests) > 1 else 0, None)
    parts.asked = _mean(asked[counted])
    parts.row = {name: _mean(times[counted]) for name, times in spent.items()}
    made_up = (
        "its weights" if own else f"{'tiny' if args.tiny else 'true'} networks of random weights"
    )
    if batch != args.batch:
        made_up += f"; updates of {batch} pictures, × {args.batch / batch:g}"
    return parts, made_up


def _train(small: argparse.Namespace, names: Sequence[str], parts: Parts) -> dict[str, Path]:
    """Trains by each method, first a little and then `UPDATES` more: what the first takes, such as
    to begin and to write the checkpoint, is not the updates'. Returns name → checkpoint."""
    seconds: dict[tuple[str, int], float] = {}
    checkpoints = {}
    out, first = small.out, small.out.with_name("first")
    for steps, small.out in ((1, first), (1 + UPDATES, out)):
        small.steps = steps
        for step in trainings(small, small.seeds[0], names):
            said = StringIO()
            with redirect_stderr(said), redirect_stdout(said):
                step.run()
            state = read_state(step.output) if step.module == "train.fit" else None
            if state:
                name = step.output.name
                seconds[name, steps] = state["seconds"]
                checkpoints[name] = step.output
        if steps == 1:
            shutil.rmtree(first)
    for name in checkpoints:
        training = TRAINED[name]
        took = seconds[name, 1 + UPDATES] - seconds[name, 1]
        parts.update[training.method] = max(0.0, took) / (UPDATES * training.length)
    return checkpoints


def _rows(
    pipeline: Pipeline, args: argparse.Namespace, names: Iterable[str], trained: Mapping[str, Path]
) -> dict[str, list[Callable[[Any], Any]]]:
    """Name of a row → what it does with a question; those that the set lacks are left out."""
    test = args.test[0]
    cells = [Cell(name, test) for name in names if name not in TRAINED]
    cells += [Cell(name, test, folder) for name, folder in trained.items()]
    cells += [] if args.no_stages else [Cell(ABLATIONS, test)]
    rows = {}
    for cell in cells:
        try:
            tables = tables_of(cell, pipeline, args.model_set)
        except InputError:
            continue
        rows[cell.row] = [row.masks for row in chain.from_iterable(tables.values())]
    return rows


def _timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    """Seconds, and what it returns."""
    start = time.perf_counter()
    done = work(*arguments)
    return time.perf_counter() - start, done


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
