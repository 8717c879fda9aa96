"""Runs of `python -m train run`, each in a process of its own that outlives the page.

Beside what a run writes, its folder has `page.json` (the command and the process), `page.log` (what
it says) and `.page.lock`, which the process holds as long as it lives: another server, or none in
between, makes no difference.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssc.cache import Cache
from ssc.entry import WITH_PARENT
from ssc.errors import InputError
from ssc.models.bundled import ASSETS
from ssc.writing import make_folder, safe_stem, write_whole
from train.data.locks import hold, is_held
from train.run.steps import RECIPES
from train.run.verdict import verdict

COMMAND, LOG, LOCK = "page.json", "page.log", ".page.lock"
RUN, REPORT, CHECKPOINT = "run.json", "report.html", "checkpoint"
RUNNING, STOPPED, DONE, FAILED = "running", "stopped", "done", "failed"
LINES = 60  # of a log that are shown
OPTIONS = ("data", "val", "recipe", "model-set", "init", "epochs")  # the form's, as `train run` has
ENDED_BADLY = re.compile(r"error: |[\w.]+(Error|Exception)\b")  # the last line of a log
_logs: Cache[tuple[list[str], str]] = Cache(32)  # by file and size: many are asked for each second
PLAN = 600.0  # seconds that a dry run may take


class Trainings:
    """All runs in `home`, also those that were started elsewhere."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._children: list[subprocess.Popen[bytes]] = []

    def starts(self) -> dict[str, str]:
        """Title → `--init` of what a training may start from."""
        own = {f"{name}, trained here": str(path) for name, path in self.checkpoints().items()}
        bundled = {"the bundled one": ""} if (ASSETS / "mini" / "lavt").exists() else {}
        return {**bundled, "fresh weights": "none", **own}

    def checkpoints(self) -> dict[str, Path]:
        """Name → the checkpoint of each run that is complete."""
        return {name: self.home / name / CHECKPOINT for name in self.names() if self._done(name)}

    def names(self) -> list[str]:
        """The runs, the last one begun first."""
        found = {f.parent for kind in (RUN, COMMAND) for f in self.home.glob(f"*/{kind}")}
        return [folder.name for folder in sorted(found, key=_begun, reverse=True)]

    def plan(self, form: Mapping[str, str]) -> str:
        """What `--dry-run` says of a form: "name", `OPTIONS`, and "more" options as text.

        Raises:
            InputError: with the command's own words, where it refuses them.
        """
        command = [*self._command(form, self._folder(form)), "--dry-run"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=_env(), timeout=PLAN, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(f"the plan: expected it within {PLAN:g} s, got none") from error
        if done.returncode:
            raise InputError(_last(done.stderr) or f"the dry run ended with {done.returncode}")
        return done.stdout

    def start(self, form: Mapping[str, str]) -> str:
        """Starts a new run; returns its name.

        Raises:
            InputError: something is left blank, or there is one of that name.
        """
        folder = self._folder(form)
        if any((folder / kind).exists() for kind in (RUN, COMMAND)):
            raise InputError(f"name: expected a new one, got {folder.name}, which is there")
        self._spawn(folder, self._command(form, folder))
        return folder.name

    def go_on(self, name: str) -> None:
        """Gives the command of a stopped run again.

        Raises:
            InputError: no such run, not started by the page, or at work.
        """
        self._spawn(self.home / name, self._known(name)["command"])

    def stop(self, name: str) -> None:
        """Asks a run to end, as Ctrl-C does; it can go on.

        Raises:
            InputError: no such run, or none that the page has started.
        """
        process = self._known(name)["process"]
        if process and is_held(self.home / name / LOCK):  # so the number is not another's by now
            os.kill(process, signal.SIGTERM)

    def of(self, name: str) -> dict[str, Any]:
        """Name, state, settings, where it is, what it says, and what it has come to.

        Raises:
            InputError: no such run.
        """
        folder = self.home / self._named(name)
        lines, step = _log_lines(folder / LOG)
        state = self._state(name, lines)
        settings = _json(folder / RUN)
        evaluation = _json(folder / "evaluation.json") if state == DONE else None
        return {
            "name": name,
            "state": state,
            "own": (folder / COMMAND).exists(),
            "settings": settings or {},
            "step": step,
            "log": lines,
            "error": lines[-1] if state == FAILED else "",
            "checkpoint": str(folder / CHECKPOINT) if state == DONE else "",
            "verdict": verdict(_short(evaluation)) if evaluation else [],
            "rows": _table(_short(evaluation)) if evaluation else {},
            "stamp": _stamp(folder),
        }

    def all(self) -> list[dict[str, Any]]:
        """Name and state of each."""
        return [
            {"name": n, "state": self._state(n, _log_lines(self.home / n / LOG)[0])}
            for n in self.names()
        ]

    def folder(self, name: str) -> Path:
        """Raises InputError for no such run."""
        return self.home / self._named(name)

    def _named(self, name: str) -> str:
        if name not in self.names():
            raise InputError(f"training: expected one of {self.home}, got {name!r}")
        return name

    def _known(self, name: str) -> dict[str, Any]:
        known = _json(self.home / self._named(name) / COMMAND)
        if known is None:
            raise InputError(f"{name}: expected a run that this page started, got another")
        return known

    def _folder(self, form: Mapping[str, str]) -> Path:
        title = " ".join(form.get("name", "").split()).replace(" ", "-")
        if not title:
            raise InputError("name: expected one for the training, got none")
        return self.home / safe_stem(title)

    def _command(self, form: Mapping[str, str], folder: Path) -> list[str]:
        if not form.get("data", "").strip():
            raise InputError("data: expected a file of pictures and expressions, got none")
        if form.get("recipe", "").strip() not in ("", *RECIPES):
            raise InputError(f"recipe: expected one of {', '.join(RECIPES)}")
        given = [f"--{name}={form[name].strip()}" for name in OPTIONS if form.get(name, "").strip()]
        try:
            more = shlex.split(form.get("more", ""))
        except ValueError as error:
            raise InputError(f"options: expected them as on a command line, got: {error}") from None
        # Last, so that no option says otherwise.
        return [sys.executable, "-m", "train", "run", *given, *more, "--out", str(folder)]

    def _spawn(self, folder: Path, command: Sequence[str]) -> None:
        make_folder(folder)
        with (folder / LOCK).open("a") as lock, (folder / LOG).open("ab") as log:
            if not hold(lock):
                raise InputError(f"{folder.name}: expected a run at rest, got one at work")
            begun = _begun(folder) if (folder / COMMAND).exists() else time.time()
            known = {"command": list(command), "process": 0, "begun": begun}
            write_whole(folder / COMMAND, json.dumps(known).encode())
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # what ends the page's terminal does not end it
                pass_fds=[lock.fileno()],
                env=_env(),
            )
        self._children.append(child)
        write_whole(folder / COMMAND, json.dumps(known | {"process": child.pid}).encode())

    def _is_running(self, name: str) -> bool:
        self._children = [child for child in self._children if child.poll() is None]
        return any(is_held(self.home / name / lock) for lock in (LOCK, ".lock"))

    def _done(self, name: str) -> bool:
        folder = self.home / name
        weights = folder / CHECKPOINT / "model.safetensors"
        return weights.exists() and (folder / REPORT).exists() and not self._is_running(name)

    def _state(self, name: str, lines: Sequence[str]) -> str:
        if self._is_running(name):
            return RUNNING
        if self._done(name):
            return DONE
        last = lines[-1] if lines else ""
        bad = ENDED_BADLY.match(last) and "; the same command goes on" not in last
        return FAILED if bad else STOPPED


def _env() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != WITH_PARENT} | {"PYTHONUNBUFFERED": "1"}


def _begun(folder: Path) -> float:
    """When a run began, in seconds since 1970."""
    begun = (_json(folder / COMMAND) or {}).get("begun")
    file = folder / RUN if (folder / RUN).exists() else folder
    return float(begun) if begun else file.stat().st_mtime


def _log_lines(file: Path) -> tuple[list[str], str]:
    """The last lines of a log, with progress bars as they were last drawn; and the last step."""
    if not file.exists():
        return [], ""
    return _logs.get((file, file.stat().st_size), lambda: _read_log(file))


def _read_log(file: Path) -> tuple[list[str], str]:
    lines: deque[str] = deque(maxlen=LINES)
    step = ""
    with file.open("rb") as log:
        for drawn in log:
            text = drawn.rstrip(b"\r\n").rpartition(b"\r")[2].decode("utf-8", "replace")
            line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
            if line.strip():
                lines.append(line)
            step = line if line.startswith("Step ") else step
    return [*lines], step


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""


def _json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def _short(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """With data sets by the name of their file, where it is another for each."""
    splits = evaluation["splits"]
    short = {Path(source).name: groups for source, groups in splits.items()}
    return {**evaluation, "splits": short if len(short) == len(splits) else splits}


def _table(evaluation: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Data set → row → mIoU."""
    return {
        source: {title: row.get("mIoU") for title, row in groups["all"]["rows"].items()}
        for source, groups in evaluation["splits"].items()
    }


def _stamp(folder: Path) -> str:
    """Another one whenever there is more to draw."""
    files = [*folder.glob("*/log.jsonl"), *folder.glob("*/watch/*.npz")]
    return f"{len(files)}-{sum(file.stat().st_size for file in files)}"
