"""Times the workbench in a browser: from a key to the next picture, with many objects.

python -m train workbench-speed --objects 10000 --keys 200

Makes a store of the committed scenes, again and again under other names, opens the workbench on it
in a process of its own, and decides with Enter. Prints milliseconds from key to next picture, and
the memory of page and server at the start and at the end. Needs chromium and playwright.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import numpy as np

from ssc.entry import command
from ssc.metrics import mask_box
from ssc.types import Candidates
from train.data.slice import SLICE, read_slice
from train.pseudo.records import PseudoObject, PseudoPicture
from train.pseudo.store import SHARD, SOURCE, begin, missing_shards, write_shard

PORT = 7879
PAUSE = 200  # ms between keys: 5 decisions a second
WAIT = 120  # seconds for the server to begin


def write_store(folder: Path, objects: int) -> Path:
    """S1 and S2 of at least so many objects, whose candidates are the scene's true masks."""
    records, rows = [], []
    for scene in read_slice():
        boxes = np.stack([mask_box(mask) for mask in scene.masks])
        ones = np.ones(len(boxes), np.float32)
        labels = tuple(str(entry["category"]) for entry in scene.objects)
        candidates = Candidates(boxes, ones, labels, scene.masks, ones)
        own = []
        for k, entry in enumerate(scene.objects):
            if texts := tuple(e["text"] for e in entry["expressions"]):
                score = np.random.default_rng(k).normal(0.2, 0.01, (len(texts), len(boxes)))
                own.append(
                    PseudoObject(str(k), texts, labels[:1], candidates, score.astype("f4"), k)
                )
        records.append(PseudoPicture(scene.name, scene.masks.shape[1:], tuple(own)))
        texts_of = [
            {"name": referent.name, "expressions": referent.expressions} for referent in own
        ]
        rows.append({"image": str(SLICE / f"{scene.name}.jpg"), "objects": texts_of})
    each = sum(len(picture.objects) for picture in records)
    count = len(records) * -(-objects // each)
    names = [f"{records[k % len(records)].name} {k}" for k in range(count)]
    data = folder / "data.jsonl"
    lines = (json.dumps({**rows[k % len(rows)], "name": name}) for k, name in enumerate(names))
    data.write_text("".join(f"{line}\n" for line in lines))
    store = folder / "store"
    begin(store, {"pictures": count, SOURCE: str(data), "models": "mini"})
    for shard in missing_shards(store, count):
        places = range(shard * SHARD, min((shard + 1) * SHARD, count))
        pictures = [
            PseudoPicture(
                names[k], records[k % len(records)].size, records[k % len(records)].objects
            )
            for k in places
        ]
        write_shard(store, shard, pictures)
    return store


def resident(pid: int) -> float:
    """MB of memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3


def measure(store: Path, keys: int, port: int) -> dict[str, float]:
    """Milliseconds and MB by name."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    start = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "train", "workbench", str(store), "--port", str(port)]
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait(url)
        figures = {"start, s": time.perf_counter() - start}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"],
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url)
            page.wait_for_selector("#canvas image")
            page.wait_for_timeout(2000)
            heap = "(gc(), performance.memory.usedJSHeapSize / 1e6)"
            delays, before = [], (page.evaluate(heap), resident(server.pid))
            for _ in range(keys):
                number = page.evaluate("document.body.dataset.object")
                page.evaluate("window.delay = null")
                page.keyboard.press("Enter")
                page.wait_for_function("window.delay !== null", polling=20)
                delays.append(page.evaluate("window.delay"))
                assert page.evaluate("document.body.dataset.object") != number
                page.wait_for_timeout(PAUSE)
            after = page.evaluate(heap), resident(server.pid)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    figures |= {f"{q} % of keys, ms": float(np.percentile(delays, q)) for q in (50, 90, 95, 99)}
    figures |= {"page at first, MB": before[0], "page at last, MB": after[0]}
    return figures | {"server at first, MB": before[1], "server at last, MB": after[1]}


def _wait(url: str) -> None:
    end = time.monotonic() + WAIT
    while not _answers(url):
        if time.monotonic() > end:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        urlopen(f"{url}api/progress").read()
    except OSError:
        return False
    return True


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train workbench-speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--objects", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--keys", type=int, default=200, help="decisions; default: 200")
    parser.add_argument("--port", type=int, default=PORT)
    args = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        store = write_store(Path(folder), args.objects)
        for name, value in measure(store, args.keys, args.port).items():
            print(f"{name}: {value:.1f}")


if __name__ == "__main__":
    main()
