"""The steps of `python -m train run`: each one's command, and whether its output is complete."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ssc.processors import processors
from train.fit.options import heeded
from train.review.decisions import FILE as REVIEWS
from train.run.child import run_child

START = "Start"  # row of the checkpoint that a run's trainings start from
FILES = (".json", ".safetensors", ".txt")  # of a checkpoint; other files are the training's
WATCHED = 32  # pictures of each training that the report draws over time


@dataclass(frozen=True)
class Recipe:
    """What a run is made of.

    Attributes:
        methods: of `train.fit`; each training starts from the one before.
        spatial: whether words count in S2 (`ssc.select.spatial`).
        prior: added to the score of S2's choice in matching; `python -m train matching` measures
            what it is worth.
    """

    methods: tuple[str, ...]
    spatial: bool = False
    prior: float = 0.0

    @property
    def supervised(self) -> bool:
        """Whether it reads true masks, and no pseudo-masks."""
        return "supervised" in self.methods


RECIPES = {
    "paper": Recipe(("bootstrap", "correct")),
    "best": Recipe(("bootstrap", "correct", "correct"), spatial=True, prior=0.5),
    "tune": Recipe(("correct",), spatial=True, prior=0.5),
    "supervised": Recipe(("supervised",) * 3),
}
"""Name → recipe.

- paper: one round of matching, by soft IoU alone (§3.3).
- best: beyond the paper, with words counted in S2, a prior for S2, and two rounds of matching.
- tune: for a checkpoint that is already corrected; a bootstrap teaches it S2's mistakes again.
- supervised: as many trainings as best, on true masks: the upper bound.
"""


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
            # torchrun is a module too: it comes first, and is told of ours by its own -m.
            launch = [*self.launch[1:], "-m"] if self.launch else []
            if status := run_child([*launch, self.module, *self.options], locks, self._shared()):
                sys.exit(f"error: this ended with status {status}: {self.command}")
            return
        import torch

        threads, argv = torch.get_num_threads(), sys.argv
        sys.argv = [f"python -m {self.module}", *self.options]
        try:
            spec = find_spec(self.module)
            package = spec is not None and spec.submodule_search_locations  # as python -m has it
            import_module(f"{self.module}.__main__" if package else self.module).main()
        finally:
            sys.argv = argv
            torch.set_num_threads(threads)  # stages 1 and 2 take one each

    def _shared(self) -> dict[str, str]:
        """The environment: several processes share the cores, where torchrun gives one to each."""
        if not self.launch:
            return dict(os.environ)
        processes = int(self.launch[-1])  # of --nproc_per_node
        return {"OMP_NUM_THREADS": str(max(1, processors() // processes)), **os.environ}


def steps(args: argparse.Namespace) -> list[Step]:
    """All of them, in order."""
    out, python, recipe = args.out, (), RECIPES[args.recipe]
    store, guided = args.shared / "pseudo", args.shared / "spatial"
    # Real networks have a process of their own, which gives their memory back.
    looked = python if args.model_set != "mini" else None
    pseudo = ["--data", args.data, "--models", args.model_set, "--out", str(store)]
    pseudo += ["--workers", str(args.workers), *_gates(args)]
    plan = []
    if not recipe.supervised:
        plan.append(Step("S1 and S2, stages 1 and 2", "train.pseudo", pseudo, store, looked))
    if recipe.spatial:
        anew = ["--from", str(store), "--out", str(guided)]
        plan.append(Step("S2 with words counted", "train.pseudo", anew, guided))
        store = guided
    trainings: list[Step] = []
    for number, method in enumerate(recipe.methods):
        again = recipe.methods[:number].count(method)
        init = trainings[-1].output if trainings else args.init
        trainings.append(_training(args, method, store, init, recipe.prior, again))
    plan += trainings
    if args.measured:
        table = out / "evaluation.json"
        options = ["--models", args.model_set, "--data", *args.measured]
        options += ["--scenes", str(args.measure)] if args.measure else []
        options += ["--rows", "random", "s+s", "oracle", "--together", "--checkpoint"]
        options += [f"{START}={args.init}"] if args.init else []
        if "bootstrap" in recipe.methods:
            options.append(f"ZSBootstrap={trainings[0].output}")
        options.append(f"{'supervised' if recipe.supervised else 'S+S+C'}={out / 'checkpoint'}")
        options += [*_gates(args), "--json", str(table)]
        plan.append(Step("evaluate", "train.evaluate", options, table, looked))
    return [*plan, Step("report", "train.run.report", [str(out)], out / "report.html")]


def _training(
    args: argparse.Namespace,
    method: str,
    store: Path,
    init: Path | None,
    prior: float,
    again: int,
) -> Step:
    """A training on the pseudo-masks of `store`, or on true masks; `again` counts those of its kind
    before it, from whose batches its own differ."""
    launch: tuple[str, ...] | None = () if args.model != "mini" else None
    if args.processes > 1:
        launch = ("-m", "torch.distributed.run", "--nproc_per_node", str(args.processes))
    folder = args.out / (f"{method}-{again + 1}" if again else method)
    options = [method, "--data", args.data, "--model", args.model]
    options += ["--store", str(store)] if method != "supervised" else []
    reviews = args.shared / "pseudo" / REVIEWS
    if method != "supervised" and reviews.exists():
        options += ["--reviews", str(reviews)]
    options += ["--cache", str(args.shared / "cache"), "--workers", str(args.workers)]
    options += ["--val", args.val] if args.val else []
    options += ["--watch", str(WATCHED), *_gates(args)]
    options += ["--prior", str(prior)] if prior and method == "correct" else []
    options += heeded(method, RECIPES[args.recipe].methods, args.fit)
    options += ["--seed", str(args.seed + again)] if again else []
    options += ["--out", str(folder)]
    options += ["--init", str(init)] if init else []
    title = f"{method}, {LEARNS[method]}" + (f", round {again + 1}" if again else "")
    return Step(title, "train.fit", options, folder, launch)


def _gates(args: argparse.Namespace) -> list[str]:
    return ["--allow-missing"] if args.allow_missing else []


LEARNS = {
    "bootstrap": "on the masks of S2",
    "correct": "by matching over S1",
    "supervised": "on true masks",
}


def last_training(plan: Sequence[Step]) -> Step:
    """The training whose checkpoint is the run's result."""
    return [step for step in plan if step.module == "train.fit"][-1]


def complete(step: Step) -> bool:
    """Whether there is nothing left to do."""
    if step.module in ("train.pseudo", "train.weak.maps"):
        from train.pseudo.store import missing_shards, read_manifest

        manifest = read_manifest(step.output)
        return manifest is not None and not missing_shards(step.output, manifest["pictures"])
    if step.module == "train.fit":
        state = read_state(step.output)
        weights = step.output / "model.safetensors"
        return bool(state and weights.exists() and state["update"] == state["run"]["updates"])
    if step.module == "train.evaluate" and step.output.exists():
        return json.loads(step.output.read_text())["command"] == step.command
    if step.module == "train.data":  # it goes on by itself, and its file may be part of it
        return False
    return step.output.exists()


def read_state(folder: Path) -> dict[str, Any] | None:
    """A training's `state.pt` without its weights in memory, None where there is none."""
    import torch

    file = folder / "state.pt"
    return torch.load(file, "cpu", weights_only=True, mmap=True) if file.exists() else None
