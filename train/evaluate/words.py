"""How well words alone are understood: real expressions, true boxes, blank pixels.

The pipeline is the project's own, with a detector that knows the truth, a segmenter that fills
boxes and a CLIP to which everything looks alike, so that only what the words say can decide.

Truth: the objects of a picture are the distinct boxes that any list names in it; an object's class
is the COCO class that most of its expressions name outright. An object of which no expression tells
it is never the one meant, but stands among the candidates.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.metrics import mask_box, pairwise_box_iou
from ssc.pipeline import Pipeline
from ssc.segment import Segment
from ssc.select import Select
from ssc.words.lexis import words
from ssc.words.vocabulary import COCO_80
from train.data import open_dataset
from train.markdown import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 128
"""Pixels; boxes are brought to a square frame of this side."""
SAME, FOUND = 0.9, 0.7
"""IoU from which two boxes are one object, and from which a candidate is the one meant."""
PEOPLE = words("""person man woman guy lady girl boy kid child baby player men women people""")
OUTRIGHT = {
    **{name: name for name in COCO_80},
    **{f"{name}s": name for name in COCO_80},
    **dict.fromkeys(PEOPLE, "person"),
}
"""Nouns that name a class outright."""


@dataclass
class Square:
    """An object of a picture.

    Attributes:
        box: float32 4, XYXY in the pixels of a square of `SIDE`.
        named: how many expressions name each class outright.
    """

    box: NDArray[np.float32]
    named: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str | None:
        return self.named.most_common(1)[0][0] if self.named else None


@dataclass(frozen=True)
class Row:
    """An expression and the object that it names, by its number in its picture."""

    picture: str
    expression: str
    number: int


class Alike:
    """A CLIP to which all texts and pictures look alike."""

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 1), np.float32)

    def encode_images(self, images: Any) -> NDArray[np.float32]:
        return np.ones((len(images), 1), np.float32)


class Truth:
    """A detector that gives the objects of the picture that it is shown."""

    threshold = 0.3

    def show(self, squares: Sequence[Square], meant: str) -> None:
        self.squares, self.meant = squares, meant
        self.queries: list[tuple[str, ...]] = []

    def detect(self, image: Any, names: Sequence[str]) -> Any:
        self.queries.append(tuple(names))
        shown = [t for t in self.squares if t.name in names or (not t.name and self.meant in names)]
        boxes = np.array([t.box for t in shown], np.float32).reshape(-1, 4)
        labels = tuple(t.name or names[0] for t in shown)
        return boxes, np.full(len(shown), 0.9, np.float32), labels


class Filled:
    """A segmenter that fills boxes."""

    def segment(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Any:
        masks = np.zeros((len(boxes), *image.shape[:2]), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, np.round(boxes).astype(int)):
            mask[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = True
        return masks, np.ones(len(boxes), np.float32)


def measure(
    pipeline: Pipeline, sources: Sequence[str], limit: int | None = None
) -> dict[str, dict[str, float]]:
    """The figures of each list.

    Args:
        pipeline: lends its reader of words and its classes.
        sources: JSONL files with image, expression, box (XYWH), width and height a line, or data
            sets as `train.data.open_dataset` names them.
        limit: expressions of each list, drawn with a seed; None for all.

    Returns:
        List → percent of those with two objects or more to choose from: "right" (where several
        score alike, 1 / how many), "chance", "decided" (words make a difference), "decided right",
        "lost" (right, but read as several or as none); and of all, "several" and "none" (read as
        several, or as counting beyond what is there), "class" (the object's class is looked for),
        "looked for" (classes, where there is a noun), "ms" (processor time to understand an
        expression not met before, the median), "expressions".

    Raises:
        InputError: a list cannot be read.
    """
    lists, squares = read_lists(pipeline, sources)
    heeding, truth = knowing_boxes(pipeline)
    return {
        name: _figures(heeding, truth, squares, _drawn(rows, limit)) for name, rows in lists.items()
    }


def read_lists(
    pipeline: Pipeline, sources: Sequence[str]
) -> tuple[dict[str, list[Row]], dict[str, list[Square]]]:
    """The rows of each list, by its name, and each picture's boxes with the classes that an
    expression of any list names outright; raises InputError where one cannot be read."""
    squares: dict[str, list[Square]] = defaultdict(list)
    lists: dict[str, list[Row]] = {}
    for source in sources:
        name = Path(source).stem
        if name in lists:
            raise InputError(f"{source}: expected lists of different names, got {name} twice")
        lists[name] = read_rows(source, squares)
    for row in (row for rows in lists.values() for row in rows):
        named = OUTRIGHT.get(pipeline.segment.nouns(row.expression))
        if named:
            squares[row.picture][row.number].named[named] += 1
    return lists, squares


def knowing_boxes(pipeline: Pipeline) -> tuple[Pipeline, Truth]:
    """This pipeline's reading of words, which alone decides, and the detector that it then has."""
    truth = Truth()
    nouns, classes = pipeline.segment.nouns, pipeline.segment.classes
    stage = Segment(nouns, classes, truth, Filled(), several=False)
    return Pipeline(stage, Select(Alike(), several=False)), truth


def _drawn(rows: list[Row], limit: int | None) -> list[Row]:
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[i] for i in sorted(order[:limit])]


def _figures(
    pipeline: Pipeline, truth: Truth, squares: dict[str, list[Square]], rows: list[Row]
) -> dict[str, float]:
    from tqdm import tqdm

    rng = np.random.default_rng(0)
    counts: dict[str, list[float]] = defaultdict(list)
    read = getattr(pipeline.segment.nouns, "read", None)
    met: set[str] = set()
    for row in tqdm(rows, unit="expression", mininterval=2):
        own = squares[row.picture]
        meant = own[row.number]
        if meant.name is None:
            continue
        if read is not None and row.expression not in met:
            met.add(row.expression)
            begun = thread_time()
            read(row.expression)
            counts["ms"].append(1000 * (thread_time() - begun))
        truth.show(own, meant.name)
        # Noise, so that no two pictures are one to a cache.
        image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        [result] = pipeline(image, [row.expression])
        queries = truth.queries[0] if truth.queries else ()
        several = any(said.parts for said in result.words)
        ranks = [place.rank for said in result.words for place in said.places]
        none = result.found and max(ranks, default=1) > len(result.candidates)
        counts["several"].append(several)
        counts["none"].append(none)
        counts["class"].append(meant.name in queries)
        if len(queries) < len(COCO_80):
            counts["looked for"].append(len(queries))
        alternatives = sum(square.name in (None, meant.name) for square in own)
        if alternatives < 2:
            continue
        counts["chance"].append(1 / alternatives)
        scores = result.selection.scores if result.selection else np.zeros(0)
        best = np.flatnonzero(scores >= scores.max(initial=-np.inf) - 1e-6)
        right = 0.0
        if len(best):
            overlaps = pairwise_box_iou(result.candidates.boxes, meant.box[None])[:, 0]
            right = float(np.mean(overlaps[best] >= FOUND))
        counts["right"].append(right)
        counts["lost"].append(right * (several or none))
        counts["decided"].append(0 < len(best) < len(scores))
        if counts["decided"][-1]:
            counts["decided right"].append(right)
    spent = float(np.median(counts.pop("ms", [np.nan])))
    means = {name: float(np.mean(values)) for name, values in counts.items()}
    percents = {n: v if n == "looked for" else 100 * v for n, v in means.items()}
    return {"expressions": len(rows), **percents, "ms": spent}


def read_rows(source: str, squares: dict[str, list[Square]]) -> list[Row]:
    """The expressions of a source; `squares` gets the objects of its pictures."""
    rows = []
    for picture, expression, box in _read(source):
        own = squares[picture]
        boxes = np.array([square.box for square in own], np.float32).reshape(-1, 4)
        same = pairwise_box_iou(boxes, box[None])[:, 0] >= SAME
        number = int(same.argmax()) if same.any() else len(own)
        if number == len(own):
            own.append(Square(box))
        rows.append(Row(picture, expression, number))
    return rows


def _read(source: str) -> list[tuple[str, str, NDArray[np.float32]]]:
    """Picture, expression and box, in the pixels of the square, of each expression."""
    rows = []
    if source.endswith(".jsonl"):
        try:
            lines = Path(source).read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"{source}: expected a list of expressions, got: {error}") from error
        return [_parsed(line, f"{source}, line {n}") for n, line in enumerate(lines, 1)]
    data = open_dataset(source)
    for i in range(len(data)):
        picture = data[i]
        for referent in picture.objects:
            box = mask_box(referent.mask) if referent.mask is not None else referent.box
            if box is not None:
                square = _squared(box, *picture.image.shape[:2])
                rows += [(picture.name, text, square) for text in referent.expressions]
    return rows


def _parsed(line: str, where: str) -> tuple[str, str, NDArray[np.float32]]:
    try:
        row = json.loads(line)
        x, y, w, h = row["box"]
        box = _squared([x, y, x + w, y + h], row["height"], row["width"])
        return str(row["image"]), str(row["expression"]), box
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"{where}: expected image, expression, box, width and height, got: {error!r}"
        ) from error


def _squared(box: Any, height: float, width: float) -> NDArray[np.float32]:
    scale = np.array([SIDE / width, SIDE / height] * 2)
    return np.clip(np.asarray(box, np.float64) * scale, 0, SIDE).astype(np.float32)


def markdown(report: dict[str, dict[str, float]]) -> str:
    """The figures as a table."""
    of_two = ("right", "chance", "decided", "decided right", "lost")
    names = (*of_two, "several", "none", "class", "looked for", "ms")
    rows = []
    for name, figures in report.items():
        values = (
            f"{figures.get(n, float('nan')):.{2 if n in ('looked for', 'ms') else 1}f}"
            for n in names
        )
        rows.append([name, f"{figures['expressions']:.0f}", *values])
    return table(["list", "expressions", *names], rows)
