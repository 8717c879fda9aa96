"""Many pictures, one after the other: the results of each in a folder of its own.

A picture is done when its folder has a result.json, which is written last: whoever passes over
those goes on where a killed run stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ssc.export import write_result
from ssc.images import load_image
from ssc.writing import DiskFull, unique_stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from ssc.result import Result

Objects = Sequence[Sequence[str]]
RESULT = "result.json"


@dataclass(frozen=True)
class Query:
    """A picture and what is asked about it.

    Attributes:
        name: as its user knows it, for messages and for result.json.
        stem: of its files and its folder, see `unique_stems`.
        open: reads the picture, RGB uint8 H×W×3, and the expressions of each object; it raises
            InputError or OSError.
    """

    name: str
    stem: str
    open: Callable[[], tuple[NDArray[np.uint8], Objects]]


@dataclass(frozen=True)
class PictureResults:
    """The results of a picture, one per object, and the files written."""

    query: Query
    results: list[Result]
    written: list[Path]


@dataclass(frozen=True)
class PictureFailure:
    """Why a picture has no results."""

    query: Query
    error: Exception


def ask_all(paths: Sequence[Path], objects: Objects) -> list[Query]:
    """The same question about each of several files."""

    def read(path: Path) -> tuple[NDArray[np.uint8], Objects]:
        return load_image(path), objects

    named = zip(paths, unique_stems(paths))
    return [Query(path.name, stem, partial(read, path)) for path, stem in named]


def is_done(query: Query, out: Path, objects: Objects | None = None) -> bool:
    """Whether `out` has the results of a picture; with `objects`, those of just this question."""
    file = out / query.stem / RESULT
    if objects is None or not file.exists():
        return file.exists()
    try:
        found = [(r["image"], r["expressions"]) for r in json.loads(file.read_bytes())["results"]]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return found == [(query.name, list(expressions)) for expressions in objects]


def segment_one(
    pipeline: Pipeline, query: Query, folder: Path, lossless: bool = False
) -> PictureResults:
    """Segments a picture and writes its results to `folder`; raises what `open`, the pipeline and
    `write_result` raise."""
    image, objects = query.open()
    results = pipeline(image, objects)
    written = write_result(folder, query.stem, image, results, query.name, lossless=lossless)
    return PictureResults(query, results, written)


def segment_each(
    pipeline: Pipeline, pictures: Iterable[Query], out: Path, lossless: bool = False
) -> Iterator[PictureResults | PictureFailure]:
    """Segments each picture, its results in a folder below `out`; goes on where one fails.

    Raises:
        DiskFull: so would all others.
    """
    for query in pictures:
        yield _answer(pipeline, query, out / query.stem, lossless)


def _answer(
    pipeline: Pipeline, query: Query, folder: Path, lossless: bool
) -> PictureResults | PictureFailure:
    try:
        return segment_one(pipeline, query, folder, lossless)
    except DiskFull:
        raise
    except Exception as error:  # of any kind: one picture's failure is that picture's
        return PictureFailure(query, error)
