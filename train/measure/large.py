"""What a phone's picture costs: a result's files, its memory, its masks.

python -m train.measure.large
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.correct import correct_at
from ssc.export import write_result, zip_result
from ssc.formats import jpeg
from ssc.images import load_image
from ssc.models.bundled import ASSETS
from ssc.page.parked import Parked, park, parked_bytes
from ssc.page.session import Session
from ssc.result import Result
from ssc.segment.sam import threshold_enlarged
from ssc.select import Select
from ssc.types import Candidates, ClassMatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT, WIDTH = 3000, 4000  # pixels
BOXES = 8


def main() -> int:
    """Prints seconds and megabytes; returns the exit code."""
    source, image, result = _question()
    _timed("ZIP of one result", lambda: zip_result("x", image, [result], "x.jpg"))
    with tempfile.TemporaryDirectory() as folder:
        _timed(
            "files of one result", lambda: write_result(Path(folder), "x", image, [result], "x.jpg")
        )
    logits = np.random.default_rng(0).normal(-1, 1, (BOXES, 768, 1024)).astype(np.float32)
    logits[:, 200:600, 100:400] += 3
    masks = np.zeros((BOXES, HEIGHT, WIDTH), np.bool_)

    def enlarge() -> None:
        for values, mask in zip(logits, masks):
            threshold_enlarged(values, mask)

    _timed(f"{BOXES} masks enlarged", enlarge)
    parked: list[Parked] = []
    session = Session("x.jpg", image, [result], source=source)
    session.answers()
    _timed("a session parked", lambda: parked.append(park(session)))
    print(f"a session: {parked_bytes() / 1e6:.0f} MB, {len(source) / 1e6:.1f} of them its file")
    _timed("a session opened", parked[0].open)
    return 0


def _question() -> tuple[bytes, NDArray[np.uint8], Result]:
    """A bundled picture's file, enlarged, with a camera's noise; ellipses are its candidates."""
    import cv2

    small = load_image(ASSETS / "examples" / "people.jpg")
    image = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 4, image.shape).astype(np.int16)
    source = jpeg(np.clip(image + noise, 0, 255).astype(np.uint8))
    image = load_image(source)
    masks = np.zeros((BOXES, HEIGHT, WIDTH), np.uint8)
    centres = np.linspace(300, WIDTH - 300, BOXES).astype(int)
    for mask, x in zip(masks, centres):
        cv2.ellipse(mask, (int(x), HEIGHT // 2), (280, 900), 0, 0, 360, 1, -1)
    y0, y1 = HEIGHT / 2 - 900, HEIGHT / 2 + 900
    boxes = np.array([[x - 280, y0, x + 280, y1] for x in centres], np.float32)
    scores = np.linspace(0.9, 0.5, BOXES).astype(np.float32)
    candidates = Candidates(
        boxes, scores, ("person",) * BOXES, masks.astype(np.bool_), np.ones(BOXES, np.float32)
    )
    match = ClassMatch("man", "person", 1.0)
    [result] = Select(None)(image, [Result(("the man",), (match,), candidates, image=image)])
    probability = cv2.GaussianBlur(masks[2].astype(np.float32), (0, 0), 40)
    correction = correct_at(probability, candidates, threshold=0.5)
    return source, image, replace(result, correction=correction)


def _timed(what: str, work: Callable[[], Any]) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    output = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    size = f", {len(output) / 1e6:.1f} MB" if isinstance(output, bytes) else ""
    print(f"{what}: {wall:.1f} s, {processor:.1f} s of a processor{size}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
