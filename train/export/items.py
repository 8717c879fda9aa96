"""What is exported: pictures, and what expressions in them mean, from any source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.images import load_image
from train.data import open_dataset
from train.data.masks import decode_segmentation
from train.data.usable import LeftOut
from train.pseudo.store import MANIFEST
from train.review.apply import masks_of
from train.review.decisions import FILE
from train.review.opened import RUN, Opened, open_reviewed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.data import Dataset

RESULT = "result.json"
LABEL = "object"  # where a source knows no class
NO_PICTURE = np.zeros((0, 0, 3), np.uint8)  # of a page without an item, which nobody looks at


@dataclass(frozen=True)
class Item:
    """What expressions of a picture mean.

    Attributes:
        name: unique within the picture.
        expressions: one or more.
        masks: bool P×H×W: none where nothing is meant, several where several things are.
        label: its class.
    """

    name: str
    expressions: tuple[str, ...]
    masks: NDArray[np.bool_]
    label: str = LABEL

    @property
    def union(self) -> NDArray[np.bool_]:
        """bool H×W."""
        return np.logical_or.reduce(self.masks)


@dataclass(frozen=True)
class Page:
    """A picture, RGB uint8 H×W×3, with its items; `name` is unique within the source."""

    name: str
    image: NDArray[np.uint8]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Pages:
    """Pictures, read one at a time.

    Those without an item are passed over, and those that cannot be read are left out.

    Attributes:
        reads: name of each, and what reads it.
        left_out: those that have failed so far.
    """

    reads: Iterable[tuple[str, Callable[[], Page]]]
    left_out: LeftOut

    def __iter__(self) -> Iterator[Page]:
        """Raises InputError where no picture can be read, and `TooManyLeftOut`."""
        some = False
        for name, read in self.reads:
            page = self.left_out.tried(lambda: name, read)  # noqa: B023 (called at once)
            some = some or page is not None
            if page is not None and page.items:
                yield page
        if self.left_out and not some:
            raise InputError(f"{self.left_out.source}: {self.left_out.words()}")


def open_source(
    text: str, data: str | None = None, images: Path | None = None, allow_missing: bool = False
) -> Pages:
    """The pictures of a source.

    Args:
        text: a folder of `train run` or `train.pseudo` (S2, with what people decided of it), its
            `reviews.jsonl` (what people decided alone), a folder of results of `python -m ssc`, or
            a data set with true masks, as `open_dataset` takes it.
        data: pictures of a store that does not name them.
        images: folder of the pictures that results of `python -m ssc` are of.
        allow_missing: whether more than a tenth of the pictures may be left out.

    Raises:
        InputError: none of these.
    """
    path = Path(text)
    if path.name == FILE:
        return pages_of(open_reviewed(path.parent, data), True, text, allow_missing)
    if (path / RUN).exists() or (path / MANIFEST).exists():
        return pages_of(open_reviewed(path, data), False, text, allow_missing)
    if path.is_dir() and (files := sorted(path.rglob(RESULT))):
        if images is None:
            raise InputError(
                f"{files[0]}: expected --images, the folder of the pictures that python -m ssc was "
                "given, as a result has their names alone"
            )
        several = len(files) > 1
        reads = [(str(file), partial(_of_results, file, images, several)) for file in files]
        return Pages(reads, LeftOut(text, len(files), allow_missing))
    dataset = open_dataset(text)
    own = ((dataset.picture_name(k), partial(_of_data, dataset, k)) for k in range(len(dataset)))
    return Pages(own, LeftOut(text, len(dataset), allow_missing))


def pages_of(
    opened: Opened, decided: bool, source: str = "export", allow_missing: bool = False
) -> Pages:
    """The pictures of a store with what people decided of it, or with that alone (`decided`).

    Args:
        source: its name, for messages.
        allow_missing: as of `open_source`.
    """
    store = opened.store
    reads = ((store.name(k), partial(_of_store, opened, k, decided)) for k in range(len(store)))
    return Pages(reads, LeftOut(source, len(store), allow_missing))


def _of_data(dataset: Dataset, index: int) -> Page:
    picture = dataset[index]
    items = tuple(
        Item(referent.name, referent.expressions, referent.mask[None][: int(referent.mask.any())])
        for referent in picture.objects
        if referent.mask is not None
    )
    return Page(picture.name, picture.image, items)


def _of_store(opened: Opened, index: int, decided: bool) -> Page:
    pseudo = opened.store.picture(index)
    states = {
        referent.name: opened.reviews.of(pseudo.name, referent.name) for referent in pseudo.objects
    }
    counts = {name for name, own in states.items() if own.choice is not None}
    if pseudo.error is not None or (decided and not counts):
        return Page(pseudo.name, NO_PICTURE, ())
    right = {referent.name: referent for referent in opened.reviewed(index).objects}
    items = []
    for referent in pseudo.objects:
        choice, own = states[referent.name].choice, right.get(referent.name)
        label = (referent.classes or (LABEL,))[0]
        if choice is not None:
            texts = own.expressions if own else referent.expressions
            items.append(Item(referent.name, texts, masks_of(choice, pseudo), label))
        elif not decided and own is not None and own.chosen >= 0:
            mask = own.candidates.masks[own.chosen]
            items.append(Item(referent.name, own.expressions, mask[None], label))
    return Page(pseudo.name, opened.dataset[index].image, tuple(items))


def _of_results(file: Path, images: Path, several: bool) -> Page:
    rows = read_results(file)
    if not rows:
        return Page(file.parent.name, NO_PICTURE, ())
    name = file.parent.name if several else rows[0]["image"]
    image = load_image(_picture(images, rows[0]["image"]))
    try:
        return page_of_results(name, image, rows)
    except InputError as error:
        raise InputError(f"{error} in {images}; name its folder with --images") from error


def read_results(file: Path) -> list[dict[str, Any]]:
    """The records of a result.json, one per object; `ssc.export` describes them."""
    return json.loads(file.read_text("utf-8"))["results"]


def page_of_results(name: str, image: NDArray[np.uint8], rows: Sequence[dict[str, Any]]) -> Page:
    """A picture, RGB uint8 H×W×3, with the answers that `rows`, one or more records, have to it.

    Raises:
        InputError: they are of a picture of another size.
    """
    items = []
    for number, row in enumerate(rows):
        masks = _masks_of_result(row)
        if image.shape[:2] != masks.shape[1:]:
            raise InputError(
                f"expected a picture of {row['width']}×{row['height']} pixels, got "
                f"{image.shape[1]}×{image.shape[0]}"
            )
        label = row["matches"][0]["class"] if row["matches"] else LABEL
        items.append(Item(str(number), tuple(row["expressions"]), masks, label))
    return Page(name, image, tuple(items))


def _masks_of_result(row: dict[str, Any]) -> NDArray[np.bool_]:
    """bool P×H×W: the answer of a result, each of several candidates by itself."""
    size = row["height"], row["width"]
    members = row.get("members", [])
    if len(members) > 1:
        own = [row["candidates"][number - 1]["mask"] for number in members]
        return np.array([decode_segmentation(mask, *size) for mask in own], np.bool_)
    mask = decode_segmentation(row["mask"], *size)
    return mask[None][: int(mask.any())]


def _picture(images: Path, name: str) -> Path:
    """The one file of a name in a folder or below it."""
    matches = sorted(path for path in images.rglob("*") if path.name == name)
    direct = images / name
    if direct in matches or len(matches) == 1:
        return direct if direct in matches else matches[0]
    raise InputError(
        f"{images}: expected one picture named {name}, got {len(matches)}; name its folder with "
        "--images"
    )
