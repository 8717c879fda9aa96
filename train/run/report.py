"""A page about a folder of `python -m train run`: tables, curves, and matches over time.

python -m train report runs/my     # writes runs/my/report.html, report.md and its PNGs
"""

from __future__ import annotations

import argparse
import gzip
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import write_whole, written
from train.fit.options import LEFT_OUT
from train.markdown import table
from train.run.curves import Rows
from train.run.logs import logs_of, read_rows
from train.run.steps import read_state
from train.run.verdict import verdict

SHARDS = 100  # of S1 and S2 that are read, evenly spread
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1f; background: #fff; }}
div {{ overflow-x: auto; }} img {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0; }}
td, th {{ padding: 0.3rem 0.7rem; border-bottom: 1px solid #ddd; text-align: left; }}
code {{ background: #f2f2f5; padding: 0.1em 0.3em; border-radius: 3px; overflow-wrap: anywhere; }}
</style></head><body>
{body}</body></html>
"""


def write_report(folder: Path) -> Path:
    """Writes `report.md`, its pictures, and `report.html`, which has them all in one file.

    Raises:
        InputError: nothing of a run is there.
    """
    settings = _json(folder / "run.json")
    if settings is None:
        raise InputError(f"{folder}: expected a folder of python -m train run, got no run.json")
    logs = logs_of(folder)
    evaluation = _json(folder / "evaluation.json")
    drawn = _draw(folder, logs, evaluation, settings)
    parts = ["# From sentences to a checkpoint"]
    parts += verdict(evaluation) if evaluation is not None else []
    parts += [_settings(settings), *_looked(folder / "pseudo"), *_trained(folder, logs)]
    parts += drawn.pop("curves", [])
    if "over-time" in drawn:
        parts += ["## Matches over time", *drawn.pop("over-time")]
    if evaluation is not None:
        from train.evaluate.tables import markdown

        parts += ["## Evaluation", f"`{evaluation['command']}`", *drawn.pop("evaluation", [])]
        parts.append(markdown(evaluation))
        if settings["data"] in evaluation["splits"]:
            parts.append(
                "These are the training pictures, although training does not read their masks. "
                "Other pictures, given with `--val` or `--test`, tell more."
            )
    for shown in drawn.values():
        parts += shown
    if (folder / "checkpoint").exists():
        models, checkpoint = settings["model set"], folder / "checkpoint"
        parts += ["## Checkpoint", f"`python demo_app.py --models {models} --correct {checkpoint}`"]
    text = "\n\n".join(part for part in parts if part) + "\n"
    _write(folder / "report.md", text)
    return _write(folder / "report.html", _page(text, folder))


def _page(text: str, folder: Path) -> str:
    """The Markdown as a page that needs no other file."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    for picture in sorted(folder.glob("*.png")):
        data = b64encode(picture.read_bytes()).decode()
        body = body.replace(f'src="{picture.name}"', f'src="data:image/png;base64,{data}"')
    body = body.replace("<table>", "<div><table>").replace("</table>", "</table></div>")
    return PAGE.format(title=f"S+S+C: {escape(folder.resolve().name)}", body=body)


def _write(file: Path, text: str) -> Path:
    write_whole(file, text.encode("utf-8", "backslashreplace"))
    return file


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
        f"{counts['pictures']:,.0f} pictures, {counts['unreadable']:,.0f} of them unreadable: "
        f"{counts['objects']:,.0f} objects, {counts['expressions']:,.0f} expressions, "
        f"{counts['candidates'] / objects:.2f} candidate masks per object. "
        f"{100 * counts['empty'] / objects:.1f} % of the objects have no candidate; training "
        f"leaves them out. On disk: {counts['bytes'] / pictures:,.0f} bytes per picture."
    ]
    for device in dict.fromkeys(row["device"] for row in log):
        own = [row for row in log if row["device"] == device]
        done = sum(row["pictures"] for row in own)
        seconds = sum(row["seconds"] for row in own)
        each = 1000 * sum(row["seconds"] * row["workers"] for row in own) / done
        lines.append(
            f"On {device}: {done / seconds:.2f} pictures a second; 1,000 pictures take "
            f"{1000 * seconds / done:,.0f} s, {each:,.0f} s of one process."
        )
    return ["## Stages 1 and 2", *lines]


def _trained(folder: Path, logs: Mapping[str, Rows]) -> list[str]:
    rows = [_training(folder / name, log) for name, log in logs.items() if log]
    if not rows:
        return []
    head = ["", "updates", "pictures seen", "time, s", "pictures a second", "s for 1,000 pictures"]
    head += ["first loss", "last loss", "matched", "same as S2", "best val mIoU"]
    reviewed = [
        f"{name}: people have decided the masks of {own['reviewed']:,} objects (`reviews.jsonl`)."
        for name in logs
        for row in read_rows(folder / name / LEFT_OUT)
        for own in row.values()
        if own.get("reviewed")
    ]
    left_out = [
        f"{name}, `{kind}`: {own['pictures']} of {own['of']} pictures cannot be used and are left "
        f"out ({100 * own['share']:.1f} %)."
        for name in logs
        for row in read_rows(folder / name / LEFT_OUT)
        for kind, own in row.items()
        if own["pictures"]
    ]
    return [
        "## Trainings",
        table(head, rows),
        *left_out,
        *reviewed,
        "A picture counts each time it is seen; time on `--val` is included. *Matched*: share "
        "of the objects that learn from a mask. *Same as S2*: share of these whose mask is the one "
        "in S2. Both are over the last tenth of the updates.",
    ]


def _training(folder: Path, log: Rows) -> list[str]:
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


def _draw(
    folder: Path, logs: Mapping[str, Rows], evaluation: Any, settings: Any
) -> dict[str, list[str]]:
    """Draws the figures as PNGs; returns the Markdown that shows each of them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        note = "*Curves are drawn where matplotlib is installed: `pip install matplotlib`.*"
        return {"": [note]}
    from train.run.figures import curves_of, matches_of, truth_in, watched_of

    watched = watched_of(folder)
    truth = truth_in(settings["data"], watched)
    figures = {"curves": curves_of(logs, watched, truth), "over-time": matches_of(watched, truth)}
    drawn = {name: own for name, own in figures.items() if own is not None}
    if evaluation is not None:
        from train.run.curves import bars

        drawn["evaluation"] = bars(evaluation), ""
    for name, (figure, _) in drawn.items():
        with written(folder / f"{name}.png") as beside:
            figure.savefig(beside, dpi=110, format="png")
    return {name: [f"![{name}]({name}.png)", text] for name, (_, text) in drawn.items()}


def _json(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="--out of python -m train run")
    args = parser.parse_args(argv)
    print(f"wrote {write_report(args.folder)}")


if __name__ == "__main__":
    main()
