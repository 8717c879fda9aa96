"""Times a model set, on the committed scenes or other pictures, and of mini the page's start too.

python -m train bench                                        # mini; prints JSON
python -m train bench --models pocket --data photos:FOLDER   # first and next expressions alone
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from train.measure.page import start_page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNT = 20
WARM_UP = 3


def scenes() -> list[tuple[NDArray[np.uint8], list[str]]]:
    """Committed scenes at 640×480, each with its expressions."""
    import cv2

    from train.data.slice import read_slice

    return [
        (
            cv2.resize(scene.image, (640, 480), interpolation=cv2.INTER_CUBIC),
            [e["text"] for o in scene.objects for e in o["expressions"]],
        )
        for scene in read_slice()[: COUNT + 1]
    ]


def pictures(source: str) -> list[tuple[NDArray[np.uint8], list[str]]]:
    """Pictures of a data set with their expressions, those with two or more."""
    from train.data import open_dataset

    data = open_dataset(source)
    loaded = [data[k] for k in range(min(len(data), COUNT + 1))]
    questions = [(p.image, [text for o in p.objects for text in o.expressions]) for p in loaded]
    return [(image, texts) for image, texts in questions if len(texts) > 1]


def expressions(
    models: str, questions: Sequence[tuple[NDArray[np.uint8], list[str]]]
) -> dict[str, float]:
    """Median seconds of a first and a second expression about a picture, models loaded.

    Args:
        questions: pictures, RGB uint8 H×W×3, each with two expressions or more; the last one is for
            what loads at its first use.
    """
    import ssc

    start = time.perf_counter()
    pipeline = ssc.load(models)
    *rest, (first, texts) = questions
    pipeline(first, texts[:1])
    loaded = time.perf_counter() - start
    cold: list[float] = []
    second: list[float] = []
    for image, texts in rest:
        for text, seconds in zip(texts, (cold, second)):
            start = time.perf_counter()
            pipeline(image, [text])
            seconds.append(time.perf_counter() - start)
    return {
        "load and first call, s": loaded,
        "first expression, median s": statistics.median(cold),
        "first expression, most s": max(cold),
        "next expression, median s": statistics.median(second),
        "next expression, most s": max(second),
        "peak memory, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def latencies(count: int) -> Iterator[float]:
    """Seconds of two expressions about a picture that is new each time."""
    import ssc
    from train.data.slice import read_slice

    pipeline, image = ssc.load("mini"), read_slice()[0].image.copy()
    for number in range(-WARM_UP, count):
        image[0, 0], image[0, 1] = number % 256, number // 256 % 256
        start = time.perf_counter()
        pipeline(image, ["dog", "the left one"])
        if number >= 0:
            yield time.perf_counter() - start


def beside() -> dict[str, float]:
    """Median seconds of two expressions alone, and beside another process that asks likewise."""
    alone = statistics.median(latencies(COUNT))
    other = (
        "from train.measure.bench import latencies\nfor _ in latencies(10 ** 9): print(flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", other], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is at work
        Thread(target=process.stdout.read, daemon=True).start()
        both = statistics.median(latencies(COUNT))
        process.kill()
    return {
        "two expressions, alone, median s": alone,
        "beside another, median s": both,
        "beside another / alone": both / alone,
    }


def page() -> dict[str, float]:
    """Seconds from `python demo_app.py` until the page answers, and its peak memory then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    with start_page(port) as process:
        seconds = time.perf_counter() - start
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"page ready, s": seconds, "page's peak memory, GB": int(peak.split()[1]) / 1e6}


def command_line() -> dict[str, float]:
    """Median seconds of `python -m ssc --help`."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ssc", "--help"], capture_output=True)
        times.append(time.perf_counter() - start)
    return {"python -m ssc --help, median s": statistics.median(times)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--models", default="mini", help="model set; default: mini")
    parser.add_argument("--data", metavar="SOURCE", help="pictures, as of train.evaluate's --data")
    args = parser.parse_args()
    figures: dict[str, Any] = {"cores": os.cpu_count()}
    if args.models == "mini" and not args.data:
        figures |= {**command_line(), **page(), **beside()}
    figures |= expressions(args.models, pictures(args.data) if args.data else scenes())
    print(json.dumps({k: round(v, 3) for k, v in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
