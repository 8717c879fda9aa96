"""The paper's figures (paper.json, in per cent), by row and test set."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("paper.json")
MEASURES = ("oIoU", "mIoU")
SPLITS_OF_GOOGLE = {"umd": "(U)", "google": "(G)"}  # RefCOCOg has two ways to split it


@cache
def figures() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def column(source: str) -> str | None:
    """The test set of the paper that a data set is compared with; None where there is none.

    RefSprites' splits are compared with RefCOCO's of the same name: an order of methods can agree,
    a figure means another thing.

    Args:
        source: as `train.data.open_dataset` takes it.
    """
    kind, _, rest = source.partition(":")
    if kind == "refsprites":
        name = f"RefCOCO {rest.partition(':')[0]}"
    elif kind == "refer" and rest.count(":") >= 2:
        folder, by, split = rest.rsplit(":", 2)
        title = Path(folder).name.lower().replace("refcoco", "RefCOCO")
        name = f"{title} {split}{SPLITS_OF_GOOGLE.get(by, '')}"
    else:
        return None
    return name if name in figures()["table1"]["oIoU"]["S+S"] else None


def by_test(table: str, row: str | None, source: str) -> dict[str, float | None]:
    """Measure → the paper's figure in Table 1 or 4; None where it has none.

    Args:
        table: "table1" or "table4".
        row: its name there; None where the paper has no such row.
    """
    own, test = figures()[table], column(source)
    return {measure: own[measure].get(row, {}).get(test) for measure in MEASURES}


def of_sample(table: str, row: str | None) -> dict[str, float | None]:
    """As `by_test`, in Table 2 or 3, which are of a sample of RefCOCO's training set."""
    return dict(zip(MEASURES, figures()[table].get(row, (None, None))))
