"""A picture of S1 and S2, and its form in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.types import Candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PseudoObject:
    """A referred object as stages 1 and 2 see it.

    Attributes:
        name: unique within the picture.
        expressions: its E referring expressions.
        classes: the vocabulary classes looked for.
        candidates: C candidate masks; a row of the paper's S1.
        similarity: float32 E×C, CLIP's cosine similarity of each expression and candidate.
        chosen: index of the candidate in S2, -1 where there is none.
        fixed: whether a person chose it (`train.review`); a store has none such.
    """

    name: str
    expressions: tuple[str, ...]
    classes: tuple[str, ...]
    candidates: Candidates
    similarity: NDArray[np.float32]
    chosen: int
    fixed: bool = False


@dataclass(frozen=True)
class PseudoPicture:
    """A picture's objects; `error` says why a picture that cannot be read has none."""

    name: str
    size: tuple[int, int]
    objects: tuple[PseudoObject, ...]
    error: str | None = None


def encode(picture: PseudoPicture) -> dict[str, Any]:
    """A picture as JSON holds it."""
    candidates: dict[tuple, int] = {}  # each once, however many objects share it
    objects = [
        {
            "name": referent.name,
            "expressions": list(referent.expressions),
            "classes": list(referent.classes),
            "candidates": [
                candidates.setdefault(row, len(candidates)) for row in _rows(referent.candidates)
            ],
            "similarity": [_numbers(row) for row in referent.similarity],
            "chosen": referent.chosen,
        }
        for referent in picture.objects
    ]
    names = ("rle", "box", "score", "quality", "label")
    return {
        "name": picture.name,
        "size": list(picture.size),
        "candidates": [dict(zip(names, row)) for row in candidates],
        "objects": objects,
        "error": picture.error,
    }


def decode(row: dict[str, Any], masks: bool = True) -> PseudoPicture:
    """The inverse of `encode`; without `masks` they are bool N×0×0, and it takes no time."""
    size = tuple(row["size"])
    rows = row["candidates"]
    arrays = np.zeros((len(rows), 0, 0), np.bool_)
    if masks:
        arrays = decode_masks([c["rle"] for c in rows], size)
    every = Candidates(
        np.array([c["box"] for c in rows], np.float32).reshape(-1, 4),
        np.array([c["score"] for c in rows], np.float32),
        tuple(c["label"] for c in rows),
        arrays,
        np.array([c["quality"] for c in rows], np.float32),
    )
    objects = []
    for entry in row["objects"]:
        own, texts = entry["candidates"], entry["expressions"]
        similarity = np.array(entry["similarity"], np.float32).reshape(len(texts), len(own))
        objects.append(
            PseudoObject(
                entry["name"],
                tuple(texts),
                tuple(entry["classes"]),
                every[own],
                similarity,
                entry["chosen"],
            )
        )
    return PseudoPicture(row["name"], size, tuple(objects), row["error"])


def decode_masks(codes: Sequence[str], size: tuple[int, int]) -> NDArray[np.bool_]:
    """COCO run-length codes of one frame (h, w) → bool N×h×w."""
    from pycocotools import mask as coco

    if not codes:
        return np.zeros((0, *size), np.bool_)
    stack = coco.decode([{"size": list(size), "counts": code.encode()} for code in codes])
    return stack.transpose(2, 0, 1).astype(np.bool_)  # h×w×N → N×h×w


def _rows(candidates: Candidates) -> list[tuple]:
    from pycocotools import mask as coco

    rows = []
    for k, mask in enumerate(candidates.masks):
        code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        box = tuple(_numbers(candidates.boxes[k]))
        [score, quality] = _numbers([candidates.scores[k], candidates.qualities[k]])
        rows.append((code, box, score, quality, candidates.labels[k]))
    return rows


def _numbers(values: Iterable[Any]) -> list[float]:
    """The shortest decimals that round to these float32."""
    return [float(np.format_float_scientific(np.float32(v), unique=True)) for v in values]
