"""A run or a store opened with its pictures and reviews."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ssc.errors import InputError
from train.data import Dataset, open_dataset
from train.pseudo.records import PseudoPicture
from train.pseudo.scores import counts_words
from train.pseudo.store import MANIFEST, SOURCE, Store
from train.review.apply import reviewed
from train.review.decisions import FILE, Reviews

RUN = "run.json"


@dataclass(frozen=True)
class Opened:
    """S1 and S2, the pictures that they are of, and what people decided of them."""

    store: Store
    dataset: Dataset
    reviews: Reviews

    @property
    def spatial(self) -> bool:
        """Whether words count in S2."""
        return counts_words(self.store.manifest)

    def reviewed(self, index: int) -> PseudoPicture:
        """Picture `index` as people have put it right."""
        return reviewed(self.store.picture(index), self.reviews, self.spatial)


def open_reviewed(place: str | Path, data: str | None = None) -> Opened:
    """Opens a folder of `train run` or `train.pseudo`.

    The reviews of a run are beside its S1, `pseudo`, whichever S2 its recipe makes of it.

    Args:
        data: the pictures, as `--data`; None for what the run or the store names.

    Raises:
        InputError: no run or complete store, its pictures are not known, or they are others.
    """
    folder = Path(place)
    reviews = store_folder(folder) / FILE
    shown = folder / "spatial" if (folder / "spatial" / MANIFEST).exists() else None
    store = Store.open(shown or store_folder(folder))
    text = data or _source(folder, store)
    dataset = open_dataset(text)
    if len(dataset) != len(store) or dataset.picture_name(0) != store.name(0):
        raise InputError(
            f"{folder}: expected the pictures that S1 is of, {len(store)} from {store.name(0)} on, "
            f"got {len(dataset)} from {dataset.picture_name(0)} on in {text}; name them with --data"
        )
    return Opened(store, dataset, Reviews(reviews))


def store_folder(folder: Path) -> Path:
    """The folder of S1: the run's, or the store itself."""
    return folder / "pseudo" if (folder / RUN).exists() else folder


def _source(folder: Path, store: Store) -> str:
    for parent in (folder, folder.parent):
        if (parent / RUN).exists():
            return json.loads((parent / RUN).read_text())["data"]
    if SOURCE not in store.manifest:
        raise InputError(f"{folder}: expected --data, as the store does not name its pictures")
    return store.manifest[SOURCE]
