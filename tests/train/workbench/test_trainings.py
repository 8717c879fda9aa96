"""Trainings that the page starts: their command, their state, and what is seen of them."""

import fcntl
import json
import subprocess
import sys
import time

import pytest
from starlette.testclient import TestClient

from ssc.errors import InputError
from train.workbench import trainings as module
from train.workbench.server import build
from train.workbench.trainings import COMMAND, LOCK, LOG, Trainings

FORM = {"name": "my run", "data": "a.jsonl", "recipe": "best", "more": "--steps 3"}


@pytest.fixture
def home(tmp_path):
    return Trainings(tmp_path)


def wait(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def test_the_command_is_that_of_train_run(home, tmp_path):
    command = home._command({**FORM, "val": "v.jsonl", "epochs": "", "init": "none"}, tmp_path)
    assert command[1:] == [
        *("-m", "train", "run", "--data=a.jsonl", "--val=v.jsonl", "--recipe=best"),
        *("--init=none", "--steps", "3", "--out", str(tmp_path)),
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": " "}, "name: expected one"),
        ({"data": ""}, "data: expected a file"),
        ({"recipe": "none"}, "recipe: expected one of paper"),
        ({"more": "--a 'b"}, "options: expected them as on a command line"),
    ],
)
def test_what_is_no_training_is_refused(home, tmp_path, changes, error):
    client = TestClient(build(trainings=home), base_url="http://127.0.0.1")
    for path in ("", "/plan"):
        answer = client.post(f"/api/trainings{path}", json={"fields": {**FORM, **changes}})
        assert answer.status_code == 422
        assert error in answer.json()["error"]
    assert not list(tmp_path.iterdir())


@pytest.mark.process
def test_a_process_is_seen_by_every_server_and_can_be_stopped(home, tmp_path, monkeypatch):
    sleeps = "import time; print('Step 1 of 2: x', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", sleeps]
    monkeypatch.setattr(Trainings, "_command", lambda *_: command)
    name = home.start(FORM)
    assert name == "my-run"
    another = Trainings(tmp_path)  # a new server: it knows only what the folder has
    assert another.all() == [{"name": name, "state": "running"}]
    wait(lambda: another.of(name)["step"] == "Step 1 of 2: x")
    with pytest.raises(InputError, match="expected a run at rest, got one at work"):
        another.go_on(name)
    with pytest.raises(InputError, match="expected a new one"):
        another.start(FORM)
    another.stop(name)
    wait(lambda: home.of(name)["state"] != "running")
    assert another.of(name)["state"] == "stopped"
    another.go_on(name)
    assert home.of(name)["state"] == "running"
    home.stop(name)
    wait(lambda: another.of(name)["state"] == "stopped")


def test_states_without_a_process(home, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / COMMAND).write_text(json.dumps({"command": ["x"], "process": 1}))
    assert home.of("a")["state"] == "stopped"
    (folder / LOG).write_text("Step 1 of 5: S1\nerror: a.jsonl: expected a file\n")
    assert (home.of("a")["state"], home.of("a")["error"]) == (
        "failed",
        "error: a.jsonl: expected a file",
    )
    (folder / LOG).write_text("Traceback (most recent call last):\n  ...\nRuntimeError: no loss\n")
    assert home.of("a")["state"] == "failed"
    (folder / LOG).write_text("bar 1\rbar 2\nerror: asked to end; the same command goes on\n")
    assert home.of("a")["state"] == "stopped"
    assert home.of("a")["log"][0] == "bar 2"
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "model.safetensors").touch()
    (folder / "report.html").touch()
    assert home.of("a")["state"] == "done"
    assert home.checkpoints() == {"a": folder / "checkpoint"}
    assert str(folder / "checkpoint") in home.starts().values()
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert home.checkpoints() == {}
    for path in ("b", ".."):
        with pytest.raises(InputError, match="training: expected one of"):
            home.of(path)


@pytest.mark.process
def test_the_plan_is_the_dry_runs_or_its_error(home, monkeypatch):
    def ran(code, out="", err=""):
        def run(command, **options):
            assert command[-1] == "--dry-run"
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(module.subprocess, "run", run)

    ran(0, "Data: a.jsonl")
    assert home.plan(FORM) == "Data: a.jsonl"
    ran(2, err="loading\nerror: a.jsonl: expected a file\n")
    with pytest.raises(InputError, match=r"^a\.jsonl: expected a file"):
        home.plan(FORM)
