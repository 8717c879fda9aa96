"""A picture of a data set with its masks, as the cache of `train.fit.examples` holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from ssc.errors import InputError, told
from train.data import Dataset, Picture
from train.pseudo.scores import counts_words
from train.review.apply import reviewed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.pseudo.store import Store
    from train.review.decisions import Reviews


class Rows(torch.utils.data.Dataset):
    """One picture as the cache holds it, made in a worker."""

    def __init__(
        self,
        dataset: Dataset,
        store: Store | None,
        size: Sequence[int],
        reviews: Reviews | None = None,
        unmasked: bool = False,
    ) -> None:
        self.unmasked = unmasked
        self.dataset, self.store, self.size = dataset, store, tuple(size)
        self.reviews = reviews

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], NDArray, list[bytes]] | InputError:
        try:
            return self._row(index)
        except InputError as error:
            return error  # raised in a worker, it would come with the worker's traceback as text

    def _row(self, index: int) -> tuple[dict[str, Any], NDArray, list[bytes]]:
        try:
            picture = self.dataset[index]
        except Exception as error:  # of any kind: one picture's failure is that picture's
            row = {"name": self.dataset.picture_name(index), "objects": [], "left_out": 0}
            return row | {"unusable": told(error)}, np.zeros((0, 0, 3), np.uint8), []
        if self.store is not None and not len(self.store[index]) and len(picture.objects):
            # It could not be used when S1 was made.
            reason = self.store.picture(index).error or "no objects in S1"
            row = {"name": picture.name, "objects": [], "left_out": 0, "unusable": reason}
            return row, np.zeros((0, 0, 3), np.uint8), []
        masks: dict[bytes, int] = {}  # the same mask, found for several objects, is one mask
        objects = []
        for expressions, candidates, chosen, fixed in self._objects(index, picture):
            numbers = [masks.setdefault(self._pack(mask), len(masks)) for mask in candidates]
            entry = {"expressions": expressions, "masks": numbers, "chosen": -1}
            if chosen >= 0:
                entry["chosen"] = numbers[chosen]
            objects.append(entry | {"fixed": True} if fixed else entry)
        objects = objects if self.unmasked else _parted(objects)
        left_out = len(picture.objects) - len(objects)
        row = {"name": picture.name, "objects": objects, "left_out": left_out}
        if self.reviews is not None:
            states = [self.reviews.of(picture.name, referent.name) for referent in picture.objects]
            row["reviewed"] = sum(own.choice is not None for own in states)
        return row, shrink(picture.image, self.size), list(masks)

    def _objects(
        self, index: int, picture: Picture
    ) -> Iterator[tuple[list[str], NDArray, int, bool]]:
        """Of each object its expressions, masks bool C×H×W, the chosen one, and whether a person
        chose it."""
        if self.unmasked:
            nothing = np.zeros((0, *picture.image.shape[:2]), np.bool_)
            for referred in picture.objects:
                yield list(referred.expressions), nothing, -1, False
            return
        if self.store is None:
            for referred in picture.objects:
                if referred.mask is None:
                    raise InputError(
                        f"{self.dataset.name}, {picture.name}: expected true masks, got none; "
                        "supervised training and validation need a data set that has them"
                    )
                yield list(referred.expressions), referred.mask[None], 0, False
            return
        segmented = self.store[index]
        expressions = [referred.expressions for referred in picture.objects]
        stored = [entry.expressions for entry in segmented]
        if self.store.name(index) != picture.name or stored != expressions:
            raise InputError(
                f"expected a store of {self.dataset.name} in the same order, got "
                f"{self.store.name(index)} where {picture.name} stands"
            )
        if self.reviews is not None:
            pseudo, spatial = self.store.picture(index), counts_words(self.store.manifest)
            segmented = reviewed(pseudo, self.reviews, spatial).objects
            for entry in segmented:
                yield list(entry.expressions), entry.candidates.masks, entry.chosen, entry.fixed
            return
        for entry in segmented:
            yield list(entry.expressions), entry.candidates.masks, entry.chosen, False

    def _pack(self, mask: NDArray[np.bool_]) -> bytes:
        small = shrink(mask[..., None].astype(np.uint8) * 255, self.size)[..., 0] > 127
        return np.packbits(small.reshape(-1)).tobytes()  # h×w → ⌈hw/8⌉


def _parted(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objects with masks; a mask that a person gave to one is no other's, also where two masks are
    the same once they are small."""
    reserved = {number for entry in objects if entry.get("fixed") for number in entry["masks"]}
    for entry in objects:
        if reserved and not entry.get("fixed"):
            entry["masks"] = [number for number in entry["masks"] if number not in reserved]
            entry["chosen"] = -1 if entry["chosen"] in reserved else entry["chosen"]
    return [entry for entry in objects if entry["masks"]]


def shrink(image: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """uint8 H×W×C to uint8 h×w×C as `preprocess` does, but for the rounding."""
    if image.shape[:2] == tuple(size):
        return np.ascontiguousarray(image)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()  # 1×C×H×W
    pixels = F.interpolate(pixels, tuple(size), mode="bilinear", antialias=True)
    return pixels[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()  # C×h×w → h×w×C
