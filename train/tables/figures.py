"""Figures on disk: one JSON file for each row and test set, named by what it is computed from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import InputError
from train.data import open_dataset
from train.data.fingerprint import digest_of, fingerprint
from train.data.usable import LeftOut
from train.evaluate.ablations import FREESOLO, NLTK, Tables, ablations, lacking
from train.evaluate.baselines import BASELINES
from train.evaluate.checkpoints import checkpoint
from train.evaluate.counting import evaluate
from train.evaluate.methods import ROWS, Row
from train.evaluate.tables import write_json
from train.pseudo.provenance import revision, weights_of
from train.tables.rows import TRAINED

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset

ABLATIONS = "ablations"  # as a cell's row: all of Tables 2 and 3
OPTIONAL = {ABLATIONS: (NLTK, FREESOLO), "gl-clip-freesolo": (FREESOLO,)}
"""Row → parts that it is computed from where they are on this machine."""
DRAWS = 0  # seed of rows that draw at random


@dataclass(frozen=True)
class Cell:
    """A row on a test set.

    Attributes:
        row: of `train.evaluate --rows`, `ABLATIONS`, or the name of a checkpoint.
        test: data set with true masks, as `train.data.open_dataset` takes it.
        checkpoint: its folder; None for what is not trained here.
        seed: of its training.
    """

    row: str
    test: str
    checkpoint: Path | None = None
    seed: int | None = None


class Figures:
    """The folder of all figures.

    What is computed before is not computed again, until its data, weights or checkpoint are others.
    A figure has "rows": title → kind of expression → measures, as `train.evaluate.counting.Group`
    has them; of `ABLATIONS` also "tables": caption → titles; or, in place of both, "lacks": why the
    model set cannot have it.

    Args:
        folder: is made.
        models: model set.
        allow_missing: as of `train.evaluate`.
    """

    def __init__(self, folder: Path, models: str, allow_missing: bool = False) -> None:
        self.folder, self.models, self.allow_missing = folder, models, allow_missing
        self._opened: dict[str, tuple[Dataset, str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, cell: Cell) -> dict[str, Any]:
        """A figure that is computed."""
        return json.loads(self.path(cell).read_text())

    def path(self, cell: Cell) -> Path:
        key = json.dumps(self._computed_from(cell), sort_keys=True)
        return self.folder / f"{cell.row}-{sha256(key.encode()).hexdigest()[:16]}.json"

    def complete(self, cells: Sequence[Cell], load: Callable[[], Pipeline]) -> None:
        """Computes what is missing, all rows of a test set together.

        Args:
            load: stages 1 and 2; called where something is missing.
        """
        missing = [cell for cell in dict.fromkeys(cells) if not self.path(cell).exists()]
        for test in dict.fromkeys(cell.test for cell in missing):
            self._compute([cell for cell in missing if cell.test == test], test, load())

    def _compute(self, cells: Sequence[Cell], test: str, pipeline: Pipeline) -> None:
        made = {cell: tables for cell in cells if (tables := self._tables(cell, pipeline))}
        rows = {  # by a number, as two seeds' rows have one title
            (cell, row.title): Row(f"{number} {row.title}", row.masks)
            for number, (cell, tables) in enumerate(made.items())
            for row in chain.from_iterable(tables.values())
        }
        if not rows:
            return
        data, _ = self._open(test)
        left_out = LeftOut(test, len(data), self.allow_missing)
        groups = evaluate(pipeline, list(rows.values()), data, None, DRAWS, left_out)
        for cell, tables in made.items():
            measures = {
                title: {kind: group["rows"][row.title] for kind, group in groups.items()}
                for (of, title), row in rows.items()
                if of == cell
            }
            titles = {caption: [row.title for row in own] for caption, own in tables.items()}
            self._write(cell, {"rows": measures, "tables": titles})

    def _tables(self, cell: Cell, pipeline: Pipeline) -> Tables:
        """As `tables_of`; none where the model set lacks what a row needs, which is noted."""
        try:
            return tables_of(cell, pipeline, self.models)
        except InputError as error:
            if cell.checkpoint is not None:
                raise
            self._write(cell, {"lacks": str(error)})
            return {}

    def _write(self, cell: Cell, figure: dict[str, Any]) -> None:
        made = {"of": self._computed_from(cell), "seed": cell.seed, "revision": revision()}
        write_json(self.path(cell), made | figure)

    def _computed_from(self, cell: Cell) -> dict[str, Any]:
        data, content = self._open(cell.test)
        weights = None
        if cell.checkpoint is not None:
            weights = digest_of(sorted(cell.checkpoint.glob("*.safetensors")), self.folder)
        made = {
            "row": cell.row,
            "data": data.name,
            "pictures": len(data),
            "files": content,
            "models": self.models,
            "weights": self._weights,
            "checkpoint": weights,
            "draws": DRAWS,
        }
        if cell.row in OPTIONAL:
            made["lacks"] = [part for part in OPTIONAL[cell.row] if part in lacking()]
        return made

    def _open(self, test: str) -> tuple[Dataset, str]:
        """A test set, and the digest of its files."""
        if test not in self._opened:
            data = open_dataset(test)
            self._opened[test] = data, fingerprint(data, self.folder)
        return self._opened[test]

    @cached_property
    def _weights(self) -> dict[str, str]:
        return weights_of(self.models)


def tables_of(cell: Cell, pipeline: Pipeline, models: str) -> Tables:
    """Caption → rows of a cell; all but `ABLATIONS` have one, with no caption.

    Raises:
        InputError: the model set lacks what a row needs.
    """
    if cell.checkpoint is not None:
        return {"": checkpoint(TRAINED[cell.row].title or cell.row, cell.checkpoint)}
    if cell.row == ABLATIONS:
        return ablations(pipeline, models)
    return {"": [{**ROWS, **BASELINES}[cell.row](pipeline)]}
