"""What a run has gained, in a sentence for each data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.run.curves import measure
from train.run.steps import START


def verdict(evaluation: Mapping[str, Any]) -> list[str]:
    """A sentence or two for each data set: S+S+C, alone and together with S+S, against S+S alone
    and the checkpoint at the start."""
    lines = []
    for name, groups in evaluation["splits"].items():
        rows = groups["all"]["rows"]
        alone, after = (measure(rows.get(title, {})) for title in ("S+S", "S+S+C"))
        if alone is None or after is None:
            continue
        start, both, both_before = (
            measure(rows.get(title, {})) for title in (START, "S+S and S+S+C", f"S+S and {START}")
        )
        line = f"{name}: S+S+C reaches {100 * after:.1f}"
        line += "" if both is None else f", together with S+S {100 * both:.1f}"
        line += f". S+S reaches {100 * alone:.1f}"
        if start is not None:
            line += f", the checkpoint at the start {100 * start:.1f}"
            line += "" if both_before is None else f", together with S+S {100 * both_before:.1f}"
        line += " (mIoU, or P@0.5 of boxes, in per cent)."
        if max(after, both or 0.0) <= max(alone, start or 0.0, both_before or 0.0):
            line += " No gain: train longer, on more pictures, or from another checkpoint."
        lines.append(line)
    return lines
