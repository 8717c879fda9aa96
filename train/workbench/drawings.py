"""What the page draws of a training: curves and matches, and three pictures at its end."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ssc.draw import draw_mask, for_screen
from ssc.errors import InputError, told
from ssc.formats import jpeg
from ssc.writing import DiskFull, make_folder, write_whole
from train.data import open_dataset
from train.run.figures import curves_of, matches_of, truth_in, watched_of
from train.run.logs import logs_of

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Picture
    from train.fit.watch import Watched
    from train.run.figure6 import Truth

PICTURES = 3
SIDES = "sides"  # folder of a run
INK, PAPER = "#000000", "#ffffff"  # matplotlib's own

_lock = Lock()  # matplotlib's fonts are not for two threads
_sides_lock = Lock()
_truths: dict[Path, Truth | None] = {}  # by run: data are long to open


def draw_curves(folder: Path) -> str:
    """Loss, matches and mIoU as an SVG in the page's own ink; empty before the first update."""
    import matplotlib

    with _lock, matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "curves"}):
        watched = watched_of(folder)
        drawn = curves_of(logs_of(folder), watched, _truth(folder, watched))
        if drawn is None:
            return ""
        buffer = BytesIO()
        drawn[0].savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    return text.replace(INK, "currentColor").replace(f"fill: {PAPER}", "fill: none")


def draw_matches(folder: Path) -> bytes:
    """The matches of some watched pictures over time, as a PNG; empty where there are none yet."""
    with _lock:
        watched = watched_of(folder)
        drawn = matches_of(watched, _truth(folder, watched))
        if drawn is None:
            return b""
        buffer = BytesIO()
        drawn[0].savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def _truth(folder: Path, watched: dict[str, Watched]) -> Truth | None:
    if watched and folder not in _truths:
        settings = json.loads((folder / "run.json").read_text("utf-8"))
        _truths[folder] = truth_in(settings["data"], watched)
    return _truths.get(folder)


def draw_sides(folder: Path) -> list[dict[str, Any]]:
    """Three pictures of `--val`, else of the data, evenly spread: S+S, the start, the checkpoint.

    They are drawn once, to `SIDES` of the run's folder.

    Returns:
        For each "name", and "expression" and "shown", titles with the JPEG's name; or "error", why
        it cannot be drawn.

    Raises:
        InputError: the run is not complete, or its data are not there.
    """
    weights, listing = folder / "checkpoint" / "model.safetensors", folder / SIDES / "sides.json"
    if not weights.exists():
        raise InputError(f"{folder}: expected a run that is complete")
    with _sides_lock:  # not matplotlib's: two model sets are loaded here
        if not listing.exists() or listing.stat().st_mtime < weights.stat().st_mtime:
            make_folder(folder / SIDES)
            write_whole(listing, json.dumps(_sides(folder), ensure_ascii=False).encode())
    return json.loads(listing.read_text("utf-8"))


def _sides(folder: Path) -> list[dict[str, Any]]:
    import ssc

    settings = json.loads((folder / "run.json").read_text("utf-8"))
    source = settings["data"] if settings["val"] == "none" else settings["val"]
    data, models, init = open_dataset(source), settings["model set"], settings["init"]
    new = ssc.load(models, correct=folder / "checkpoint")
    old = None if init == "none" else ssc.load(models, correct=init)
    rows: list[dict[str, Any]] = []
    for place in range(min(PICTURES, len(data))):
        index = place * len(data) // min(PICTURES, len(data))
        try:
            own = _side(data[index], new, old, folder / SIDES, place)
        except DiskFull:
            raise
        except Exception as error:  # of any kind: one picture's failure is that picture's
            own = {"error": told(error)}
        rows.append({"name": data.picture_name(index), **own})
    return rows


def _side(
    picture: Picture, new: Pipeline, old: Pipeline | None, folder: Path, place: int
) -> dict[str, Any]:
    """A row of `draw_sides`, its pictures written to a folder."""
    if not picture.objects:
        raise InputError("expected an expression, got none")
    said = picture.objects[0].expressions[0]
    result = new(picture.image, [said])[0]
    shown = {"S+S": result.selected, "S+S+C": result.corrected}
    if old is not None:
        started = old(picture.image, [said])[0].corrected
        shown = {"S+S": result.selected, "start": started, "S+S+C": result.corrected}
    files = {}
    for title, answer in shown.items():
        files[title] = f"{place}-{title.replace('+', '')}.jpg"
        masks = picture.image[..., 0][None] < 0 if answer is None else answer.mask[None]
        image, masks, _ = for_screen(picture.image, masks, result.candidates.boxes[:0])
        write_whole(folder / files[title], jpeg(draw_mask(image, masks[0])))
    return {"expression": said, "shown": files}
