"""Tables of figures as Markdown, for what the commands print and the reports hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a line for its head and one for each row; a bar inside a cell is escaped."""
    lines = [_line(head), "|---" * len(head) + "|", *map(_line, rows)]
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """A share as per cent with one decimal, without the sign; "–" where there is none."""
    return "–" if share is None else f"{100 * share:.1f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
