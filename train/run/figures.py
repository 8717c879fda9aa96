"""What is drawn of a run's trainings: curves, and matches over time (the paper's figure 6)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import InputError
from train.data import open_dataset
from train.fit.watch import Watched, read_watched
from train.run import figure6
from train.run.curves import COLOURS, Rows, curves

if TYPE_CHECKING:
    from train.run.figure6 import Truth


def watched_of(folder: Path) -> dict[str, Watched]:
    """Training → its watched pictures, where it has looked at them."""
    found = {name: read_watched(folder / name) for name in COLOURS}
    return {name: own for name, own in found.items() if own is not None and own.matched}


def truth_in(data: str, watched: Mapping[str, Watched]) -> Truth | None:
    """The watched objects' right candidates; None where they are not known."""
    if watched:
        with suppress(InputError, OSError):  # the data may be missing
            return figure6.truth_of(next(iter(watched.values())), open_dataset(data))
    return None


def curves_of(
    logs: Mapping[str, Rows], watched: Mapping[str, Watched], truth: Truth | None
) -> tuple[Any, str] | None:
    """The figure of all trainings' logs, and a sentence about it; None before the first update."""
    if not any(logs.values()):
        return None
    right = {}
    if truth is not None:
        for name, own in watched.items():
            right[name] = {u: truth.share(masks) for u, masks in own.matched.items()}
    return curves(logs, right), _counted(truth)


def matches_of(watched: Mapping[str, Watched], truth: Truth | None) -> tuple[Any, str] | None:
    """Figure 6 and its sentence; None where no match is worth a look."""
    objects = figure6.worth_drawing(watched, truth) if watched else []
    return figure6.draw(watched, truth, objects) if objects else None


def _counted(truth: Truth | None) -> str:
    if truth is None:
        return ""
    return f"*Right*: share of the {len(truth.counted)} watched objects with a right candidate."
