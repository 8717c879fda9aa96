"""What Ray costs by itself: the driver's memory, and seconds a shard, with a pipeline that sleeps.

python -m train.measure.cluster --pictures 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ssc.entry import command
from train.measure.workbench import resident
from train.pseudo.records import PseudoPicture
from train.pseudo.store import SHARD, begin, missing_shards, write_shard
from train.workers import Done, Job, worked
from train.workers.cluster import LOCAL, Cluster

SECONDS = 0.001  # a picture

_OUT: list[Path] = []


def prepare(out: Path) -> None:
    _OUT[:] = [out]


def work(shard: int) -> Done:
    """A shard of pictures without objects."""
    time.sleep(SHARD * SECONDS)
    pictures = [PseudoPicture(f"{shard}-{k}", (0, 0), ()) for k in range(SHARD)]
    write_shard(_OUT[0], shard, pictures)
    return Done(SHARD, {}, made=True)


def measure(pictures: int, cluster: Cluster) -> dict[str, float]:
    """Seconds, and MB of the driver, by name."""
    with TemporaryDirectory(prefix="cluster-") as folder:
        out = Path(folder)
        begin(out, {"pictures": pictures})
        todo = missing_shards(out, pictures)
        before, start = resident(os.getpid()), time.perf_counter()
        # The first shards start the actors, which is not a shard's cost.
        with worked(
            Job(prepare, (out,), work), todo, len(todo) * SHARD, "stub", 1, cluster
        ) as each:
            for number, _ in enumerate(each, 1):
                if number == cluster.actors:
                    start = time.perf_counter()
        seconds = time.perf_counter() - start
        shards = len(todo) - cluster.actors
        return {
            "shards": len(todo),
            "seconds": seconds,
            "overhead a shard, ms": 1000 * (seconds * cluster.actors / shards - SHARD * SECONDS),
            "driver before, MB": before,
            "driver after, MB": resident(os.getpid()),
        }


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.cluster", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000])
    parser.add_argument("--ray", default=LOCAL, metavar="ADDRESS", help="default: this machine")
    args = parser.parse_args(argv)
    with Cluster(args.ray) as cluster:
        print(f"{cluster.actors} actors, {1000 * SECONDS:g} ms a picture, {SHARD} a shard")
        for pictures in args.pictures:
            found = measure(pictures, cluster)
            figures = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
            print(f"{pictures:,} pictures: {figures}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
