"""Threads follow the quota, and wait without holding a processor; a user's own setting stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssc import processors
from ssc.processors import SPINS, WAITING, share_processors

ROOT = Path(__file__).parents[1]


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Makes a control group: writes files of it."""
    monkeypatch.setattr(processors, "MOUNT", tmp_path / "mount")
    monkeypatch.setattr(processors, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    (tmp_path / "cgroup").write_text("0::/pod/box\n")

    def write(lines="0::/pod/box\n", **files):
        (tmp_path / "cgroup").write_text(lines)
        for name, text in files.items():
            path = tmp_path / "mount" / name.replace("__", "/").replace("_max", ".max")
            path = Path(str(path).replace("cfs-", "cfs_").replace("cpu-cfs", "cpu.cfs"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_quotas_of_version_2_here_and_above(group):
    assert processors.processors() == 16
    group(pod__box__cpu_max="max 100000\n")
    assert processors.processors() == 16
    group(pod__cpu_max="250000 100000\n")
    assert processors.processors() == 3
    group(pod__box__cpu_max="50000 100000\n")
    assert processors.processors() == 1
    group("0::/\n", cpu_max="200000 100000\n")  # as a container sees its own
    assert processors.processors() == 2


def test_quotas_of_version_1(group, tmp_path):
    folder = tmp_path / "mount" / "cpu" / "docker"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    group("3:cpuset:/docker\n1:cpu,cpuacct:/docker\n")
    assert processors.processors() == 16
    (folder / "cpu.cfs_quota_us").write_text("400000\n")
    assert processors.processors() == 4


def test_what_a_user_has_set_stays(monkeypatch):
    for name in (*WAITING, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processors, "processors", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    share_processors()
    assert os.environ["GOMP_SPINCOUNT"] == SPINS
    assert os.environ["OMP_NUM_THREADS"] == "1"
    for name in WAITING:
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        monkeypatch.setenv(name, "passive")
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        share_processors()
        assert os.environ["OMP_NUM_THREADS"] == "7"
        assert os.environ.get("GOMP_SPINCOUNT", "passive") == "passive"
        monkeypatch.delenv(name)


@pytest.mark.process
@pytest.mark.parametrize("module", ["ssc.page", "train", "train.pseudo.make"])
def test_it_is_set_before_torch_is_loaded(module):
    code = f"""
import os, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
            os._exit(0)
sys.meta_path.insert(0, Finder())
import {module}
import torch
"""
    environment = {k: v for k, v in os.environ.items() if k not in (*WAITING, "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"{SPINS}\n", done.stderr


@pytest.mark.process
def test_a_real_control_group(tmp_path):
    """As a container with a quota of one processor has it, where a test may make one."""
    name = f"ssc-test-{os.getpid()}"
    places = [
        folder / name
        for folder in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
        if folder.is_dir()
    ]
    group = next((place for place in places if makes(place)), None)
    if group is None:
        pytest.skip("no control group can be made here")
    try:
        code = f"""
import os
open({str(group / "cgroup.procs")!r}, "w").write(str(os.getpid()))
import train
print(os.environ.get("OMP_NUM_THREADS"))
import ssc.processors
print(ssc.processors.processors())
"""
        environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        expected = "1" if (os.cpu_count() or 1) > 1 else "None"
        assert done.stdout.split() == [expected, "1"], done.stderr
    finally:
        group.rmdir()


def makes(group):
    try:
        group.mkdir()
    except OSError:
        return False
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("100000")
    except OSError:
        group.rmdir()
        return False
    return True
