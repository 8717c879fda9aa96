"""Seconds, ratios, operations and differences of each step and of the whole."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssc.bench.steps import PIPELINE, REFERENCE, Task, fresh, in_float32
from ssc.models.bundled import ASSETS
from ssc.types import Candidates
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    import torch

    from ssc.pipeline import Pipeline

SIZE = (480, 640)  # of the picture: COCO's
PICTURE = ASSETS / "examples" / "people.jpg"
SIDES = ["left", "right", "front", "back", "top", "bottom", "middle", "far"]
SHADES = ["red", "blue", "green", "white", "black", "yellow", "tall", "old"]
WHOLES = {
    "S+S": ("classes", "boxes", "masks", "select"),
    "S+S+C": ("classes", "boxes", "masks", "select", "correct"),
}


STEPS = ("classes", "boxes", "miss", "masks", "select", "correct")
"""Of `steps.PIPELINE`. A miss is no part of a whole."""


class Settings(NamedTuple):
    """How much is asked for in a pass, and how often."""

    boxes: int
    expressions: int
    repeats: int
    warmup: int


def make_tasks(settings: Settings) -> list[Task]:
    """A task for each pass, each with another picture and other words: nothing is kept of them.

    Pictures are one example picture, shifted; all expressions are about one class, as they are in
    RefCOCO; candidates are ellipses side by side.
    """
    import cv2

    from ssc.images import load_image

    height, width = SIZE
    n = settings.boxes
    image = cv2.resize(load_image(PICTURE), (width, height), interpolation=cv2.INTER_AREA)
    left = np.linspace(0, width * 0.7, n)
    boxes = np.stack(
        [left, left * 0 + height * 0.2, left + width * 0.3, left * 0 + height * 0.8], 1
    )
    y, x = np.mgrid[:height, :width]
    centre, radius = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    masks = np.stack(
        [
            ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
            for (cx, cy), (rx, ry) in zip(centre, radius)
        ]
    )
    ones = np.ones(n, np.float32)
    tasks = []
    for i in range(settings.warmup + settings.repeats + 1):
        name = COCO_80[i % len(COCO_80)]
        texts = tuple(f"the {word} {name}" for word in (SIDES + SHADES)[: settings.expressions])
        candidates = Candidates(boxes.astype(np.float32), ones, (name,) * n, masks, ones)
        tasks.append(Task(np.roll(image, 7 * i, axis=1), name, texts, candidates))
    return tasks


def measure(
    pipeline: Pipeline, settings: Settings, peak: float, steps: Sequence[str] = STEPS
) -> dict[str, Any]:
    """Times a pipeline and the reference on the same tasks, turn by turn.

    Args:
        pipeline: its networks are used by both; without a stage 3 that step is left out.
        peak: operations per second that the device is capable of, in units of 10¹².
        steps: of `steps.PIPELINE`.

    Returns:
        "settings", and "steps": for each step, and each whole that they add up to, the median
        "seconds" of the pipeline and of the "reference", their "ratio", "gflop" of the pipeline's
        networks and the "share" of `peak` that this makes, and the largest "difference" of the
        answers: of boxes in pixels, of scores and probabilities, or the share of names or
        of masks' pixels; None where they differ in number or are not numbers.
    """
    from tqdm import tqdm

    steps = [step for step in steps if step != "correct" or pipeline.correct is not None]
    *tasks, last = make_tasks(settings)
    if "classes" in steps:
        pipeline.segment.nouns("dog")  # spaCy is loaded at its first use
    ways = {"seconds": (PIPELINE, fresh(pipeline)), "reference": (REFERENCE, in_float32(pipeline))}
    times: dict[str, dict[str, list[float]]] = {way: {s: [] for s in steps} for way in ways}
    answers: dict[str, dict[str, list]] = {way: {} for way in ways}
    for task in tqdm(tasks, unit="pass", leave=False):
        for way, (functions, parts) in ways.items():
            for step in steps:
                start = perf_counter()
                answers[way][step] = functions[step](parts, task)
                times[way][step].append(perf_counter() - start)
    flops = count_flops(ways["seconds"][1], last, steps)
    rows: dict[str, tuple[str, ...]] = {step: (step,) for step in steps}
    rows |= {whole: parts for whole, parts in WHOLES.items() if set(parts) <= set(steps)}
    figures = {}
    for row, own_steps in rows.items():
        medians = {
            way: median([sum(t) for t in zip(*(own[p] for p in own_steps))][settings.warmup :])
            for way, own in times.items()
        }
        gflop = sum(flops[p] for p in own_steps) / 1e9
        figures[row] = {
            **medians,
            "ratio": medians["reference"] / medians["seconds"],
            "gflop": gflop,
            "share": gflop / 1e3 / medians["seconds"] / peak,
        }
        if row in steps:
            own, reference = (answers[way][row] for way in ways)
            figures[row]["difference"] = difference(own, reference)
    return {"settings": settings._asdict(), "steps": figures}


def count_flops(pipeline: Pipeline, task: Task, steps: Sequence[str]) -> dict[str, int]:
    """Floating point operations of the networks in each step, two for a multiplication with its
    addition, as `torch.utils.flop_counter` counts them: matrix products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    counts = {}
    for step in steps:
        with FlopCounterMode(display=False) as counter:
            PIPELINE[step](pipeline, task)
        counts[step] = counter.get_total_flops()
    return counts


def difference(own: Sequence[Any], reference: Sequence[Any]) -> float | None:
    """The largest difference of answers; see `measure`."""
    largest = 0.0
    for ours, theirs in zip(own, reference, strict=True):
        if isinstance(ours, str):
            largest = max(largest, float(ours != theirs))
        elif ours.shape != theirs.shape:
            return None
        elif ours.dtype == np.bool_:
            largest = max(largest, float((ours != theirs).mean()) if ours.size else 0.0)
        elif not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            return None
        else:
            largest = max(largest, float(np.abs(ours - theirs).max(initial=0.0)))
    return largest


def matmul_peak(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """The fastest of several large square matrix products: what the networks could reach."""
    import torch

    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(30):
        start = perf_counter()
        (a @ b)[0, 0].item()  # waits for the device
        times.append(perf_counter() - start)
    return {"dtype": str(dtype).removeprefix("torch."), "tflops": 2 * side**3 / min(times) / 1e12}


def machine(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What the figures are of."""
    import torch

    name = _processor()
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
