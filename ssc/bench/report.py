"""What was measured, as Markdown, JSON and a plot."""

from __future__ import annotations

import json
from io import BytesIO
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from ssc.writing import make_folder, write_whole

MISS = (
    "*miss*: one expression about what the picture does not have; compare it with *boxes*, about "
    "what it has. The reference then looks on for the nearest classes, as `--nearest` does."
)


def as_markdown(record: dict[str, Any]) -> str:
    """A heading, the conditions and a table for each set of a record; see `measure.measure`."""
    peak = record["peak"]
    lines = []
    for name, figures in record["sets"].items():
        s = figures["settings"]
        lines += [
            f"### {name} ({figures['weights']})",
            "",
            f"{title(record)}; {s['boxes']} boxes, {_count(s['expressions'], 'expression')}; "
            f"median of {s['repeats']} after {_count(s['warmup'], 'warm-up')}; peak: "
            f"{peak['tflops']:.3g} TFLOP/s in {peak['dtype']}, measured on matrix products.",
            "",
            "| step | seconds | reference | ratio | GFLOP | share of peak | difference |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for step, row in figures["steps"].items():
            differs = ""
            if "difference" in row:
                differs = "no match" if row["difference"] is None else f"{row['difference']:.2g}"
            lines.append(
                f"| {step} | {row['seconds']:.3g} | {row['reference']:.3g} | {row['ratio']:.1f}× "
                f"| {row['gflop']:,.1f} | {row['share']:.1%} | {differs} |"
            )
        lines += ["", MISS, ""] if "miss" in figures["steps"] else [""]
    return "\n".join(lines)


def title(record: dict[str, Any]) -> str:
    """The machine, in words."""
    m = record["machine"]
    where = "" if m["device"] == "cpu" else f", {m['device']}"
    cores, threads = _count(m["cores"], "core"), _count(m["threads"], "thread")
    return f"{m['processor']}, {cores}, {threads}{where}, {m['dtype']}, torch {m['torch']}"


def write_report(folder: Path, record: dict[str, Any]) -> list[Path]:
    """Writes `bench.json`, `bench.md` and `bench.png`, each put in its place whole.

    Raises:
        WriteError: the folder cannot be written.
    """
    make_folder(folder)
    contents = {
        "bench.json": json.dumps(record, indent=1).encode(),
        "bench.md": as_markdown(record).encode(),
        "bench.png": plot(record),
    }
    for name, data in contents.items():
        write_whole(folder / name, data)
    return [folder / name for name in contents]


def plot(record: dict[str, Any]) -> bytes:
    """PNG: for each set, seconds of each step and whole beside the reference's."""
    from matplotlib.figure import Figure

    sets = record["sets"]
    heights = [len(figures["steps"]) + 1 for figures in sets.values()]
    figure = Figure(figsize=(9, 1 + 0.45 * sum(heights)), layout="constrained")
    figure.suptitle(title(record), fontsize=9)
    rows = figure.subplots(len(sets), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, figures) in zip(rows, sets.items()):
        steps = figures["steps"]
        places = range(len(steps))
        own, reference = ([row[key] for row in steps.values()] for key in ("seconds", "reference"))
        axes.hlines(places, own, reference, color="#cbd5e1", linewidth=2, zorder=0)
        axes.scatter(reference, places, color="#94a3b8", label="reference")
        axes.scatter(own, places, color="#2563eb", label="this program")
        for place, row in enumerate(steps.values()):
            right = max(row["seconds"], row["reference"])
            label = f"{row['ratio']:.1f}×"
            axes.annotate(label, (right, place), (8, 0), textcoords="offset points", va="center")
        axes.set_yticks(places, list(steps))
        axes.set_ylim(len(steps) - 0.4, -0.6)
        axes.set_xscale("log")
        # Whole decades: a small difference looks small.
        ends = floor(log10(min(own + reference))), ceil(log10(max(own + reference) * 1.5))
        axes.set_xlim(10.0 ** ends[0], 10.0 ** ends[1])
        axes.set_xlabel("seconds")
        axes.set_title(f"{name} ({figures['weights']})", fontsize=9)
    rows[0].legend(fontsize=8, loc="lower left")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
