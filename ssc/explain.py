"""A result in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssc.types import Result


def explain(result: Result) -> str:
    """What was looked for and what came of it, in plain sentences."""
    words = f"{_of_selection(result)}{_of_correction(result)}."
    if result.disagrees and result.joint >= 0:
        words += f" Their scores together favour candidate {result.joint + 1}."
    if result.nearest:
        words += f" Found instead: {', '.join(name for name, _ in result.nearest)}."
    if result.override is not None:
        words += f" You chose candidate {result.override + 1}."
    return words


def _of_selection(result: Result) -> str:
    looked_for = " or ".join(result.classes)
    n, selection = len(result.candidates), result.selection
    if not n:
        return f'No {looked_for} found for "{result.expressions[0]}"'
    if selection is None:
        return f"Found {n} candidate{'s' * (n > 1)} of class {looked_for}"
    chosen, order, scores = selection.chosen, selection.order, selection.scores
    if chosen < 0:
        return "S+S chose no candidate: matching gave each of them to another object"
    if n == 1:
        return f"S+S chose the only {looked_for} found"
    score = f"{'spatially guided ' * selection.spatial}score {scores[chosen]:.3f}"
    if chosen == order[0]:
        return f"S+S chose candidate {chosen + 1} of {n} ({score}, next {scores[order[1]]:.3f})"
    return (
        f"S+S chose candidate {chosen + 1} of {n} ({score}) by matching, "
        f"as candidate {order[0] + 1} ({scores[order[0]]:.3f}) went to another object"
    )


def _of_correction(result: Result) -> str:
    correction = result.correction
    if result.selection is None or correction is None:
        return ""
    if correction.snapped >= 0:
        if not result.disagrees:
            return "; S+S+C agrees"
        return f"; S+S+C chose candidate {correction.snapped + 1} instead"
    if not correction.mask.any():
        return f"; S+S+C found nothing{'' if result.found else ' either'}"
    if not result.found:
        return "; S+S+C, which needs no candidates, marked a region"
    return "; S+S+C marked a region that is none of the candidates"
