"""Training on two nodes of torchrun's, of which one dies; and a training at a URL."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from torch.distributed import TCPStore

from tests.train import toy
from train.data import places
from train.data.places import names_in, place_of, read
from train.fit import copies
from train.fit.__main__ import main
from train.fit.copies import Copy

ROOT = Path(__file__).parents[3]
UPDATES = 36


class Node:
    """An agent of torchrun's and its process; `kill` ends both at once, as a machine ends."""

    def __init__(self, port, out):
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        command += ["--nproc_per_node", "1", "--max-restarts", "9", "--rdzv-backend", "c10d"]
        command += ["--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "toy"]
        command += ["--rdzv-conf", "is_host=0,keep_alive_interval=1,last_call_timeout=1"]
        command += ["-m", "tests.train.toy", str(out), str(UPDATES)]
        # Without it an agent that comes later is not told where rank 0 is.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        self._log = (out.parent / f"node-{time.monotonic_ns()}.log").open("wb")
        self._agent = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=self._log, stderr=subprocess.STDOUT
        )

    def kill(self):
        agent = psutil.Process(self._agent.pid)
        for process in (agent, *agent.children(recursive=True)):
            process.kill()
        self._agent.wait()
        self._log.close()

    def runs(self):
        return self._agent.poll() is None

    def ended(self):
        status = self._agent.wait(500)
        self._log.close()
        return status, Path(self._log.name).read_text()[-3000:]


def update_of(out):
    """The last update that is in the log of a training."""
    try:
        *_, last = (out / "log.jsonl").read_text().splitlines()
        return json.loads(last)["update"]
    except (OSError, ValueError):
        return -1


@pytest.mark.process
@pytest.mark.long
def test_a_node_that_dies_twice_costs_no_update(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", "-m", "tests.train.toy", str(whole), str(UPDATES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    # Where the nodes meet: on a host that stays, as either of them may die.
    meeting = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
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


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A bucket in memory, and a folder for copies."""
    pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    monkeypatch.setattr(copies, "FOLDER", tmp_path / "trainings")
    monkeypatch.setattr(places, "KEPT", places.KEPT)
    return f"memory://{tmp_path.name}"


def test_a_training_at_a_url_goes_on_there(memory, tmp_path, monkeypatch):
    cached = toy.examples(tmp_path / "cache")
    monkeypatch.setattr("train.fit.__main__.open_examples", lambda *_: cached)
    monkeypatch.setattr("train.fit.__main__.new_model", lambda *_: _model())
    command = ["supervised", "--data", "squares", "--cpu", "--batch", "8", "--size", "32", "32"]
    command += ["--cache", str(tmp_path / "cache"), "--cache-gb", "0.5", "--steps", "8"]
    command += ["--save-every", "3", "--out"]
    main([*command, str(tmp_path / "here")])
    main([*command, f"{memory}/there"])
    assert places.KEPT == 2**29
    there = place_of(f"{memory}/there")
    files = {"model.safetensors", "config.json", "state.pt", "log.jsonl", "options.json"}
    assert files <= names_in(there)
    same = (tmp_path / "here" / "model.safetensors").read_bytes()
    assert read(there / "model.safetensors") == same

    # Killed after its sixth update, and gone on with on another machine.
    saved, sent = [], Copy.send

    def send(copy):
        saved.append(copy)
        sent(copy)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Copy, "send", send)
    with pytest.raises(SystemExit):
        main([*command, f"{memory}/killed"])
    monkeypatch.setattr(copies, "FOLDER", tmp_path / "another machine")
    main([*command, f"{memory}/killed"])
    assert len(saved) == 3
    assert read(place_of(f"{memory}/killed") / "model.safetensors") == same
    main([*command[:-1], "--init", f"{memory}/killed", "--steps", "1", "--out", f"{memory}/next"])
    assert read(place_of(f"{memory}/next") / "model.safetensors") != same


def _model():
    network, config = toy.model()
    return network, toy.tokenizer(), config
