"""The rows of Tables 1 and 4, what each is computed from, and the trainings that they need."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace

from train.run.steps import Step
from train.run.study import looking, step_of
from train.run.study_trainings import TRAININGS, Training, needed

MAPS = "tris-maps"
SYSTEM_TRAININGS = {
    "tseg": Training("TSEG", "tseg", None, length=2),
    "tris": Training("TRIS maps", "tris", None, length=1),
    "tris-segmenter": Training("TRIS", "bootstrap", MAPS, length=1),
    "gather": Training("Shatter & Gather", "gather", None, length=2),
}
"""Text-supervised, for as many updates as S+S+C has in all. TRIS has half of them for its maps and
half for a segmenter, which learns from these maps and starts as all trainings do (its second step).
"""
TRAINED = TRAININGS | SYSTEM_TRAININGS

TABLE_1 = (
    *("whole", "random", "gl-clip-freesolo", "gl-clip", "sam+select", "best-box", "s+s", "words"),
    *("tseg", "tris", "tris-segmenter", "gather", "correct", "best", "supervised", "oracle"),
)
TABLE_4 = ("bootstrap", "plus", "correct")
"""Names of `train.evaluate --rows` or of `TRAINED`."""
TITLES = {"Random": "random", "S+S": "s+s", "S+S with words": "words", "Oracle": "oracle"} | {
    training.title: name for name, training in TRAINED.items() if training.title
}
"""Title in the figures of `train study` → name."""


def trainings(args: argparse.Namespace, seed: int, names: Iterable[str]) -> list[Step]:
    """The steps that make the checkpoints of `names`, each after what it starts from.

    Args:
        args: of `train.run.study.add_world`.
        names: of `TRAINED`.
    """
    wanted = needed(names, TRAINED, _before)
    steps = looking(args, {TRAINED[name].store for name in wanted})
    made: dict[str, Step] = {}
    for name in wanted:
        training = TRAINED[name]
        start = made[training.start].output if training.start else args.start
        if training.store == MAPS:
            folder = args.out / f"seed-{seed}" / MAPS
            options = [str(made["tris"].output), "--data", args.data, "--out", str(folder)]
            steps.append(Step(f"seed {seed}, TRIS' maps", "train.weak.maps", options, folder))
            training = replace(training, store=str(folder.relative_to(args.out)))
        made[name] = step_of(args, seed, name, training, start)
        steps.append(made[name])
    return steps


def _before(training: Training) -> str | None:
    """The training that one needs first."""
    return "tris" if training.store == MAPS else training.start
