"""Shards of work, done in this process, in several of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import active_children
from typing import TYPE_CHECKING, Any, NamedTuple

from ssc.errors import OptionError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from train.workers.cluster import Cluster


class Done(NamedTuple):
    """A shard that is done.

    Attributes:
        pictures: how many it has.
        failed: name → reason of those that cannot be used.
        made: whether it is made just now; False where it was there.
    """

    pictures: int
    failed: dict[str, str]
    made: bool


@dataclass(frozen=True)
class Job:
    """What each process does; its functions are those of a module, which other processes import.

    Attributes:
        prepare: called once in each process, with `arguments`.
        arguments: few and small, as each process gets them.
        work: makes the shard of a number.
    """

    prepare: Callable[..., None]
    arguments: tuple[Any, ...]
    work: Callable[[int], Done]


def add_options(parser: ArgumentParser) -> None:
    """--workers, --ray and --gpus-each."""
    add = parser.add_argument
    add("--workers", type=int, default=1, help="processes of this machine; default: 1")
    add(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="an actor for each processor of a Ray cluster instead of --workers processes; "
        "without ADDRESS the cluster that this machine is of, with local this machine alone",
    )
    add(
        "--gpus-each",
        type=float,
        default=0,
        metavar="SHARE",
        help="an actor for each such share of a GPU, as 1 or 0.5, instead of each processor",
    )


def opened(args: Namespace) -> AbstractContextManager[Cluster | None]:
    """The cluster that the options name, None without --ray; raises as `Cluster`."""
    if args.ray is None:
        if args.gpus_each:
            raise OptionError("--gpus-each: expected --ray with it")
        return nullcontext()
    from train.workers.cluster import Cluster

    return Cluster(args.ray, args.gpus_each)


@contextmanager
def worked(
    job: Job,
    shards: Sequence[int],
    pictures: int,
    title: str,
    workers: int = 1,
    cluster: Cluster | None = None,
) -> Iterator[Iterator[Done]]:
    """What `job.work` returns of each shard, with a progress bar; whatever ends the `with` ends the
    work.

    Args:
        job: this process is prepared for it.
        shards: their numbers.
        pictures: of all of them.
        title: of the bar.
        workers: processes; 1 for this one alone.
        cluster: of Ray's, whose actors work in place of processes.
    """
    from tqdm import tqdm

    with (
        tqdm(total=pictures, desc=title, unit="picture", mininterval=2) as bar,
        _each(job, shards, workers, cluster) as each,
    ):

        def followed() -> Iterator[Done]:
            for done in each:
                if cluster is not None:
                    bar.set_postfix_str(cluster.by_node(), refresh=False)
                bar.update(done.pictures)
                yield done

        yield followed()


@contextmanager
def _each(
    job: Job, shards: Sequence[int], workers: int, cluster: Cluster | None
) -> Iterator[Iterator[Done]]:
    if cluster is not None:
        with closing(cluster.map(job, shards)) as each:
            yield each
    elif min(workers, len(shards)) < 2:
        yield map(job.work, shards)
    else:
        with _pool(job, workers) as pool:
            yield pool.map(job.work, shards)


@contextmanager
def _pool(job: Job, workers: int) -> Iterator[Any]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    spawn = get_context("spawn")  # CUDA does not survive a fork
    with ProcessPoolExecutor(workers, spawn, _begin, (job.prepare, job.arguments)) as pool:
        try:
            yield pool
        except BaseException:
            for worker in active_children():  # else this one would wait for them
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _begin(prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Prepares a process of a pool, which ends when its parent is killed."""
    from multiprocessing import parent_process
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this one
    parent = parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    Thread(target=end_with_it, daemon=True).start()
    prepare(*arguments)
