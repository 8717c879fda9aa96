"""Training on two nodes of torchrun's, of which one dies; and a training in a bucket."""

import json
import os
import random
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from torch.distributed import TCPStore
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

from tests.forks import ended, fork
from tests.train import toy
from train.data.pack import pack, source_of
from train.data.places import names_in, place_of, read
from train.data.usable import LeftOut
from train.pseudo import store as files

UPDATES = 36
KILLS = 3


def agent(port, out, log):
    """torchrun on a node, as the command line has it; its process is a fork, with all imports."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    command = ["--nnodes", "2", "--nproc_per_node", "1", "--max-restarts", "9"]
    command += ["--rdzv-backend", "c10d", "--rdzv-id", "toy"]
    command += ["--rdzv-endpoint", f"127.0.0.1:{port}"]
    command += ["--rdzv-conf", "is_host=0,keep_alive_interval=1,last_call_timeout=1"]
    command += ["--start_method", "fork", "toy"]
    config, *_ = config_from_args(parse_args(command))
    elastic_launch(config, run_calmly)(str(out))


def run_calmly(out):
    toy.run_calmly(Path(out), UPDATES)


class Node:
    """An agent and its process; `kill` ends both at once, as a machine ends."""

    def __init__(self, port, out):
        self._log = out.parent / f"node-{time.monotonic_ns()}.log"
        self._agent = fork(agent, port, out, self._log)

    def kill(self):
        agent = psutil.Process(self._agent.pid)
        for process in (agent, *agent.children(recursive=True)):
            process.kill()
        self._agent.join()

    def runs(self):
        return self._agent.is_alive()

    def ended(self):
        return ended(self._agent), self._log.read_text()[-3000:]


def update_of(out):
    """The last update that is in the log of a training."""
    try:
        *_, last = (out / "log.jsonl").read_text().splitlines()
        return json.loads(last)["update"]
    except (OSError, ValueError):
        return -1


@pytest.mark.process
@pytest.mark.long
def test_a_node_that_dies_twice_costs_no_update(tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    meeting = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    several = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_USE_AGENT_STORE": "1"}
    for name, value in (several | {"MASTER_PORT": str(meeting.port)}).items():
        monkeypatch.setenv(name, value)
    processes = []
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)
        processes.append(fork(toy.run_calmly, whole, UPDATES))
    assert [ended(process) for process in processes] == [0, 0]
    monkeypatch.undo()
    # Without it an agent that comes later is not told where rank 0 is.
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")

    # Where the nodes meet: on a host that stays, as either of them may die.
    first, other = Node(meeting.port, killed), Node(meeting.port, killed)
    try:
        for update in (UPDATES // 4, UPDATES // 2):
            while update_of(killed) < update:
                assert first.runs(), first.ended()
                time.sleep(0.05)
            other.kill()
            other = Node(meeting.port, killed)
        for node in (first, other):
            status, said = node.ended()
            assert status == 0, said
    finally:
        for node in (first, other):
            if node.runs():
                node.kill()
    a, b = (load_file(run / "model.safetensors") for run in (whole, killed))
    assert all((a[name] == b[name]).all() for name in a)
    updates = [json.loads(line)["update"] for line in (killed / "log.jsonl").open()]
    assert updates == sorted({*updates})
    assert updates[-1] == UPDATES - 1


@pytest.mark.process
@pytest.mark.filterwarnings("default")
def test_kills_lose_nothing_of_a_training_in_a_bucket_that_drops_requests(
    bucket, tmp_path, monkeypatch
):
    """Each time on another machine, without a cache, nor room for copies of more than a shard."""
    monkeypatch.setattr(files, "SHARD", 8)
    store, out = place_of(f"{bucket.url}/store"), f"{bucket.url}/killed"
    toy.write_store(store)
    toy.write_store(tmp_path / "store")
    squares, tars = toy.Squares(64), place_of(f"{bucket.url}/packed")
    for number in range(8):
        pack(squares, tars, LeftOut("squares", 64), number, 8)
    options = ["--cpu", "--batch", "8", "--steps", "12", "--save-every", "2"]
    options = ["bootstrap", *options, "--size", "32", "32", "--cache-gb", "1e-6", "--workers", "0"]
    own = ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "whole")]
    data = ["--data", "squares", "--store", str(tmp_path / "store")]
    assert ended(fork(toy.command, *options, *data, *own)) == 0
    data = ["--data", source_of(squares, tars, 8), "--store", str(store), "--stream"]
    chance = random.Random(0)
    for machine in range(KILLS + 1):
        home = tmp_path / f"machine-{machine}"
        monkeypatch.setenv("HOME", str(home))
        own = ["--cache", str(home / "cache"), "--out", out]
        process = fork(toy.command, *options, *data, *own)
        if machine < KILLS:
            bucket.kill_at_work(process, chance, most=20)
    assert ended(process) == 0
    there = place_of(out)
    assert {"config.json", "state.pt", "options.json"} <= names_in(there)
    for name in ("model.safetensors", "log.jsonl"):
        assert read(there / name) == (tmp_path / "whole" / name).read_bytes()
    assert bucket.dropped
    assert bucket.cut

    # A training that begins with it, with a cache that other processes fill.
    own = ["--cache", str(home / "cache"), "--init", out, "--out", f"{bucket.url}/next"]
    own += ["--steps", "1", "--workers", "2"]
    assert ended(fork(toy.command, *options, *data[:-1], *own)) == 0
    assert read(place_of(f"{bucket.url}/next") / "model.safetensors") != read(
        there / "model.safetensors"
    )
