"""Runs stages 1 and 2 over a data set: S1 and S2, what the correct stage learns from.

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
accelerate launch --num_processes 4 -m train.pseudo --data … --out …     # shares the shards

A killed run goes on where it stopped when the same command is given again, with the same bytes in
the end. One without anything left to do ends at once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.types import InputError
from train.data import Dataset, Picture, open_dataset
from train.store import (
    SHARD,
    PseudoObject,
    PseudoPicture,
    Store,
    begin,
    missing_shards,
    write_shard,
)

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline

LIBRARIES = ("torch", "torchvision", "open_clip_torch", "spacy", "numpy", "opencv-python-headless")


def look(picture: Picture, pipeline: Pipeline) -> PseudoPicture:
    """Stages 1 and 2 of all objects of a picture (paper §3.1, §3.2)."""
    found = [pipeline.segment(picture.image, thing.expressions) for thing in picture.objects]
    chosen = pipeline.select(picture.image, found)
    # Each expression alone; the prompts' embeddings are still there.
    alone = [
        replace(result, expressions=(text,)) for result in found for text in result.expressions
    ]
    rows = iter(pipeline.select(picture.image, alone))
    objects = []
    for thing, result in zip(picture.objects, chosen):
        selections = [next(rows).selection for _ in thing.expressions]
        assert result.selection is not None
        similarity = np.stack([selection.scores for selection in selections if selection])
        objects.append(
            PseudoObject(
                thing.name,
                thing.expressions,
                result.classes,
                result.candidates,
                similarity,
                result.selection.chosen,
            )
        )
    h, w = picture.image.shape[:2]
    return PseudoPicture(picture.name, (h, w), tuple(objects))


def run(
    dataset: Dataset, pipeline: Pipeline, out: Path, shards: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Writes these shards; yields (pictures, pictures that could not be read) after each."""
    for shard in shards:
        indices = range(shard * SHARD, min((shard + 1) * SHARD, len(dataset)))
        pictures = [_looked_at(dataset, index, pipeline) for index in indices]
        write_shard(out, shard, pictures)
        yield len(pictures), sum(picture.error is not None for picture in pictures)


def _looked_at(dataset: Dataset, index: int, pipeline: Pipeline) -> PseudoPicture:
    """One that cannot be read is noted, and nothing else is lost."""
    try:
        return look(dataset[index], pipeline)
    except (InputError, OSError) as error:
        return PseudoPicture(dataset.picture_name(index), (0, 0), (), str(error))


def describe(dataset: Dataset, models: str, pipeline: Any) -> dict[str, Any]:
    """What decides the bytes of a store, for its manifest."""
    from ssc.models import ASSETS

    folder = ASSETS / models
    weights = {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*"))
        if path.suffix in (".safetensors", ".gz") and path.parent.name != "lavt"
    }
    segment, select = pipeline.segment, pipeline.select
    return {
        "data": dataset.name,
        "pictures": len(dataset),
        "models": models,
        "weights": weights,
        "box threshold": segment.detector.threshold,
        "nouns": type(segment.nouns).__name__,
        "visual prompt": select.prompt,
        "sigma": select.sigma,
        "versions": {name: _version(name) for name in LIBRARIES},
        "revision": _revision(),
    }


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _revision() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


_WORKER: dict[str, Any] = {}


def _prepare(data: str, models: str, out: Path) -> None:
    """Loads a worker process's models; one thread each, so that numbers do not depend on it."""
    import torch

    import ssc

    torch.set_num_threads(1)
    _WORKER.update(dataset=open_dataset(data), pipeline=ssc.load(models), out=out)


def _work(shard: int) -> tuple[int, int]:
    [done] = run(_WORKER["dataset"], _WORKER["pipeline"], _WORKER["out"], [shard])
    return done


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.pseudo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", required=True, help="refsprites:SPLIT:COUNT[:FIRST[:SEED]]")
    parser.add_argument("--models", default="mini", help="model set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    args = parser.parse_args(argv)

    from multiprocessing import get_context

    from tqdm import tqdm

    import ssc

    dataset = open_dataset(args.data)
    begin(args.out, describe(dataset, args.models, ssc.load(args.models)))
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    todo = [k for k in missing_shards(args.out, len(dataset)) if k % world == rank]
    own = sum(min(SHARD, len(dataset) - k * SHARD) for k in todo)
    failed = 0
    job = args.data, args.models, args.out
    context = get_context("spawn")
    with (
        context.Pool(max(1, min(args.workers, len(todo))), _prepare, job) as pool,
        tqdm(total=own, desc="S1, S2", unit="picture", mininterval=2) as bar,
    ):
        for pictures, broken in pool.imap_unordered(_work, todo):
            failed += broken
            bar.update(pictures)
    if failed:
        print(f"{failed} pictures could not be read; the shards say why", file=sys.stderr)
    if not missing_shards(args.out, len(dataset)):
        store = Store.open(args.out)
        print(f"{args.out}: {len(store)} pictures, complete")


if __name__ == "__main__":
    main()
