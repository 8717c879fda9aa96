"""The figures of `train.run.report`: curves of the trainings, bars of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = list[dict[str, Any]]
COLOURS = {  # of each training's folder, in order
    "bootstrap": "#0072b2",
    "correct": "#d55e00",
    "correct-2": "#009e73",
    "supervised": "#0072b2",
    "supervised-2": "#d55e00",
    "supervised-3": "#009e73",
}
SMOOTHING = 0.9  # of the loss curves, for the eye


def curves(logs: Mapping[str, Rows], right: Mapping[str, Mapping[int, float]]) -> Any:
    """Loss, matching and mIoU by update; the trainings one after the other.

    Args:
        logs: of each training.
        right: training → update → share of the watched objects whose mask is right; empty where
            the truth is not known.
    """
    from matplotlib.figure import Figure

    figure = Figure((11, 4.8), layout="constrained")
    loss, matching, miou = figure.subplots(1, 3)
    first = 0
    for name, log in logs.items():
        if not log:
            continue
        steps, colour = [row for row in log if "loss" in row], COLOURS[name]
        at = [first + row["update"] + 1 for row in steps]
        values = [row["loss"] for row in steps]
        loss.plot(at, values, color=colour, alpha=0.25, linewidth=0.8)
        marker = "o" if len(at) < 10 else ""
        loss.plot(at, smooth(values), color=colour, marker=marker, label=name)
        shares = [row["matched"] / max(1, row["objects"]) for row in steps]
        matching.plot(at, shares, color=colour, marker=marker, label=f"{name}: matched")
        kept = [row["as chosen"] / max(1, row["matched"]) for row in steps]
        matching.plot(at, kept, "--", color=colour, marker=marker, label=f"{name}: same as S2")
        if own := sorted(right.get(name, {}).items()):
            places, right_ones = zip(*((first + update, share) for update, share in own))
            matching.plot(places, right_ones, "o:", color=colour, label=f"{name}: right")
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
            axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    if not miou.has_data() or not any("val mIoU" in row for log in logs.values() for row in log):
        miou.text(0.5, 0.5, "no --val was given", ha="center", transform=miou.transAxes)
    return figure


def bars(evaluation: Mapping[str, Any]) -> Any:
    """mIoU of each row (box P@0.5 where only boxes are known): by data set over all expressions,
    then for each data set by kind of expression, where kinds are known."""
    from matplotlib.figure import Figure

    splits = evaluation["splits"]
    parts = {"": {name: groups["all"]["rows"] for name, groups in splits.items()}}
    for name, groups in splits.items():
        if len(groups) > 1:
            parts[name] = {kind: group["rows"] for kind, group in groups.items() if kind != "all"}
    figure = Figure((11, 3.2 * len(parts)), layout="constrained")
    for axes, (title, groups) in zip(
        figure.subplots(len(parts), squeeze=False)[:, 0], parts.items()
    ):
        _grouped(axes, groups)
        axes.set_title(title, fontsize=10)
    return figure


def _grouped(axes: Any, groups: Mapping[str, Mapping[str, Any]]) -> None:
    """A bar for each row, group by group."""
    titles = list(dict.fromkeys(title for rows in groups.values() for title in rows))
    width = 0.8 / max(1, len(titles))
    for k, title in enumerate(titles):
        values = [100 * (measure(rows.get(title, {})) or 0) for rows in groups.values()]
        at = [place + k * width for place in range(len(groups))]
        bars = axes.bar(at, values, 0.9 * width, label=title)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(groups))], list(groups))
    axes.set_ylabel("mIoU, %")
    axes.set_ylim(0, 100)
    axes.legend(fontsize=8, ncols=len(titles))


def measure(row: Mapping[str, float | None]) -> float | None:
    miou = row.get("mIoU")
    return row.get("box P@0.5") if miou is None else miou


def smooth(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Moving average of exponential weights, without a bias to its beginning."""
    averages, total, norm = [], 0.0, 0.0
    for value in values:
        total, norm = weight * total + value, weight * norm + 1
        averages.append(total / norm)
    return averages
