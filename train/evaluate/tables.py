"""The evaluation's report as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssc.writing import write_whole
from train.evaluate import misses
from train.markdown import percent, table

MEASURES = ("oIoU", "mIoU", "P@0.5", "P@0.7", "P@0.9", "choice accuracy")
BY_KIND = ("S+S", "S+S with words", "S+S several", "S+S+C")
"""Rows that are also printed by kind of expression; the JSON has all."""
HIGH = "supervised"  # the upper end of the gap
LEAST = 0.02  # of a gap in mIoU: a share of a smaller one says nothing


def markdown(report: dict[str, Any]) -> str:
    """All tables of a report of `train.evaluate`."""
    if "tables" in report:
        parts = [
            _ablation(caption, titles, report["splits"])
            for caption, titles in report["tables"].items()
        ]
        parts += [f"Left out: {title}: {why}." for title, why in report["lacking"].items()]
        return "\n\n".join(parts)
    parts = [_scores(report["splits"]), _left_out(report.get("left out", {}))]
    parts += [_gaps(report["splits"]), _recall(report["splits"])]
    parts.append(_sure(report["splits"]))
    if report.get("detector"):
        names = next(iter(report["detector"].values()))
        rows = (
            [split, *(f"{value:.3f}" for value in figures.values())]
            for split, figures in report["detector"].items()
        )
        parts.append(table(["split", *names], rows))
    if "nouns" in report:
        nouns = report["nouns"]
        parts.append(f"Class projection: {percent(nouns['right'])} % of {nouns['nouns']} nouns.")
    if "misses" in report:
        counts = {split: _count(groups) for split, groups in report["splits"].items()}
        parts.append(misses.markdown(report["misses"], counts))
    return "\n\n".join(part for part in parts if part)


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Writes a report, whole or not at all."""
    text = json.dumps(report, indent=1) + "\n"
    write_whole(path, text.encode())


def gap_closed(
    rows: Mapping[str, Mapping[str, float | None]], title: str = "S+S+C", low: str = "S+S"
) -> float | None:
    """Share of the way from `low` to the supervised model that a row goes, in mIoU.

    Args:
        rows: of `Group.summary`.

    Returns:
        None where one of the three is missing, or supervised is not above `low` by `LEAST`.
    """
    if not {low, title, HIGH} <= rows.keys():
        return None
    lower, own, higher = (rows[name]["mIoU"] for name in (low, title, HIGH))
    if lower is None or own is None or higher is None or higher - lower < LEAST:
        return None
    return (own - lower) / (higher - lower)


def _scores(splits: Mapping[str, Any]) -> str:
    measures = list(MEASURES)
    if any(
        row.get("N-acc") is not None for groups in splits.values() for row in _all(groups).values()
    ):
        measures += ["gIoU", "cIoU", "N-acc", "T-acc"]  # where some expressions mean nothing
    if any("box P@0.5" in row for groups in splits.values() for row in _all(groups).values()):
        measures.append("box P@0.5")
    rows = [
        [split, f"{name} ({_samples(row)})", title, *(percent(row.get(key)) for key in measures)]
        for split, groups in splits.items()
        for name, group in groups.items()
        for title, row in group["rows"].items()
        if name == "all" or title in BY_KIND
    ]
    return table(["split", "expressions", "", *measures], rows)


def _left_out(splits: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{split}: {own['pictures']} of {own['of']} pictures ({percent(own['share'])} %) cannot "
        f"be used and are left out: {', '.join(own['named'])}."
        for split, own in splits.items()
        if own["pictures"]
    )


def _gaps(splits: Mapping[str, Any]) -> str:
    shares = {split: gap_closed(_all(groups)) for split, groups in splits.items()}
    return "\n".join(
        f"{split}: S+S+C closes {100 * share:.0f} % of the gap to supervised."
        for split, share in shares.items()
        if share is not None
    )


def _recall(splits: Mapping[str, Any]) -> str:
    head = ["split", "expressions", "right candidate found", "S+S choice of these", "chance"]
    rows = (
        [split, name, *(percent(share) for share in group["right candidate found"].values())]
        for split, groups in splits.items()
        for name, group in groups.items()
    )
    return table(head, rows)


def _sure(splits: Mapping[str, Any]) -> str:
    rows = [
        [split, title, word, percent(own["share"]), percent(own["right"])]
        for split, groups in splits.items()
        for title, called in groups["all"].get("sure", {}).items()
        for word, own in called.items()
    ]
    return table(["split", "", "answers called", "share", "right (IoU 0.5)"], rows) if rows else ""


def _ablation(caption: str, titles: list[str], splits: Mapping[str, Any]) -> str:
    measures = ("oIoU", "mIoU", "choice accuracy")
    rows = []
    for split, groups in splits.items():
        for title in titles:
            row = _all(groups)[title]
            rows.append(
                [f"{split} ({row['samples']})", title, *(percent(row[key]) for key in measures)]
            )
    return f"{caption}\n\n{table(['split', '', *measures], rows)}"


def _all(groups: Mapping[str, Any]) -> Mapping[str, Any]:
    return groups["all"]["rows"]


def _count(groups: Mapping[str, Any]) -> int:
    """How many expressions have a truth."""
    return _samples(next(iter(_all(groups).values())))


def _samples(row: Mapping[str, Any]) -> int:
    return row["samples"] + row.get("boxes", 0)
