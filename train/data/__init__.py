"""One form for every data set: pictures, and the sentences about the things in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Referred:
    """An object of a picture that expressions refer to.

    Attributes:
        name: unique within the picture.
        expressions: its referring expressions, one or more.
        mask: bool H×W, the true mask where the set has it; weakly-supervised training never reads
            it.
        kinds: kind of each expression where the set has it, for reports; else empty.
        box: float32 4, XYXY pixels, the true box where the set has it; for evaluation only.
    """

    name: str
    expressions: tuple[str, ...]
    mask: NDArray[np.bool_] | None = None
    kinds: tuple[str, ...] = ()
    box: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture with its referred objects.

    Attributes:
        name: unique within the data set, and the same on every machine.
        image: RGB uint8 H×W×3.
        objects: in a fixed order.
        instances: bool N×H×W, true masks of all objects in the picture, where the set has them.
        names: the class of each instance, where the set has them; else empty.
    """

    name: str
    image: NDArray[np.uint8]
    objects: tuple[Referred, ...]
    instances: NDArray[np.bool_] | None = field(default=None, repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)


class Dataset(Protocol):
    """A sequence of pictures, read from disk or rendered one at a time.

    Boxes and masks are in the frame of `image`. Which one that is of a file with an EXIF
    orientation, is each source's own: REFER's and coco62's pictures are taken as they are stored,
    as COCO's tools read them; one's own files and `photos` upright, as viewers show them.

    Attributes:
        name: differs wherever content differs, even under the same path; fit for a file name.
    """

    name: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture:
        """Raises InputError or OSError for a picture that cannot be read."""
        ...

    def picture_name(self, index: int) -> str:
        """The name of picture `index`, without reading it."""
        ...

    def files(self) -> Iterator[Path | str]:
        """The files behind the pictures, some perhaps missing; none where they are rendered.

        A text is the digest of a file that is within another (`train.data.fingerprint`).
        """
        ...


class RefSprites:
    """Scenes `first` to `first + count - 1` of a split, rendered when asked for.

    An object of the split "several" is what one question means: its mask is of all objects that
    are meant, and empty where there is none.

    Args:
        classes: how many classes scenes show, those with the most sprites first; 0 for all.

    Raises:
        InputError: fewer classes than 2, or more than there are.
    """

    kind = "refsprites"

    def __init__(
        self, split: str, count: int, seed: int = 0, first: int = 0, classes: int = 0
    ) -> None:
        from train.scenes.catalogue import richest

        self.split, self.count, self.seed, self.first = split, count, seed, first
        self.classes = len(richest(classes)) if classes else 0
        self.name = f"{self.kind}-{split}-{seed}-{first}" + (f"-of-{classes}" if classes else "")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Picture:
        from train.scenes import render

        if not 0 <= index < self.count:
            raise IndexError(index)
        scene = render(self.split, self.first + index, self.seed, classes=self.classes)
        masks = scene.masks
        objects = tuple(
            Referred(
                str(k),
                tuple(e.text for e in expressions),
                masks[k],
                tuple(e.kind for e in expressions),
            )
            for k, expressions in scene.referred.items()
        )
        objects += tuple(
            Referred(
                str(k), (asked.text,), np.any(masks[list(asked.answer)], axis=0), (asked.kind,)
            )
            for k, asked in enumerate(scene.questions)
        )
        return Picture(self.picture_name(index), scene.image, objects, masks, scene.names)

    def picture_name(self, index: int) -> str:
        return f"{self.split}-{self.first + index:06d}"

    def files(self) -> Iterator[Path]:
        return iter(())


class SpriteClasses(RefSprites):
    """The same scenes with one object per class: "dog" or "puppy" means the pixels of all dogs.

    One more object is a class that the scene does not show, with an empty mask. A name tells the
    class and never which instance. The mini LAVT learns here what the paper's LAVT has from
    ImageNet and BERT.
    """

    kind = "classes"

    def __getitem__(self, index: int) -> Picture:
        from train.scenes import render
        from train.scenes.catalogue import richest

        if not 0 <= index < self.count:
            raise IndexError(index)
        scene = render(self.split, self.first + index, self.seed, classes=self.classes)
        labels = np.array(scene.names)
        absent = sorted(set(richest(self.classes)) - set(labels))
        other = np.random.default_rng([self.seed, self.first + index]).choice(absent)
        objects = tuple(
            Referred(name, _class_names(name), scene.masks[labels == name].any(0))
            for name in map(str, dict.fromkeys((*labels, other)))
        )
        return Picture(self.picture_name(index), scene.image, objects, scene.masks, scene.names)


@cache
def _class_names(category: str) -> tuple[str, ...]:
    from train.scenes.catalogue import SPRITES

    called = (sprite.names for sprite in SPRITES if sprite.category == category)
    return tuple(dict.fromkeys((category, *chain.from_iterable(called))))


TABLES = (".jsonl", ".json", ".csv", ".tsv")
CLASSES = "classes="  # before the number of classes, the last part of the text
SOURCES = """refsprites:SPLIT:COUNT[:FIRST[:SEED]][:classes=K], classes:… likewise,
refer:FOLDER:BY:SPLIT (refer:data/refcoco:unc:testA), a .jsonl or .csv file or a folder with one,
photos:FOLDER or coco62:FOLDER, coco:FILE[:PICTURES], labelme:FOLDER or imagefolder:FOLDER;
webdataset:URL{000000..000999}.tar as `data pack` writes them, hf:NAME:SPLIT[:COLUMN=ITS NAME…];
ungrouped:SOURCE makes
each sentence of one an object of its own, grouped:FILE.json:SOURCE joins them as `data group` has
proposed"""


def open_dataset(text: str) -> Dataset:
    """Opens a data set by what `--data` says.

    - `refsprites:SPLIT:COUNT`: rendered scenes; `:FIRST` and `:SEED` follow where they are not 0,
      and `:classes=16` at the end restricts them to 16 classes.
    - `classes:SPLIT:COUNT`, likewise: the same scenes with one object per class.
    - `refer:FOLDER:BY:SPLIT`: RefCOCO, RefCOCO+ or RefCOCOg as published; `train.data.refer`.
    - `photos:FOLDER`, `coco62:FOLDER`: photographs with expressions; `train.data.photographs`.
    - `coco:FILE[:PICTURES]`, `labelme:FOLDER`, `imagefolder:FOLDER`: other tools' files;
      `train.data.foreign`.
    - `webdataset:URL`: tar files, on a disk or in a bucket; `train.data.shards`.
    - `hf:NAME:SPLIT`: what `datasets` of Hugging Face reads; `train.data.hub`.
    - `ungrouped:SOURCE`: any of these, each sentence as an object of its own.
    - `grouped:FILE.json:SOURCE`: any of these, sentences joined to objects as the file of
      `python -m train data group` says.
    - the path of a `.jsonl`, `.json`, `.csv` or `.tsv` file, or of a folder with one of them in it:
      your own pictures; `train.data.files`.

    Raises:
        InputError: not such a text, or the data set is missing or not valid.
    """
    kind, _, rest = text.partition(":")
    if kind in ("refsprites", "classes"):
        return _open_scenes(RefSprites if kind == "refsprites" else SpriteClasses, kind, rest)
    if kind == "ungrouped":
        from train.data.ungrouped import Ungrouped

        return Ungrouped(open_dataset(rest))
    if kind == "grouped":
        from train.data.grouped import Grouped

        file, parted, source = rest.partition(".json:")
        if not parted:
            raise InputError(f"data: expected grouped:FILE.json:SOURCE, got {text!r}")
        return Grouped(Path(f"{file}.json"), open_dataset(source))
    if kind == "refer":
        from train.data.refer import Refer

        parts = rest.rsplit(":", 2)
        if len(parts) != 3:
            raise InputError(f"data: expected refer:FOLDER:BY:SPLIT, got {text!r}")
        return Refer(Path(parts[0]), *parts[1:])
    if kind == "webdataset":
        from train.data.shards import Shards

        return Shards(rest)
    if kind == "hf":
        from train.data.hub import Streamed

        return Streamed(rest)
    if kind in ("photos", "coco62"):
        from train.data.photographs import Photographs

        return Photographs(kind, Path(rest))
    if kind in ("coco", "labelme", "imagefolder"):
        from train.data.foreign import Foreign

        return Foreign(kind, rest)
    if Path(text).suffix.lower() in TABLES or Path(text).is_dir():
        from train.data.files import Files
        from train.data.sheets import find_table

        path = Path(text)
        return Files(find_table(path) if path.is_dir() else path)
    raise InputError(f"data: expected {' '.join(SOURCES.split())}; got {text!r}")


def _open_scenes(which: type[RefSprites], kind: str, rest: str) -> RefSprites:
    try:
        split, count, *more = rest.split(":")
        classes = int(more.pop()[len(CLASSES) :]) if more and more[-1].startswith(CLASSES) else 0
        first, seed = (*map(int, more), 0, 0)[:2]
        if len(more) > 2:
            raise ValueError
        return which(split, int(count), seed, first, classes)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"data: expected {kind}:SPLIT:COUNT[:FIRST[:SEED]][:classes=K], got '{kind}:{rest}'"
        ) from error
