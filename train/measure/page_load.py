"""Lets many visitors use the page at once, and checks their answers and the page's memory.

python -m train page-load                             # 30 clients, two minutes, on a page it starts
python -m train page-load --clients 3 --seconds 20
python -m train page-load --url http://127.0.0.1:7860 --pid 1234   # a page that runs already

Each client calls /segment repeatedly with a picture size and words of its own; all its answers must
equal the first. A full queue is no error. The exit code is 1 if an answer is wrong, or if memory
grows by more than 10 % from the second quarter of the time to the last.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from gradio_client import Client, handle_file
from PIL import Image

from ssc.models.bundled import ASSETS
from train.measure.page import start_page

SCENES = sorted((ASSETS / "examples").glob("*.jpg"))
WORDS = ("the left {}", "the {} on the right", "the big {}", "{} in the middle")
NOUNS = ("man", "laptop", "cup", "dog", "car")
GROWTH = 1.10


def make_picture(number: int, folder: Path) -> tuple[Path, int]:
    """A scene at a width that no other client's picture has, and that width."""
    width = 320 + number
    path = folder / f"client-{number}.png"
    Image.open(SCENES[number % len(SCENES)]).resize((width, 240)).save(path)
    return path, width


def ask_often(url: str, number: int, folder: Path, until: float, counts: Counter) -> None:
    """One client; counts its answers by outcome."""
    path, width = make_picture(number, folder)
    words = WORDS[number % len(WORDS)].format(NOUNS[number % len(NOUNS)]) + f" number {number}"
    client = Client(url, verbose=False)
    first = None
    while time.monotonic() < until:
        try:
            answer = client.predict(handle_file(path), words, api_name="/segment")
        except Exception as error:
            full = "queue" in str(error).lower() and "full" in str(error).lower()
            counts["queue full" if full else f"error: {type(error).__name__}: {error}"] += 1
            time.sleep(1)
            continue
        if "error" in answer:
            counts[f"error: {answer['error']}"] += 1
            continue
        [record] = answer["results"]
        own = record["width"] == width and record["expressions"] == [words]
        mask = record["mask"], record["chosen"], record["image"]
        first = first or mask
        counts["right" if own and mask == first and record["image"] == path.name else "WRONG"] += 1


def memory_of(pid: int) -> float:
    """Resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def load(url: str, pid: int | None, clients: int, seconds: float) -> bool:
    """Runs the clients and prints the counts; returns whether all answers and memory are good."""
    counts: Counter = Counter()
    memory = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        arguments = [(url, n, Path(folder), start + seconds, counts) for n in range(clients)]
        threads = [threading.Thread(target=ask_often, args=row) for row in arguments]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if pid is not None:
                memory.append((time.monotonic() - start, memory_of(pid)))
            time.sleep(min(1, seconds / 20))
        for thread in threads:
            thread.join()
    for what, count in counts.most_common():
        print(f"{count:6d} {what}")
    good = counts["right"] > 0 and not set(counts) - {"right", "queue full"}
    if memory:
        warm = [mb for at, mb in memory if seconds / 4 <= at < seconds / 2]
        last = [mb for at, mb in memory if at >= 3 * seconds / 4]
        before, after = max(warm), max(last)
        print(f"memory: {before:.0f} MB in the second quarter, {after:.0f} MB in the last")
        good = good and after <= GROWTH * before
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train page-load", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--clients", type=int, default=30, help="default: 30")
    parser.add_argument("--seconds", type=float, default=120, help="default: 120")
    parser.add_argument("--url", help="page to use; default: starts one")
    parser.add_argument("--pid", type=int, help="process of --url, to watch its memory")
    parser.add_argument("--port", type=int, default=7877, help="for the page that it starts")
    args = parser.parse_args()
    if args.url:
        good = load(args.url, args.pid, args.clients, args.seconds)
    else:
        page = start_page(args.port)
        try:
            url = f"http://127.0.0.1:{args.port}"
            good = load(url, page.pid, args.clients, args.seconds)
        finally:
            page.terminate()
            page.wait()
    print("all well" if good else "NOT WELL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
