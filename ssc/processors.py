"""The processor shared with others: how many threads may work, and how they wait.

Set before torch is loaded, by every command (`train`, `python -m ssc`, `demo_app.py`, the tests),
and inherited by the processes that they start. What a user has set stays.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

SPINS = "700"
"""How often OpenMP's threads look for work before they sleep. GNU's default looks for as long as a
time slice: beside another process the threads then hold the processors that the other needs, and
both take many times as long; so it is from 1,000 on. Fewer, and a process alone waits for its
threads to wake up. `python -m train bench` measures both; docs/results.md has the figures."""

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # a user's own
THREADS = "OMP_NUM_THREADS"
GROUPS = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def share_processors() -> None:
    """Sets OpenMP's threads to those that this process may use, and how they wait."""
    if not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = SPINS
    if THREADS not in os.environ and processors() < (os.cpu_count() or 1):
        os.environ[THREADS] = str(processors())


def processors() -> int:
    """How many processors this process may use: of its affinity, and of its control group's quota.

    Containers have a quota: of Docker's `--cpus`, of Kubernetes' limits, of a Space.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have none
        allowed = os.cpu_count() or 1
    quotas = [quota for folder in _groups() if (quota := _quota(folder)) is not None]
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def _groups() -> list[Path]:
    """The folders of this process's control group and those above it, of both versions."""
    try:
        lines = GROUPS.read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has one tree, version 1 one for each controller; some name it by all of its own.
        for root in (MOUNT, MOUNT / "unified", MOUNT / (controllers or "unified"), MOUNT / "cpu"):
            own = Path(path.lstrip("/"))
            folders += [root / part for part in (own, *own.parents)]
    return folders


def _quota(folder: Path) -> float | None:
    """Processors that a group may use; None for any number."""
    try:
        if (file := folder / "cpu.max").exists():  # version 2
            quota, period = file.read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError):  # no such group, or "max"
        return None
