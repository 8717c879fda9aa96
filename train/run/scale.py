"""Reckons what a data set of any size takes, from parts measured here.

python -m train plan --data my/pictures.jsonl --pictures 10000000 --gpus 64
python -m train plan --data my/pictures.jsonl --pictures 20000 1000000000 --model-set paper

DATA is a sample, of which a few pictures go through each step: packing, stages 1 and 2, the cache,
updates of both trainings, each in one process of this machine, on its GPU where there is one. Such
a process counts as one of --gpus, which are taken to share the work evenly. Requests are those of
a bucket, counted on one in memory; of the cache and of --stream, which needs none, those of each
machine, with the bytes on its disk. Other options are those of python -m train run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ssc.entry import command
from ssc.errors import InputError
from train.data import SOURCES, open_dataset

if TYPE_CHECKING:
    from train.data import Dataset
    from train.run.plan import Sample

A_SECOND = 3500
"""PUTs a second that S3 takes below one prefix, by its manual; of GETs it takes more."""
LISTED = 1000
"""Names in an answer to one request for a list, by the same."""


@dataclass(frozen=True)
class Shards:
    """What shards take besides the work on their pictures, as measured.

    Attributes:
        packed: bytes of a picture in a tar file.
        pack: seconds to pack a picture.
        shard: seconds to write a shard of a store.
        tar_writes, tar_reads, store_writes, store_reads: requests of a bucket for a file.
    """

    packed: float
    pack: float
    shard: float
    tar_writes: int
    tar_reads: int
    store_writes: int
    store_reads: int


@dataclass(frozen=True)
class Cost:
    """A step: hours of one of the processes that share it, bytes that it leaves, requests."""

    step: str
    hours: float
    size: float = 0.0
    requests: float = 0.0


def costs(
    pictures: int, gpus: int, sample: Sample, shards: Shards, updates: int, nodes: int, batch: int
) -> list[Cost]:
    """What each step takes.

    Args:
        pictures: of the whole data set.
        gpus: processes that share the work evenly.
        updates: of each training.
        nodes: machines, each with a cache of its own.
        batch: pictures of an update.
    """
    from train.data.pack import EACH
    from train.pseudo.store import SHARD

    tars, parts = -(-pictures // EACH), -(-pictures // SHARD)
    looked = (sample.look * pictures + shards.shard * parts) / gpus
    packed = tars * shards.tar_writes
    opened = tars * shards.tar_reads + parts / LISTED
    written, cached = opened + parts * shards.store_writes, opened + parts * shards.store_reads
    known = 16 * pictures + 4 * pictures * sample.objects / sample.pictures
    streamed = updates * batch * (1 + shards.store_reads) / nodes
    asked = packed + written + nodes * cached
    return [
        Cost(
            "data pack",
            shards.pack * pictures / gpus / 3600,
            shards.packed * pictures,
            packed,
        ),
        Cost("stages 1 and 2", looked / 3600, sample.store * pictures, written),
        Cost("cache, on each machine", 0.0, sample.cache * pictures, cached),
        Cost("or --stream, each training", 0.0, known, streamed),
        Cost("bootstrap", sample.bootstrap * updates / gpus / 3600, sample.training),
        Cost("correct", sample.correct * updates / gpus / 3600, sample.training),
        Cost("requests at S3's rate", asked / A_SECOND / 3600, 0.0, asked),
    ]


def binds(steps: Sequence[Cost]) -> tuple[Cost, float]:
    """The step that takes longest, and its share of all hours."""
    longest = max(steps, key=lambda cost: cost.hours)
    return longest, longest.hours / sum(cost.hours for cost in steps)


def measure_shards(dataset: Dataset, folder: Path, store: Path) -> Shards:
    """Packs a sample, and writes a shard of the store of it again.

    Raises:
        ResourceError: universal_pathlib is not installed.
    """
    from train.data import places
    from train.data.pack import pack, source_of
    from train.data.places import exists, place_of, prepare
    from train.data.usable import LeftOut
    from train.pseudo.store import Store, shard_file, write_shard

    def counted(work: Callable[[], Any]) -> int:
        before = places.REQUESTS["asked"]
        work()
        return places.REQUESTS["asked"] - before

    left_out = LeftOut(dataset.name, len(dataset), True)
    prepare(folder / "packed")
    start = time.perf_counter()
    pack(dataset, folder / "packed", left_out, 0)
    packing = time.perf_counter() - start
    size = sum(file.stat().st_size for file in (folder / "packed").iterdir())
    bucket = place_of(f"memory://plan-{folder.name}/packed")
    files = len(dataset)  # of one picture each, since of the first one more is asked
    tars = counted(lambda: [pack(dataset, bucket, left_out, k, 1) for k in range(files)]) // files
    there = open_dataset(source_of(dataset, bucket, 1))
    _ = there[0]
    opened = counted(lambda: there[files - 1])
    whole = Store.open(store)
    looked = [whole.picture(index) for index in range(len(whole))]
    start = time.perf_counter()
    write_shard(folder, 0, looked)
    shard = time.perf_counter() - start
    copied = place_of(f"memory://plan-{folder.name}/store")
    parts = counted(lambda: write_shard(copied, 0, looked))
    parts += counted(lambda: exists(shard_file(copied, 0)))  # as before each
    read = counted(lambda: Store(copied, whole.manifest)[0])
    each = len(dataset)
    return Shards(size / each, packing / each, shard, tars, opened, parts, read)


def describe(args: argparse.Namespace, rest: Sequence[str]) -> str:
    """The plan as text; raises InputError where nothing of the sample opens."""
    from train.run.__main__ import parse
    from train.run.plan import PICTURES, UPDATES, in_bytes, in_time, measure

    print(f"Measuring {PICTURES} pictures and {UPDATES} updates of each training …", flush=True)
    with TemporaryDirectory(prefix="train-plan-") as name:
        folder = Path(name)
        run = parse(["--data", args.data, "--out", str(folder / "run"), *rest])
        sample = measure(run, folder)
        said, sampled = StringIO(), open_dataset(str(folder / "sample.jsonl"))
        with redirect_stderr(said), redirect_stdout(said):
            shards = measure_shards(sampled, folder, folder / "run" / "pseudo")
    lines = [
        f"Measured on {sample.pictures} pictures in one process here ({device_name()}), with "
        f"{run.model_set} and {run.model}:",
        f"  {sample.look:.2f} s a picture for stages 1 and 2, {1000 * shards.pack:.1f} ms to pack "
        f"it, {1000 * shards.shard:.0f} ms to write a shard",
        f"  {sample.bootstrap:.2f} s an update of bootstrap and {sample.correct:.2f} s of correct, "
        f"{run.batch} pictures each",
        f"  {in_bytes(shards.packed)} a picture packed, {in_bytes(sample.store)} in the store, "
        f"{in_bytes(sample.cache)} in the cache",
        f"  {shards.store_writes} requests to write a shard of the store, {shards.store_reads} to "
        f"read it; {shards.tar_writes} to write a tar file, {shards.tar_reads} to read it",
    ]
    for pictures in args.pictures:
        updates = run.options.updates(pictures)
        steps = costs(pictures, args.gpus, sample, shards, updates, args.nodes, run.batch)
        longest, share = binds(steps)
        lines += [
            "",
            f"Reckoned for {pictures:,} pictures, {updates:,} updates of each training, "
            f"{args.gpus:,} such processes on {args.nodes:,} machines:",
            f"  {'':28}{'time':>10}{'bytes':>11}{'requests':>15}",
        ]
        for cost in steps:
            time_ = in_time(3600 * cost.hours) if cost.hours else "–"
            asked = f"{cost.requests:,.0f}" if cost.requests else "–"
            lines.append(f"  {cost.step:28}{time_:>10}{in_bytes(cost.size):>11}{asked:>15}")
        lines.append(f"What binds: {longest.step}, {100 * share:.0f} % of the time.")
    return "\n".join(lines)


def device_name() -> str:
    """The GPU's name, or CPU."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train plan", description=__doc__, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--data", required=True, metavar="DATA", help=f"a sample: {SOURCES}")
    what = "of the whole data set; several for a plan of each"
    add("--pictures", type=int, nargs="+", required=True, metavar="N", help=what)
    add("--gpus", type=int, default=1, help="processes that share the work; default: 1")
    add("--nodes", type=int, default=1, help="machines that they are on; default: 1")
    args, rest = parser.parse_known_args(argv)
    given = [("pictures", number) for number in args.pictures]
    for name, value in (*given, ("gpus", args.gpus), ("nodes", args.nodes)):
        if value < 1:
            raise InputError(f"{name}: expected 1 or more, got {value}")
    print(describe(args, rest))


if __name__ == "__main__":
    sys.exit(main())
