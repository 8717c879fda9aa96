"""`python -m ssc verify`: whether a model set works on this machine, for its user and maintainers.

python -m ssc verify                  # the default set
python -m ssc verify --models base    # another one
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import numpy as np

import ssc
from ssc.errors import InputError, WeightsError, told
from ssc.models.bundled import ASSETS
from ssc.models.published import SETS, Parts, files_of
from ssc.models.sets import MODEL_SETS, default_set, load
from ssc.weights.files import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline

PACKAGES = ("torch", "torchvision", "transformers", "open_clip_torch", "timm", "onnxruntime")
PICTURES = {"coffee.jpg": "cup", "people.jpg": "person", "horses.jpg": "horse"}
"""Bundled pictures, and a class that is in them. Only the first is a photograph."""
SQUARES = ((60, 80, 200, 220), (340, 140, 520, 320))  # XYXY of what is drawn on the plain picture
CLOSE = 0.7  # IoU from which a mask is that of a square

Check = tuple[str, Callable[[], str]]


def main(argv: Sequence[str]) -> int:
    """Prints a line for each check; returns 1 where one failed.

    Raises:
        OptionError: no such set.
        WeightsError: its files are missing.
    """
    parser = argparse.ArgumentParser(prog="python -m ssc verify", description=__doc__)
    parser.add_argument("--models", metavar="SET", choices=list(MODEL_SETS), help="the set")
    name = parser.parse_args(argv).models or default_set()
    print(f"model set {name}\n{_machine()}")
    started = time.perf_counter()
    pipeline = load(name)
    print(f"loaded in {time.perf_counter() - started:.1f} s, {_device(pipeline)}")
    failed = 0
    for what, check in _checks(name, pipeline):
        begun = time.perf_counter()
        try:
            found, mark = check(), "ok"
        except (InputError, RuntimeError, ValueError) as error:
            found, mark = told(error), "FAILED"
            failed += 1
        print(f"{mark:<7}{what}: {found} ({time.perf_counter() - begun:.1f} s)", flush=True)
    print("all checks passed" if not failed else f"{failed} checks FAILED: please report all this")
    return 1 if failed else 0


def _checks(name: str, pipeline: Pipeline) -> Iterator[Check]:
    files = files_of(name) if name in SETS else []
    for file in files:
        yield f"file {file.file} of {file.source}", partial(_hashed, file)
    yield "an empty picture has nothing", lambda: _nothing(pipeline)
    if name in SETS:  # mini knows no squares
        yield "masks of two squares", lambda: _squares(pipeline)
    yield "classes of three nouns", lambda: _classes(pipeline, isinstance(SETS.get(name), Parts))
    for picture, label in PICTURES.items():
        yield f"{picture}, S+S", partial(_answer, pipeline, picture, label)


def _hashed(file: Any) -> str:
    """The SHA-256 of a file that is here; told even where no one states what it should be."""
    found = digest(file.path)
    if file.sha256 and found != file.sha256:
        raise WeightsError(f"expected SHA-256 {file.sha256}, got {found}")
    size = file.path.stat().st_size
    return found if file.sha256 else f"{found}, {size} bytes; stated nowhere, please report"


def _nothing(pipeline: Pipeline) -> str:
    boxes, scores, _ = pipeline.segment.detector.detect(_plain(()), ["dog"])
    if len(boxes):
        return f"{len(boxes)} boxes, the best of {scores[0]:.2f}"
    return "no boxes"


def _squares(pipeline: Pipeline) -> str:
    """Boxes around drawn squares → their masks, which the segmenter is to find."""
    image = _plain(SQUARES)
    boxes = np.array(SQUARES, np.float32)
    masks, qualities = pipeline.segment.segmenter.segment(image, boxes)
    if not np.isfinite(qualities).all():
        raise WeightsError(f"expected finite qualities, got {qualities}")
    ious = []
    for mask, (x0, y0, x1, y1) in zip(masks, SQUARES):
        square = np.zeros(mask.shape, np.bool_)
        square[y0:y1, x0:x1] = True
        ious.append((mask & square).sum() / (mask | square).sum())
    if min(ious) < CLOSE:
        raise WeightsError(f"expected IoU of {CLOSE} or more, got {min(ious):.2f}")
    return f"IoU {', '.join(f'{iou:.2f}' for iou in ious)}"


def _classes(pipeline: Pipeline, sure: bool) -> str:
    """What the projection makes of words that are no classes; a published CLIP is sure of them."""
    matches = pipeline.segment.classes(["puppy", "automobile", "sofa"])
    found = [match.name for match in matches]
    if sure and found != ["dog", "car", "couch"]:
        raise WeightsError(f"expected dog, car, couch for puppy, automobile, sofa, got {found}")
    return ", ".join(f"{m.noun} {m.name} {m.similarity:.2f}" for m in matches)


def _answer(pipeline: Pipeline, picture: str, label: str) -> str:
    [result] = pipeline(ASSETS / "examples" / picture, [f"the left {label}"])
    labels = result.candidates.labels
    seconds = " ".join(f"{step} {took:.1f}" for step, took in result.timings.items())
    scores = " ".join(f"{score:.2f}" for score in result.candidates.scores)
    answer = result.answer
    return (
        f"{len(labels)} {label} ({scores}), answer {answer.number} by {answer.by}, "
        f"{answer.mask.mean():.1%} of the picture; {seconds}"
    )


def _plain(squares: Sequence[tuple[int, int, int, int]]) -> NDArray[np.uint8]:
    """A green picture of 640×480 with red squares."""
    image = np.full((480, 640, 3), (96, 140, 90), np.uint8)
    for x0, y0, x1, y1 in squares:
        image[y0:y1, x0:x1] = (200, 40, 40)
    return image


def _machine() -> str:
    here = f"ssc {ssc.__version__}, Python {platform.python_version()}"
    return f"{here}, {platform.system()} {platform.machine()}; {_packages()}"


def _packages() -> str:
    here = {found.name: found.version for found in distributions()}
    return ", ".join(f"{name} {here.get(name, 'none')}" for name in PACKAGES)


def _device(pipeline: Pipeline) -> str:
    import torch

    device = getattr(pipeline.segment.segmenter, "device", torch.device("cpu"))
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()}"
    return f"on {name}" if device.type == "cuda" else f"on the processor, {name} threads"
