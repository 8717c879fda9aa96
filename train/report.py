"""What a folder of `train.run` holds, as Markdown with curves.

python -m train.report runs/my          # writes runs/my/report.md and PNGs beside it
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssc.types import InputError

Rows = list[dict[str, Any]]
TRAININGS = ("bootstrap", "correct", "correct-2")  # folders
COLOURS = dict(zip(TRAININGS, ("#0072b2", "#d55e00", "#009e73")))
SHARDS = 100  # of S1 and S2 that are read, evenly spread
SMOOTHING = 0.9  # of the loss curves, for the eye


def write_report(folder: Path) -> Path:
    """Writes `report.md` and its pictures.

    Raises:
        InputError: nothing of a run is there.
    """
    settings = _json(folder / "run.json")
    if settings is None:
        raise InputError(f"{folder}: expected a folder of python -m train run, got no run.json")
    logs = {name: read_rows(folder / name / "log.jsonl") for name in TRAININGS}
    evaluation = _json(folder / "evaluation.json")
    parts = ["# From sentences to a checkpoint", _settings(settings)]
    parts += _looked(folder / "pseudo")
    parts += _trained(folder, logs)
    parts += _draw(folder, logs, evaluation)
    if evaluation is not None:
        from train.tables import markdown

        parts += ["## Evaluation", *verdict(evaluation), f"`{evaluation['command']}`"]
        parts.append(markdown(evaluation))
        if settings["data"] in evaluation["splits"]:
            parts.append(
                "These are the pictures that were trained on (their masks were not): pictures of "
                "their own, by `--val` or `--test`, tell more."
            )
    if (folder / "checkpoint").exists():
        models, checkpoint = settings["model set"], folder / "checkpoint"
        parts += ["## Checkpoint", f"`python demo_app.py --models {models} --correct {checkpoint}`"]
    file = folder / "report.md"
    temporary = file.with_suffix(".tmp")
    temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    os.replace(temporary, file)
    return file


def verdict(evaluation: Mapping[str, Any]) -> list[str]:
    """A sentence for each data set: what the training gained over S+S, or lost."""
    lines = []
    for name, groups in evaluation["splits"].items():
        rows = groups["all"]["rows"]
        before, after = (_measure(rows.get(title, {})) for title in ("S+S", "S+S+C"))
        if before is None or after is None:
            continue
        line = f"{name}: S+S+C has {100 * after:.1f} where S+S, untrained, has {100 * before:.1f}."
        if after <= before:
            line += " The checkpoint is no gain: train longer, on more pictures, or from another."
        lines.append(line)
    return lines


def store_figures(folder: Path) -> dict[str, float] | None:
    """Counts over S1 and S2, of `SHARDS` shards at most; None where there are none.

    Returns:
        pictures, unreadable, objects, expressions, candidates (all objects' together), empty
        (objects without any), bytes (on disk).
    """
    files = sorted(folder.glob("shard-*.jsonl.gz"))
    files = files[:: max(1, -(-len(files) // SHARDS))]
    if not files:
        return None
    keys = ("pictures", "unreadable", "objects", "expressions", "candidates", "empty")
    counts: dict[str, float] = dict.fromkeys(keys, 0)
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for picture in map(json.loads, lines):
                counts["pictures"] += 1
                counts["unreadable"] += picture["error"] is not None
                for thing in picture["objects"]:
                    counts["objects"] += 1
                    counts["expressions"] += len(thing["expressions"])
                    counts["candidates"] += len(thing["candidates"])
                    counts["empty"] += not thing["candidates"]
    return {**counts, "bytes": sum(file.stat().st_size for file in files)}


def read_rows(path: Path) -> Rows:
    """Whole lines of a JSONL log; none where there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def smooth(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Moving average of exponential weights, without a bias to its beginning."""
    averages, total, norm = [], 0.0, 0.0
    for value in values:
        total, norm = weight * total + value, weight * norm + 1
        averages.append(total / norm)
    return averages


def _settings(settings: Mapping[str, str]) -> str:
    return table(
        ["", ""], [[key, f"`{value}`" if value else "–"] for key, value in settings.items()]
    )


def _looked(folder: Path) -> list[str]:
    counts, log = store_figures(folder), read_rows(folder / "log.jsonl")
    if counts is None:
        return []
    pictures, objects = max(1, counts["pictures"]), max(1, counts["objects"])
    lines = [
        f"{counts['pictures']:,.0f} pictures were counted, {counts['unreadable']:,.0f} of them "
        f"unreadable: {counts['objects']:,.0f} objects, {counts['expressions']:,.0f} expressions, "
        f"{counts['candidates'] / objects:.2f} candidate masks an object. For "
        f"{100 * counts['empty'] / objects:.1f} % of the objects nothing was found; they are not "
        f"learnt from. On disk: {counts['bytes'] / pictures:,.0f} bytes a picture."
    ]
    for device in dict.fromkeys(row["device"] for row in log):
        own = [row for row in log if row["device"] == device]
        done = sum(row["pictures"] for row in own)
        seconds = sum(row["seconds"] for row in own)
        each = 1000 * sum(row["seconds"] * row["workers"] for row in own) / done
        lines.append(
            f"On {device}: {done / seconds:.2f} pictures a second; 1,000 pictures took "
            f"{1000 * seconds / done:,.0f} s, {each:,.0f} s of a process."
        )
    return ["## Stages 1 and 2", *lines]


def _trained(folder: Path, logs: Mapping[str, Rows]) -> list[str]:
    rows = [_training(folder / name, log) for name, log in logs.items() if log]
    if not rows:
        return []
    head = ["", "updates", "pictures seen", "time, s", "pictures a second", "s for 1,000 pictures"]
    head += ["loss at first", "at last", "matched", "as S2 chose", "val mIoU, best"]
    return [
        "## Trainings",
        table(head, rows),
        "A picture counts each time that it is seen; the time spent on `--val` is counted too. "
        "*Matched*: share of the objects that learn from a mask; *as S2 chose*: share of these "
        "whose mask is still that of S2; both of the last tenth.",
    ]


def _training(folder: Path, log: Rows) -> list[str]:
    from train.steps import read_state

    state = read_state(folder)
    seen = state["update"] * state["run"]["batch"] if state else 0
    seconds = state["seconds"] if state else 0.0
    steps = [row for row in log if "loss" in row]
    last = steps[-max(1, len(steps) // 10) :]
    watched = [row["val mIoU"] for row in log if "val mIoU" in row]
    objects, matched, same = (
        sum(row[key] for row in last) for key in ("objects", "matched", "as chosen")
    )
    return [
        folder.name,
        f"{state['update']:,}" if state else "–",
        f"{seen:,}",
        f"{seconds:,.0f}",
        f"{seen / seconds:.2f}" if seconds else "–",
        f"{1000 * seconds / seen:,.1f}" if seen else "–",
        f"{steps[0]['loss']:.4f}" if steps else "–",
        f"{sum(row['loss'] for row in last) / len(last):.4f}" if last else "–",
        f"{100 * matched / objects:.1f} %" if objects else "–",
        f"{100 * same / matched:.1f} %" if matched else "–",
        f"{100 * max(watched):.1f}" if watched else "–",
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _draw(folder: Path, logs: Mapping[str, Rows], evaluation: Any) -> list[str]:
    """Draws what there is, as PNGs; returns what shows them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return ["*Curves are drawn where matplotlib is installed: `pip install matplotlib`.*"]
    figures = {"curves": _curves(logs)} if any(logs.values()) else {}
    if evaluation is not None:
        figures["evaluation"] = _bars(evaluation)
    for name, figure in figures.items():
        temporary = folder / f"{name}.tmp.png"
        figure.savefig(temporary, dpi=110)
        os.replace(temporary, folder / f"{name}.png")
    return [f"![{name}]({name}.png)" for name in figures]


def _curves(logs: Mapping[str, Rows]) -> Any:
    """Loss, matching and mIoU by update; the trainings one after the other."""
    from matplotlib.figure import Figure

    figure = Figure((11, 3.4), layout="constrained")
    loss, matching, miou = figure.subplots(1, 3)
    first = 0
    for name, log in logs.items():
        steps, colour = [row for row in log if "loss" in row], COLOURS[name]
        at = [first + row["update"] + 1 for row in steps]
        values = [row["loss"] for row in steps]
        loss.plot(at, values, color=colour, alpha=0.25, linewidth=0.8)
        marker = "o" if len(at) < 10 else ""
        loss.plot(at, smooth(values), color=colour, marker=marker, label=name)
        shares = [row["matched"] / max(1, row["objects"]) for row in steps]
        matching.plot(at, shares, color=colour, marker=marker, label=f"{name}: matched")
        kept = [row["as chosen"] / max(1, row["matched"]) for row in steps]
        matching.plot(at, kept, "--", color=colour, marker=marker, label=f"{name}: as S2 chose")
        watched = [row for row in log if "val mIoU" in row]
        at = [first + row["update"] + 1 for row in watched]
        miou.plot(at, [100 * row["val mIoU"] for row in watched], "o-", color=colour, label=name)
        first += max((row["update"] + 1 for row in log), default=0)
    matching.set_ylim(-0.03, 1.03)
    for axes, title in ((loss, "loss"), (matching, "share of objects"), (miou, "val mIoU, %")):
        axes.set_title(title)
        axes.set_xlabel("update")
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(fontsize=8)
    if not miou.has_data() or not any("val mIoU" in row for log in logs.values() for row in log):
        miou.text(0.5, 0.5, "no --val was given", ha="center", transform=miou.transAxes)
    return figure


def _bars(evaluation: Mapping[str, Any]) -> Any:
    """mIoU (or box P@0.5, where only boxes are known) of each row, by data set."""
    from matplotlib.figure import Figure

    figure = Figure((11, 3.2), layout="constrained")
    axes = figure.subplots()
    splits = {name: groups["all"]["rows"] for name, groups in evaluation["splits"].items()}
    titles = list(dict.fromkeys(title for rows in splits.values() for title in rows))
    width = 0.8 / max(1, len(titles))
    for k, title in enumerate(titles):
        values = [100 * (_measure(rows.get(title, {})) or 0) for rows in splits.values()]
        at = [place + k * width for place in range(len(splits))]
        bars = axes.bar(at, values, 0.9 * width, label=title)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(splits))], list(splits))
    axes.set_ylabel("mIoU, %")
    axes.set_ylim(0, 100)
    axes.legend(fontsize=8, ncols=len(titles))
    return figure


def _measure(row: Mapping[str, float | None]) -> float | None:
    known = row.get("mIoU")
    return row.get("box P@0.5") if known is None else known


def _json(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="--out of python -m train run")
    args = parser.parse_args(argv)
    try:
        print(f"wrote {write_report(args.folder)}")
    except (InputError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
