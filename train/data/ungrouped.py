"""A data set whose sentences nobody has grouped: each is an object of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.data import Dataset, Picture


class Ungrouped:
    """Another data set's pictures, with one object for each sentence; boxes and masks are kept."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.name = f"ungrouped-{dataset.name}"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Picture:
        picture = self.dataset[index]
        objects = tuple(
            replace(
                referred,
                name=f"{referred.name}.{k}",
                expressions=(expression,),
                kinds=referred.kinds[k : k + 1],
            )
            for referred in picture.objects
            for k, expression in enumerate(referred.expressions)
        )
        return replace(picture, objects=objects)

    def picture_name(self, index: int) -> str:
        return self.dataset.picture_name(index)

    def files(self) -> Iterator[Path | str]:
        return self.dataset.files()
