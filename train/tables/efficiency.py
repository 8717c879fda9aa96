"""Seconds a sample of four methods (§4.1, "Efficiency Comparison"), as ratios to S+S+C.

The networks are the published ones with random weights, as of `ssc bench`: times only. A sample is
a picture with one expression. Stage 1 hands five candidates on. FreeSOLO and SAM look for all that
is in the picture; GL-CLIP then chooses among as many masks as the paper counts, 49 and 111. S+S+C
is stage 3 alone, as once trained it needs no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ssc.bench.measure import Settings, machine, make_tasks
from ssc.bench.networks import random_freesolo, random_pipeline
from ssc.bench.report import title
from ssc.bench.steps import PIPELINE, Task, fresh
from ssc.devices import best_device, best_dtype
from train.evaluate.baselines import Everything
from train.evaluate.global_local import GlobalLocal
from train.evaluate.tables import write_json
from train.tables import paper

if TYPE_CHECKING:
    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.freesolo import FreeSolo
    from ssc.segment.sam import SamSegmenter

SETS = ("base", "paper")  # those with SAM
CANDIDATES = 5  # of RefCOCO's classes, rounded up
FULL = "S+S+C"
HEADS = ("", "seconds", "ratio", "paper, A40", "ratio")


class Speed(TypedDict):
    """A table of times: all cells as they are printed."""

    caption: str
    machine: str
    heads: tuple[str, ...]
    rows: list[list[str]]


def measured(models: str, passes: int, folder: Path, tiny: bool = False) -> dict[str, Any]:
    """Median seconds of `passes`, one after the other; kept in a file of `folder`.

    Args:
        models: one of `SETS`.
        tiny: tiny networks in place of the published ones; whether it runs.

    Returns:
        "machine": in words; "seconds": method → seconds a sample.
    """
    device = best_device()
    dtype = best_dtype(device)
    where = title({"machine": machine(device, dtype)})
    of = {"models": models, "passes": passes, "machine": where, "tiny": tiny, "with": "FreeSOLO"}
    digest = sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"seconds-{digest}.json"
    if not path.exists():
        pipeline = random_pipeline(models, device, dtype, tiny)
        seconds = time_all(pipeline, random_freesolo(device, tiny), passes)
        write_json(path, {"of": of, "machine": where, "seconds": seconds})
    return json.loads(path.read_text())


def time_all(pipeline: Pipeline, freesolo: FreeSolo, passes: int) -> dict[str, float]:
    """Method → median seconds a sample, each pass with a picture that is new to the networks."""
    masks = paper.figures()["masks a sample"]
    pipeline.segment.nouns("dog")  # spaCy is loaded at its first use
    global_local = GlobalLocal(cast("Clip", pipeline.select.clip))
    everything = Everything(cast("SamSegmenter", pipeline.segment.segmenter))

    def select_global(task: Task) -> None:
        global_local(task.image, task.candidates.masks, task.expressions[0], task.name)

    def select_global_of_freesolo(task: Task) -> None:
        freesolo.everything(task.image)
        select_global(task)

    def select_global_of_sam(task: Task) -> None:
        everything(task.image)
        select_global(task)

    def run(*steps: str) -> Callable[[Task], None]:
        def passed(task: Task) -> None:
            for step in steps:
                PIPELINE[step](own, task)

        own = fresh(pipeline)
        return passed

    ways: dict[str, tuple[int, Callable[[Task], None]]] = {
        "GL-CLIP": (masks["FreeSOLO"], select_global_of_freesolo),
        "GL-CLIP (SAM)": (masks["SAM"], select_global_of_sam),
        "S+S": (CANDIDATES, run("classes", "boxes", "masks", "select")),
        FULL: (CANDIDATES, run("correct")),
    }
    seconds = {}
    for name, (count, work) in ways.items():
        times = []
        for task in make_tasks(Settings(count, 1, passes, 0))[:passes]:
            start = perf_counter()
            work(task)
            times.append(perf_counter() - start)
        seconds[name] = median(times)
    return seconds


def table(models: str, figure: Mapping[str, Any]) -> Speed:
    """Of `measured`."""
    ours, theirs = figure["seconds"], paper.figures()["seconds a sample, A40"]
    rows = [
        [
            name,
            f"{ours[name]:.3g}",
            f"{ours[name] / ours[FULL]:.1f}",
            f"{theirs[name]:.2f}",
            f"{theirs[name] / theirs[FULL]:.1f}",
        ]
        for name in ours
    ]
    caption = f"Efficiency: seconds a sample, {models} set with random weights"
    return Speed(caption=caption, machine=figure["machine"], heads=HEADS, rows=rows)
