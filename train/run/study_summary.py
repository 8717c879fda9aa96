"""The study's seeds together: mean and spread, share of the gap closed, matching over time."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssc.writing import written
from train.evaluate.tables import HIGH, gap_closed, write_json
from train.markdown import table

MEASURES = ("mIoU", "oIoU", "choice accuracy")
LOWS = ("S+S", "ZSBootstrap")
"""The lower ends of the gap. From S+S it is the paper's question. From ZSBootstrap it compares
trainings of one network: a small one draws masks too coarse to reach those of S+S."""
ORDER = (
    "Random",
    "S+S",
    "S+S with words",
    "ZSBootstrap",
    "+ N",
    "S+S+C",
    "S+S+C best",
    HIGH,
    "Oracle",
)
COLOURS = {"S+S+C": "#d55e00", "S+S+C best": "#009e73"}


def write_summary(folder: Path) -> str:
    """Writes summary.json, rows.png and matching.png beside the seeds' figures.

    Args:
        folder: with a seed-K.json of each seed, as `train.run.study.figures` has it.

    Returns:
        The tables as Markdown, in per cent.
    """
    seeds = [json.loads(path.read_text()) for path in sorted(folder.glob("seed-*.json"))]
    summary = summarise(seeds)
    write_json(folder / "summary.json", summary)
    _draw(folder / "rows.png", _rows(summary))
    if any(seed["matching"] for seed in seeds):
        _draw(folder / "matching.png", _matching(seeds))
    return markdown(summary)


def summarise(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all seeds.

    Returns:
        "seeds"; "splits": test set → "rows" (row → measure → a value per seed that has the row) and
        "gap closed" (row → its lower end → a share per seed).
    """
    splits = {}
    for source in seeds[0]["splits"]:
        tables = [seed["splits"][source]["all"] for seed in seeds if source in seed["splits"]]
        titles = list(dict.fromkeys(title for table in tables for title in table))
        titles.sort(key=lambda title: ORDER.index(title) if title in ORDER else len(ORDER))
        splits[source] = {
            "rows": {
                title: {
                    measure: [table[title][measure] for table in tables if title in table]
                    for measure in MEASURES
                }
                for title in titles
            },
            "gap closed": {
                title: {
                    low: [gap_closed(table, title, low) for table in tables if title in table]
                    for low in LOWS
                }
                for title in titles
                if title.startswith("S+S+C") or title == "+ N"
            },
        }
    return {"seeds": [seed["seed"] for seed in seeds], "splits": splits}


def markdown(summary: Mapping[str, Any]) -> str:
    """Mean ± standard deviation over the seeds, in per cent."""
    gaps = [f"gap closed from {low}" for low in LOWS]
    heads = ["test set", "", *MEASURES, *gaps]
    rows = []
    for source, split in summary["splits"].items():
        for title, measures in split["rows"].items():
            cells = [_cell(values) for values in measures.values()]
            closed = split["gap closed"].get(title, {})
            cells += [_cell(closed.get(low, [])) for low in LOWS]
            rows.append([_short(source), title, *cells])
    return table(heads, rows)


def _cell(values: Sequence[float | None]) -> str:
    percents = [100 * value for value in values if value is not None]
    if len(percents) < 2:
        return f"{percents[0]:.1f}" if percents else ""
    return f"{statistics.mean(percents):.1f} ± {statistics.stdev(percents):.1f}"


def _short(source: str) -> str:
    """Of refsprites:testA:100:classes=16 the split."""
    return source.split(":")[1] if source.startswith("refsprites:") else source


def _rows(summary: Mapping[str, Any]) -> Any:
    """mIoU of each row, by test set, with the spread over the seeds."""
    from matplotlib.figure import Figure

    splits = summary["splits"]
    figure = Figure((11, 4), layout="constrained")
    axes = figure.subplots()
    titles = list(dict.fromkeys(title for split in splits.values() for title in split["rows"]))
    width = 0.8 / len(titles)
    for k, title in enumerate(titles):
        own = [split["rows"].get(title, {"mIoU": [0.0]})["mIoU"] for split in splits.values()]
        means = [100 * statistics.mean(values) for values in own]
        spread = [100 * statistics.stdev(values) if len(values) > 1 else 0 for values in own]
        at = [place + k * width for place in range(len(own))]
        axes.bar(at, means, 0.9 * width, yerr=spread, label=title, capsize=2)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(splits))], map(_short, splits))
    axes.set_ylabel("mIoU, %")
    axes.legend(fontsize=8, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    return figure


def _matching(seeds: Sequence[Mapping[str, Any]]) -> Any:
    """How many matches are right, by update; each seed a line."""
    from matplotlib.figure import Figure

    figure = Figure((7, 4), layout="constrained")
    axes = figure.subplots()
    for number, seed in enumerate(seeds):
        for title, own in seed["matching"].items():
            colour = COLOURS.get(title, "#999999")
            at, shares = zip(*own["matched"])
            label = title if number == 0 else None
            axes.plot(at, [100 * share for share in shares], "o-", color=colour, label=label)
            axes.axhline(100 * own["S2"], color=colour, linestyle=":", linewidth=1)
    axes.set_xlabel("update")
    axes.set_ylabel("matches that are right, % (dotted: S2)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _draw(path: Path, figure: Any) -> None:
    with written(path) as beside:
        figure.savefig(beside, dpi=110, format="png")
