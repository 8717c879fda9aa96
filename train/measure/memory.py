"""Measures the memory that training data take, by number of pictures.

python -m train memory                                  # 1,000, 10,000 and 100,000 pictures
python -m train memory --pictures 1000 4000

Pictures are RefSprites' committed scenes, scaled to 24×32 pixels and repeated under new names, so
that only their number matters. JSONL file, S1 and S2, cache and batches are those of a training.
Each number is the private memory of a fresh process in MB. Files mapped to memory do not count:
the kernel can take those pages back.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from train.markdown import table

SIZE = (24, 32)  # of picture and masks, height and width
BATCHES = 300
ROWS = {
    "start": "libraries",
    "data": "+ JSONL file open",
    "store": "+ S1 and S2 open, 1,000 pictures read",
    "cache": "+ cache filled",
    "train": "training: libraries, cache, 300 batches",
}


def write(folder: Path, count: int) -> None:
    """A data set of `count` pictures, `pictures.jsonl`, and its S1 and S2, `store`."""
    from train.data.slice import read_slice
    from train.pseudo.records import encode
    from train.pseudo.store import SHARD, begin, shard_file

    scenes = read_slice()
    records = [encode(_stored(scene)) for scene in scenes]
    for k, scene in enumerate(scenes):
        small = cv2.resize(scene.image, SIZE[::-1], interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{k}.png"), small[..., ::-1])
    begin(folder / "store", {"pictures": count})
    with (folder / "pictures.jsonl").open("w") as file:
        for first in range(0, count, SHARD):
            lines = []
            for number in range(first, min(first + SHARD, count)):
                k, name = number % len(scenes), f"picture {number}"
                texts = [entry["expressions"] for entry in records[k]["objects"]]
                file.write(json.dumps({"image": f"{k}.png", "name": name, "objects": texts}) + "\n")
                lines.append(json.dumps({**records[k], "name": name}) + "\n")
            shard = gzip.compress("".join(lines).encode(), 1, mtime=0)
            shard_file(folder / "store", first // SHARD).write_bytes(shard)


def _stored(scene: Any) -> Any:
    """True masks as candidates, all of them each object's."""
    from ssc.types import Candidates
    from train.pseudo.records import PseudoObject, PseudoPicture

    h, w = SIZE
    sizes = [
        cv2.resize(mask.astype(np.uint8), (w, h), interpolation=cv2.INTER_AREA)
        for mask in scene.masks
    ]
    masks = np.array(sizes, np.bool_).reshape(-1, h, w)
    ones = np.ones(len(masks), np.float32)
    boxes = np.tile(np.array([0, 0, w, h], np.float32), (len(masks), 1))
    labels = tuple(entry["category"] for entry in scene.objects)
    every = Candidates(boxes, ones, labels, masks, ones)
    objects: list[PseudoObject] = []
    for k, entry in enumerate(scene.objects):
        texts = tuple(e["text"] for e in entry["expressions"])
        if texts:
            similarity = np.zeros((len(texts), len(masks)), np.float32)
            name = str(len(objects))
            objects.append(PseudoObject(name, texts, (labels[k],), every, similarity, k))
    return PseudoPicture(scene.name, SIZE, tuple(objects))


def preparing(folder: Path) -> dict[str, float]:
    """Opens data and store and makes the cache; MB after each."""
    from train.data import open_dataset
    from train.fit.examples import Examples
    from train.pseudo.store import Store

    used = {"start": private()}
    data = open_dataset(str(folder / "pictures.jsonl"))
    used["data"] = private()
    store = Store.open(folder / "store")
    for index in np.random.default_rng(0).integers(len(store), size=1000):
        store[int(index)]
    used["store"] = private()
    Examples.cached(data, store, SIZE, folder / "cache", workers=0)
    used["cache"] = private()
    return used


def training(folder: Path) -> dict[str, float]:
    """Opens the cache and draws batches from all over it; MB in the end."""
    from train.fit.batches import Sampler
    from train.fit.examples import Examples

    [cache] = (path for path in (folder / "cache").iterdir() if path.is_dir())
    sampler = Sampler(Examples(cache), batch=8, flip=True)
    for update in range(BATCHES):
        sampler.batch(update)
    return {"train": private()}


def private() -> float:
    """This process's resident memory that no file backs, in MB."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024 / 1e6


def measure(counts: Sequence[int]) -> dict[int, dict[str, float]]:
    """Number of pictures → MB by key of `ROWS`."""
    used: dict[int, dict[str, float]] = {}
    spawn = get_context("spawn")
    for count in counts:
        with TemporaryDirectory(prefix="train-memory-") as folder:
            used[count] = {}
            for part in (write, preparing, training):
                arguments = (Path(folder), count) if part is write else (Path(folder),)
                with ProcessPoolExecutor(1, spawn) as fresh:
                    used[count] |= fresh.submit(part, *arguments).result() or {}
    return used


def markdown(used: dict[int, dict[str, float]]) -> str:
    """A table, with what each picture adds between the first and the last number of them."""
    counts = list(used)
    rows = []
    for key, what in ROWS.items():
        cells = [f"{used[count][key]:.0f}" for count in counts]
        grown = 1e6 * (used[counts[-1]][key] - used[counts[0]][key])
        cells.append(f"{grown / (counts[-1] - counts[0]):.0f}" if len(counts) > 1 else "–")
        rows.append([what, *cells])
    return table(["MB", *(f"{n:,}" for n in counts), "bytes a picture"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train memory", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    counts = [1000, 10_000, 100_000]
    parser.add_argument(
        "--pictures", type=int, nargs="+", default=counts, help="numbers of pictures to measure"
    )
    args = parser.parse_args(argv)
    print(markdown(measure(sorted(set(args.pictures)))))


if __name__ == "__main__":
    main()
