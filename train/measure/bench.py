"""Times the bundled models on the committed scenes, the command line, and the page's start.

python -m train bench            # prints JSON
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
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

from train.measure.page import start_page

COUNT = 20
WARM_UP = 3


def expressions() -> dict[str, float]:
    """Median seconds of a first and a second expression about a 640×480 image, models loaded."""
    import cv2

    import ssc
    from train.data.slice import read_slice

    start = time.perf_counter()
    pipeline = ssc.load("mini")
    scenes = read_slice()[: COUNT + 1]
    pipeline(scenes.pop().image, ["dog"])
    loaded = time.perf_counter() - start
    cold: list[float] = []
    second: list[float] = []
    for scene in scenes:
        image = cv2.resize(scene.image, (640, 480), interpolation=cv2.INTER_CUBIC)
        texts = [e["text"] for o in scene.objects for e in o["expressions"]][:2]
        for text, seconds in zip(texts, (cold, second)):
            start = time.perf_counter()
            pipeline(image, [text])
            seconds.append(time.perf_counter() - start)
    return {
        "load and first call, s": loaded,
        "cold image, median s": statistics.median(cold),
        "second expression, median s": statistics.median(second),
        "peak memory, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def asked(count: int) -> Iterator[float]:
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
    alone = statistics.median(asked(COUNT))
    other = "from train.measure.bench import asked\nfor _ in asked(10 ** 9): print(flush=True)"
    with subprocess.Popen([sys.executable, "-c", other], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is at work
        Thread(target=process.stdout.read, daemon=True).start()
        both = statistics.median(asked(COUNT))
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
    argparse.ArgumentParser(prog="python -m train bench", description=__doc__).parse_args()
    figures: dict[str, Any] = {"cores": os.cpu_count(), **command_line(), **page()}
    figures |= {**expressions(), **beside()}
    print(json.dumps({k: round(v, 3) for k, v in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
