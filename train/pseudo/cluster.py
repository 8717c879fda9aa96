"""Stages 1 and 2 on the nodes of a Ray cluster: an actor for each processor, a task for each shard.

An actor holds data set and pipeline, and writes the shards that it makes. Where a node is lost, Ray
starts its actors on another and gives them their tasks again: those shards in flight are all that
is done twice, with the same bytes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssc.errors import InputError, ResourceError, told

LOCAL = "local"  # address: a cluster of this machine alone, for this command
AHEAD = 2  # tasks that an actor has: the one it does, and the next
Done = tuple[int, dict[str, str], bool]


class Worker:
    """What an actor is: `prepare` at its start, then `work` for each shard."""

    def __init__(self, prepare: Callable[..., None], arguments: tuple, work: Callable) -> None:
        prepare(*arguments)
        self._work = work

    def work(self, shard: int) -> tuple[str, Done]:
        """The node that it is on, and what `work` returns."""
        import ray

        return ray.get_runtime_context().get_node_id(), self._work(shard)


class Cluster:
    """A Ray cluster's actors, from `with` to its end.

    Args:
        address: of the cluster, as `ray.init` takes it; `LOCAL` for one of this machine.
        gpus_each: share of a GPU that an actor takes; 0 for a processor and no GPU.

    Raises:
        ResourceError: Ray is not installed, there is no such cluster, or it has no room.
    """

    def __init__(self, address: str, gpus_each: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise ResourceError(
                "--ray: expected Ray, which is not installed; run "
                "pip install 'segment-select-correct[cluster]'"
            ) from error
        self._ray, self._gpus_each = ray, gpus_each
        self._pictures: dict[str, int] = {}
        self._start = time.perf_counter()
        try:
            self._own = not ray.is_initialized()
            if self._own:
                ray.init(address=address, log_to_driver=False, logging_level="WARNING")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ResourceError(
                f"--ray {address}: expected a cluster of Ray's, got: {told(error)}"
            ) from error
        has = ray.cluster_resources()
        self.actors = int(has.get("GPU", 0) / gpus_each) if gpus_each else int(has.get("CPU", 0))
        if not self.actors:
            self.__exit__()
            wanted = f"{gpus_each} GPU" if gpus_each else "a processor"
            raise ResourceError(f"--ray {address}: expected room for {wanted}, got none")

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._ray.shutdown()

    def map(
        self,
        prepare: Callable[..., None],
        arguments: tuple[str, str, Path],
        work: Callable[[int], Done],
        shards: Sequence[int],
    ) -> Iterator[Done]:
        """What `work` returns of each shard, in the order in which they are done.

        The driver holds `AHEAD` tasks an actor. An actor without a task makes room, so that those
        of a lost node start again where there is no processor to spare.
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
        count = min(self.actors, len(left))
        actors = [actor.remote(prepare, arguments, work) for _ in range(count)]
        for _ in range(AHEAD):
            for one in actors:
                if left:
                    running[one.work.remote(left.popleft())] = one
        while running:
            [task], _ = ray.wait([*running], num_returns=1)
            one = running.pop(task)
            if left:
                running[one.work.remote(left.popleft())] = one
            elif one not in running.values():
                ray.kill(one)
            try:
                node, done = ray.get(task)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, InputError):
                    raise error.cause from error
                raise
            self._pictures[node] = self._pictures.get(node, 0) + done[0] * done[2]
            yield done

    def by_node(self) -> str:
        """How many pictures a second each node makes, in a line."""
        seconds = time.perf_counter() - self._start
        rates = (f"{node[:6]} {n / seconds:.2f}" for node, n in self._pictures.items())
        return f"pictures a second by node: {', '.join(rates)}"
