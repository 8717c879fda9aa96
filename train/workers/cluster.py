"""The nodes of a Ray cluster: an actor for each processor or share of a GPU, a task for each shard.

An actor holds what `Job.prepare` loads, and its `Job.work` writes the shards. Where a node is lost,
Ray starts its actors on another and gives them their tasks again: those in flight are all that is
done twice, with the same bytes. Where the driver is lost, its actors end, and the same command goes
on with the shards that are missing.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from ssc.errors import InputError, ResourceError, told
from train.workers import Done, Job

LOCAL = "local"  # address: a cluster of this machine alone, for this command
AHEAD = 2  # tasks that an actor has: the one it does, and the next
SHOWN = 8  # nodes in a line
PATIENCE = 5  # seconds for an address to take a connection


class Worker:
    """What an actor is.

    Args:
        job: prepared with the first shard, whose errors then come to the driver as they are.
        folder: the driver's, from which relative paths are; where the node has none such, they
            lead nowhere.
        gpu: whether the actor has one, or a share.
    """

    def __init__(self, job: Job, folder: str, gpu: bool) -> None:
        with suppress(OSError):
            os.chdir(folder)
        if not gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks for them
        self._job, self._prepared = job, False

    def work(self, shard: int) -> tuple[str, Done]:
        """The node that it is on, and what `job.work` returns."""
        import ray

        if not self._prepared:
            self._job.prepare(*self._job.arguments)
            self._prepared = True
        node = f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:6]}"
        return node, self._job.work(shard)


class Cluster:
    """A Ray cluster's actors, from `with` to its end.

    Args:
        address: of the cluster, as `ray.init` takes it; `LOCAL` for one of this machine.
        gpus_each: share of a GPU that an actor takes; 0 for a processor and no GPU.

    Raises:
        InputError: `gpus_each` is negative.
        ResourceError: Ray is not installed, there is no such cluster, or it has no room.
    """

    def __init__(self, address: str, gpus_each: float = 0.0) -> None:
        if gpus_each < 0:
            raise InputError(f"--gpus-each: expected a share of a GPU, got {gpus_each}")
        try:
            import ray
        except ImportError as error:
            raise ResourceError(
                "--ray: expected Ray, which is not installed; run "
                "pip install 'segment-select-correct[cluster]'"
            ) from error
        self._ray: Any = ray
        self._gpus_each = gpus_each
        self._pictures: Counter[str] = Counter()
        self._start = time.perf_counter()
        self._own = not ray.is_initialized()
        if self._own:
            self._join(address)
        has = ray.cluster_resources()
        room = has.get("GPU", 0) / gpus_each if gpus_each else has.get("CPU", 0)
        self.actors = int(room)
        if not self.actors:
            self.__exit__()
            wanted = f"{gpus_each} GPU" if gpus_each else "a processor"
            raise ResourceError(f"--ray {address}: expected room for {wanted}, got none")

    def _join(self, address: str) -> None:
        """Connects this process; SIGTERM stays the command's."""
        _reach(address)
        main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGTERM)
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ResourceError(
                f"--ray {address}: expected a cluster of Ray's, got: {told(error)}"
            ) from error
        finally:
            if main:
                signal.signal(signal.SIGTERM, before)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._ray.shutdown()

    def map(self, job: Job, shards: Sequence[int]) -> Generator[Done, None, None]:
        """What `job.work` returns of each shard, in the order in which they are done.

        The driver holds `AHEAD` tasks an actor, and of what is done nothing. An actor without a
        task makes room, so that those of a lost node start again where no processor is to spare.

        Raises:
            InputError: that of `job`.
        """
        ray = self._ray
        actor = ray.remote(
            num_cpus=0 if self._gpus_each else 1,
            num_gpus=self._gpus_each,
            max_restarts=-1,
            max_task_retries=-1,
        )(Worker)
        left = deque(shards)
        running: dict[Any, Any] = {}  # a task's reference → its actor
        actors = [
            actor.remote(job, os.getcwd(), self._gpus_each > 0)
            for _ in range(min(self.actors, len(left)))
        ]
        try:
            for _ in range(AHEAD):
                for one in actors[: len(left)]:
                    running[one.work.remote(left.popleft())] = one
            while running:
                [task], _ = ray.wait([*running], num_returns=1)
                one = running.pop(task)
                node, done = self._result(task)
                if left:
                    running[one.work.remote(left.popleft())] = one
                elif one not in running.values():
                    ray.kill(one)
                    actors.remove(one)
                self._pictures[node] += done.pictures * done.made
                yield done
        finally:
            for one in actors:
                ray.kill(one)

    def _result(self, task: Any) -> tuple[str, Done]:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def by_node(self) -> str:
        """How many pictures a second each node makes, the fastest first."""
        seconds = time.perf_counter() - self._start
        rates = [f"{node} {count / seconds:.2f}" for node, count in self._pictures.most_common()]
        more = f" and {len(rates) - SHOWN} more" if len(rates) > SHOWN else ""
        return f"pictures a second by node: {', '.join(rates[:SHOWN])}{more}"


def _reach(address: str) -> None:
    """Tries an address with a port, since Ray tries for a minute.

    A cluster that is busy takes the connection all the same: its machine's kernel does.

    Raises:
        ResourceError: nothing is there.
    """
    found = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d+)", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ResourceError(
            f"--ray {address}: expected a cluster of Ray's, found none: {told(error)}; give the "
            "address that `ray start --head` has printed"
        ) from error
