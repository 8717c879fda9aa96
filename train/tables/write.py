"""The tables as Markdown, LaTeX and pictures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ssc.writing import make_folder, write_whole, written
from train.tables.paper import MEASURES

if TYPE_CHECKING:
    from train.tables.efficiency import Speed
    from train.tables.report import Part, Table, TableRow

HEADS = ("", "seeds", *(head for name in MEASURES for head in (name, "paper", "difference")))
ESCAPED = {"&": r"\&", "%": r"\%", "_": r"\_", "±": r"$\pm$", "§": r"\S", "–": "--"}
ABOUT = (
    "In per cent; mean ± standard deviation of several seeds. The difference is to the "
    "paper's figure."
)


def write(folder: Path, tables: Sequence[Table], speeds: Sequence[Speed], notes: list[str]) -> str:
    """Writes tables.md, tables.tex and table-K.png; returns the first.

    Args:
        notes: sentences about what is left out, and the like.

    Raises:
        WriteError: the folder cannot be written.
    """
    make_folder(folder)
    text = markdown(tables, speeds, notes)
    write_whole(folder / "tables.md", text.encode())
    write_whole(folder / "tables.tex", latex(tables, speeds).encode())
    for table in tables:
        if number := number_of(table):
            _draw(folder / f"table-{number}.png", table)
    return text


def number_of(table: Table) -> str:
    """ "3" of "Table 3: …"; empty where it is none of the paper's."""
    word, _, rest = table["caption"].partition(" ")
    return rest.partition(":")[0] if word == "Table" else ""


def cells(row: TableRow) -> list[str]:
    """A row's cells under `HEADS`."""
    out = [row["title"], ", ".join(map(str, row["seeds"]))]
    for name in MEASURES:
        ours, theirs = row["ours"][name], row["paper"][name]
        out.append(spread(ours))
        out.append("" if theirs is None else f"{theirs:.2f}")
        far = theirs is None or not ours
        out.append("" if far or theirs is None else f"{statistics.mean(ours) - theirs:+.1f}")
    return out


def spread(values: Sequence[float]) -> str:
    """The mean, with the standard deviation of two or more."""
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else "–"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def markdown(tables: Sequence[Table], speeds: Sequence[Speed], notes: Sequence[str]) -> str:
    lines = [ABOUT, *notes]
    for table in tables:
        lines += ["", f"### {table['caption']}"]
        for part in table["parts"]:
            lines += ["", _of(part), "", _line(HEADS), "|---" * len(HEADS) + "|"]
            lines += [_line(cells(row)) for row in part["rows"]]
    for speed in speeds:
        lines += ["", f"### {speed['caption']}", "", speed["machine"], ""]
        lines += [_line(speed["heads"]), "|---" * len(speed["heads"]) + "|"]
        lines += [_line(row) for row in speed["rows"]]
    return "\n".join(lines) + "\n"


def latex(tables: Sequence[Table], speeds: Sequence[Speed]) -> str:
    """For a document with \\usepackage{booktabs}."""
    blocks = []
    for table in tables:
        rows = [_tex_row(HEADS)]
        for part in table["parts"]:
            title = rf"\multicolumn{{{len(HEADS)}}}{{l}}{{{_escape(_of(part))}}} \\"
            rows += [r"\midrule", title, *(_tex_row(cells(row)) for row in part["rows"])]
        blocks.append(_tabular(table["caption"], len(HEADS), rows))
    for speed in speeds:
        rows = [_tex_row(speed["heads"]), r"\midrule", *map(_tex_row, speed["rows"])]
        caption = f"{speed['caption']} ({speed['machine']})"
        blocks.append(_tabular(caption, len(speed["heads"]), rows))
    return "\n\n".join(blocks) + "\n"


def _tabular(caption: str, columns: int, rows: Sequence[str]) -> str:
    begin = [r"\begin{table}", rf"\caption{{{_escape(caption)}}}"]
    begin += [rf"\begin{{tabular}}{{l{'r' * (columns - 1)}}}", r"\toprule"]
    return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _of(part: Part) -> str:
    beside = f"; paper: {part['beside']}" if part["beside"] else ""
    return f"{part['test']}, {part['samples']} expressions{beside}"


def _line(parts: Sequence[str]) -> str:
    return f"| {' | '.join(parts)} |"


def _tex_row(parts: Sequence[str]) -> str:
    return rf"{' & '.join(map(_escape, parts))} \\"


def _escape(text: str) -> str:
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _draw(path: Path, table: Table) -> None:
    """mIoU of each row, by test set; a ring is the paper's."""
    from matplotlib.figure import Figure

    parts = table["parts"]
    height = 0.8 + 0.28 * max(len(part["rows"]) for part in parts)
    figure = Figure((1.6 + 2.6 * len(parts), height), layout="constrained")
    titles = list(dict.fromkeys(row["title"] for part in parts for row in part["rows"]))
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False, sharey=True)[0], parts):
        for row in part["rows"]:
            place, ours, theirs = titles.index(row["title"]), row["ours"]["mIoU"], row["paper"]
            if ours:
                error = statistics.stdev(ours) if len(ours) > 1 else 0
                axes.barh(place, statistics.mean(ours), 0.7, xerr=error, color="#2563eb", capsize=2)
            if theirs["mIoU"] is not None:
                axes.plot(theirs["mIoU"], place, "o", mfc="none", mec="#d55e00")
        axes.set_yticks(range(len(titles)), titles)
        axes.set_ylim(len(titles) - 0.4, -0.6)
        axes.set_xlabel("mIoU, % (ring: paper)")
        axes.set_title(_short(part["test"]), fontsize=9)
    with written(path) as beside:
        figure.savefig(beside, dpi=110, format="png")


def _short(test: str) -> str:
    """Of refsprites:testA:100:classes=16 the split."""
    return test.split(":")[1] if test.startswith("refsprites:") else test
