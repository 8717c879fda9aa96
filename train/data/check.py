"""Checks a data set before training: counts, broken pictures, doubtful expressions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ssc.draw import colour_of, draw_candidates, for_screen
from ssc.errors import told
from ssc.types import ANY_CLASS, ClassMatch
from train.data.usable import MOST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment import Segment
    from train.data import Dataset, Picture, Referred

    Line = tuple[str, tuple[int, int, int] | None]

LOW = 0.7
"""Similarity of noun and class below which a noun is listed as doubtful. Of the everyday nouns that
the mini set projects rightly, 95 % are above. Other CLIPs have other scales."""

SHOWN = 10  # of each kind of problem
TILE = 320  # pixels, width of a picture on the sheet


@dataclass
class Findings:
    """What `check` finds.

    Attributes:
        pictures, objects, expressions, masks, boxes: counts over the pictures that open.
        broken: a message for each picture that cannot be used.
        duplicates: (picture, object, expression) of expressions given twice for one object.
        contradictions: (picture, expression, objects) of those given for several objects.
        nouns: class of each noun and its number of expressions, lowest similarity first.
        nameless: expressions without a noun; every object found is a candidate for them.
        sheet: the first pictures, for `draw_sheet`.
    """

    pictures: int = 0
    objects: int = 0
    expressions: int = 0
    masks: int = 0
    boxes: int = 0
    broken: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str, str]] = field(default_factory=list)
    contradictions: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    nouns: list[tuple[ClassMatch, int]] = field(default_factory=list)
    nameless: int = 0
    sheet: list[Picture] = field(default_factory=list)


def check(dataset: Dataset, indices: Iterable[int], segment: Segment, sheet: int) -> Findings:
    """Opens pictures and projects the nouns of their expressions.

    Args:
        indices: the pictures to check.
        segment: stage 1, which finds nouns and their classes.
        sheet: how many pictures to keep for the contact sheet.
    """
    findings = Findings()
    nouns: Counter[str] = Counter()
    for index in indices:
        try:
            picture = dataset[index]
        except Exception as error:  # of any kind: one picture's failure is that picture's
            findings.broken.append(told(error))
            continue
        findings.pictures += 1
        _count(picture, findings)
        nouns.update(
            segment.nouns(text) for referent in picture.objects for text in referent.expressions
        )
        if len(findings.sheet) < sheet:
            findings.sheet.append(picture)
    matches = segment.classes(list(nouns))
    pairs = [(match, nouns[match.noun]) for match in matches if match.name != ANY_CLASS]
    findings.nouns = sorted(pairs, key=lambda pair: (pair[0].similarity, pair[0].noun))
    findings.nameless = nouns[""]
    return findings


def _count(picture: Picture, findings: Findings) -> None:
    names_of: dict[str, list[str]] = {}
    for referent in picture.objects:
        findings.objects += 1
        findings.expressions += len(referent.expressions)
        findings.masks += referent.mask is not None
        findings.boxes += referent.box is not None
        for text, times in Counter(map(_plain, referent.expressions)).items():
            names_of.setdefault(text, []).append(referent.name)
            if times > 1:
                findings.duplicates.append((picture.name, referent.name, text))
    for text, names in names_of.items():
        if len(names) > 1:
            findings.contradictions.append((picture.name, text, tuple(names)))


def _plain(text: str) -> str:
    """What two expressions share that say the same: no case, no punctuation at the ends."""
    return " ".join(text.lower().split()).strip(" .,;:!?\"'")


def describe(findings: Findings, low: float = LOW) -> str:
    """The report, in plain text."""
    pictures, objects = max(1, findings.pictures), max(1, findings.objects)
    lines = [
        f"{findings.pictures} pictures, {findings.objects} objects "
        f"({findings.objects / pictures:.1f} a picture), {findings.expressions} expressions "
        f"({findings.expressions / objects:.1f} an object)",
        f"{findings.masks} objects have a true mask, {findings.boxes} a true box",
        f"{findings.nameless} expressions have no noun: every object found is a candidate for them",
    ]
    whole = max(1, findings.pictures + len(findings.broken))
    many = len(findings.broken) > max(1, MOST * whole)
    share = f"pictures ({100 * len(findings.broken) / whole:.1f} %) cannot be used; " + (
        "that is more than a tenth: training asks for --allow-missing"
        if many
        else "training leaves them out"
    )
    lines += _listed(share, findings.broken)
    lines += _listed(
        "expressions are given twice for one object",
        [f'{name}, object {referent}: "{text}"' for name, referent, text in findings.duplicates],
    )
    lines += _listed(
        "expressions are given for several objects of a picture and contradict each other",
        [
            f'{name}, objects {", ".join(of)}: "{text}"'
            for name, text, of in findings.contradictions
        ],
    )
    doubtful = [
        f"{match.noun} → {match.name} ({match.similarity:.2f}, next {_next(match)}), "
        f"in {times} expressions"
        for match, times in findings.nouns
        if match.similarity < low
    ]
    lines += _listed(
        f"of {len(findings.nouns)} nouns are far from any class (below {low:g})", doubtful
    )
    return "\n".join(lines)


def _listed(what: str, examples: Sequence[str]) -> list[str]:
    more = [f"  … and {len(examples) - SHOWN} more"] if len(examples) > SHOWN else []
    return [f"{len(examples)} {what}", *(f"  {text}" for text in examples[:SHOWN]), *more]


def _next(match: ClassMatch) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in match.runners_up[:1]) or "none"


def draw_sheet(pictures: Sequence[Picture], columns: int = 4) -> NDArray[np.uint8]:
    """RGB uint8: each picture with its true masks and boxes, and its expressions below."""
    tiles = [_tile(picture) for picture in pictures]
    height = max(len(tile) for tile in tiles)
    tiles = [_padded(tile, height) for tile in tiles]
    columns = min(columns, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(picture: Picture) -> NDArray[np.uint8]:
    import cv2

    h, w = picture.image.shape[:2]
    marked = [
        referent
        for referent in picture.objects
        if referent.mask is not None or referent.box is not None
    ]
    others = [
        referent for referent in picture.objects if referent.mask is None and referent.box is None
    ]
    drawn = draw_candidates(*for_screen(picture.image, *_truth(marked, h, w)))
    size = (TILE, max(1, min(2 * TILE, round(TILE * h / w))))
    shown = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    lines: list[Line] = [
        (f"{k + 1}: {t}", colour_of(k)) for k, o in enumerate(marked) for t in o.expressions
    ]
    lines += [(text, None) for referent in others for text in referent.expressions]
    return np.vstack([shown, _text([(picture.name, None), *lines])])


def _truth(
    referents: Sequence[Referred], height: int, width: int
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """True masks bool N×H×W and boxes float32 N×4; what has a box only has an empty mask."""
    masks = [np.zeros((height, width), bool) if t.mask is None else t.mask for t in referents]
    boxes = [_bounds(t.mask) if t.box is None else t.box for t in referents]
    return (
        np.array(masks, np.bool_).reshape(-1, height, width),
        np.array(boxes, np.float32).reshape(-1, 4),
    )


def _bounds(mask: NDArray[np.bool_] | None) -> tuple[int, int, int, int]:
    assert mask is not None
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1) if len(xs) else (0, 0, 1, 1)


def _text(lines: Sequence[Line]) -> NDArray[np.uint8]:
    """RGB uint8 h×TILE×3: lines on white, each after a square of its colour; long ones are cut."""
    from PIL import Image, ImageDraw, ImageFont

    step = 16
    canvas = Image.new("RGB", (TILE, step * len(lines) + 10), "white")
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(12)
    for k, (text, colour) in enumerate(lines):
        if colour is not None:
            pen.rectangle((4, step * k + 6, 10, step * k + 14), colour)
        pen.text((4 if colour is None else 15, step * k + 2), text, "black", font)
    return np.array(canvas)


def _padded(tile: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    return np.pad(tile, ((0, height - len(tile)), (0, 0), (0, 0)), constant_values=255)
