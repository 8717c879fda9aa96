"""The logs of a run's trainings."""

from __future__ import annotations

import json
from pathlib import Path

from train.run.curves import COLOURS, Rows


def read_rows(path: Path) -> Rows:
    """Whole lines of a JSONL log; none where there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def logs_of(folder: Path) -> dict[str, Rows]:
    """Training → its log, of a folder of `train run`; empty where it has not begun."""
    return {name: read_rows(folder / name / "log.jsonl") for name in COLOURS}
