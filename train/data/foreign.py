"""Other tools' files as data sets: COCO with captions, labelme, Hugging Face's imagefolder.

    coco:FILE[:PICTURES]   annotations with `captions` (a list) or `caption`; their segmentation or
                           box is the truth. PICTURES is the folder of pictures; by default
                           `images` beside FILE, or FILE's own.
    labelme:FOLDER         a JSON for each picture. A shape's `description` is its expressions,
                           parted by " | ", else its label; polygons, rectangles and masks are the
                           truth, and shapes of one `group_id` are one object.
    imagefolder:FOLDER     `metadata.jsonl` with `file_name`, and `text`, `caption` or `expressions`
                           of an object in it; lines of one picture are its objects, and
                           `mask_file_name` is the truth. Or `objects` with lists: `bbox` (x, y,
                           width, height), and `text`, `caption` or `expressions` of each.

Each is turned into the form of `train.data.files`, whose rules and messages hold. A picture that is
not of the size that COCO's file states, such as one that is turned by EXIF, is refused.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ssc.errors import InputError
from ssc.formats import rle
from train.data import Picture
from train.data.files import Files, number_of
from train.data.masks import decode_segmentation

SIZE = "size"  # of a row: height and width as the file states them
WORDS = ("expressions", "captions", "text", "caption")
METADATA = "metadata.jsonl"
Found = Iterator[tuple[int, dict[str, Any]]]  # a picture's line and row, as JSONL has it


class Foreign(Files):
    """A data set of another tool; see the top of this module.

    Args:
        kind: key of `READERS`.
        place: what follows the kind and the colon.

    Raises:
        InvalidData, InputError: as `Files`, and where the files are not the tool's.
    """

    def __init__(self, kind: str, place: str) -> None:
        self.kind, self.place = kind, place
        self._sizes: list[list[int] | None] = []
        super().__init__(_file_of(kind, place))
        self.name = f"{kind}-{self.name}"

    def _scan(self) -> Callable[[list[str]], str]:
        return self._scan_foreign

    def _scan_foreign(self, problems: list[str]) -> str:
        digest, names = sha256(), array("q")
        try:
            for line, row in READERS[self.kind](self.path, self.place):
                self._sizes.append(row.pop(SIZE, None))
                placeless = row | {"image": row.get("name", row["image"])}  # wherever the files are
                digest.update(json.dumps(placeless, sort_keys=True).encode())
                names.append(number_of(placeless["image"]))
                self._add(row, line, problems)
        except InputError as error:
            problems.append(str(error))
        except OSError as error:
            raise InputError(f"{self.path}: expected {self.kind}'s file, got: {error}") from error
        self._refuse_twins(names, problems)
        return digest.hexdigest()

    def __getitem__(self, index: int) -> Picture:
        picture, size = super().__getitem__(index), self._sizes[index]
        height, width = picture.image.shape[:2]
        if size not in (None, [height, width]):
            stated = f"{size[1]}×{size[0]}"
            turned = "; its EXIF turns it: save it turned" * (size == [width, height])
            raise InputError(
                f"{self._where(index)}: expected {self._row(index)['image']} to have the {stated} "
                f"pixels that are stated, got {width}×{height}{turned}"
            )
        return picture


@contextmanager
def _form_of(kind: str, where: str) -> Iterator[None]:
    """What does not fit a tool's form is an InputError that says where it is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{where}: expected {kind}'s form, got: {error!r}") from error


def _file_of(kind: str, place: str) -> Path:
    """The file that relative paths start beside."""
    if kind == "labelme":
        return Path(place) / "labelme"
    if kind == "imagefolder":
        return Path(place) / METADATA
    file, _, pictures = place.rpartition(":")
    return Path(file) if file else Path(pictures)


def read_coco(path: Path, place: str) -> Found:
    """Pictures whose annotations have captions, in the file's order."""
    file, _, pictures = place.rpartition(":")
    folder = Path(pictures) if file else path.parent / "images"
    if file and not folder.is_dir():
        raise InputError(f"{folder}: expected the folder of {path}'s pictures, got none")
    folder = folder if folder.is_dir() else path.parent
    own: dict[Any, list[dict[str, Any]]] = {}
    with _form_of("coco", str(path)):
        content = json.loads(path.read_bytes())
        for row in content["annotations"]:
            own.setdefault(row["image_id"], []).append(row)
        images = list(content["images"])
    for number, image in enumerate(images, 1):
        with _form_of("coco", f"{path}, image {number}"):
            objects = [
                _coco_object(row, texts, image)
                for row in own.get(image["id"], [])
                if (texts := _words(row))
            ]
            file = str((folder / image["file_name"]).absolute())
            name = str(image.get("name", image["file_name"]))
            size = [image.get("height"), image.get("width")]
        if objects:
            row = {"image": file, "name": name, "objects": objects}
            yield number, row if None in size else {**row, SIZE: size}


def _coco_object(row: dict[str, Any], texts: list[str], image: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": str(row.get("object", row["id"])), "expressions": texts}
    if segmentation := row.get("segmentation"):
        with _form_of("coco", f"annotation {row['id']}"):
            mask = decode_segmentation(segmentation, image["height"], image["width"])
        entry["mask"] = rle(mask)
    elif box := row.get("bbox"):
        entry["box"] = _corners(box)
    return entry


def read_labelme(path: Path, place: str) -> Found:
    """A picture for each JSON of the folder, in the order of names."""
    files = sorted(path.parent.glob("*.json"))
    if not files:
        raise InputError(f"{path.parent}: expected labelme's JSON files, got none")
    for number, file in enumerate(files, 1):
        with _form_of("labelme", str(file)):
            content = json.loads(file.read_bytes())
            picture = str((file.parent / content["imagePath"].replace("\\", "/")).absolute())
            objects = _labelme_objects(content)
        if objects:
            yield number, {"image": picture, "name": file.stem, "objects": objects}


def _labelme_objects(content: dict[str, Any]) -> list[dict[str, Any]]:
    size = content["imageHeight"], content["imageWidth"]
    groups: dict[Any, dict[str, Any]] = {}
    for k, shape in enumerate(content["shapes"]):
        group = shape.get("group_id")
        key = ("shape", k) if group is None else ("group", group)
        entry = groups.setdefault(key, {"texts": [], "masks": []})
        texts = (shape.get("description") or "").split(" | ")
        texts = [text for text in texts if text.strip()] or [shape["label"]]
        entry["texts"] += [text for text in texts if text not in entry["texts"]]
        entry["masks"].append(_shape(shape, *size))
    return [
        {"name": str(k), "expressions": entry["texts"], "mask": rle(np.any(entry["masks"], axis=0))}
        for k, entry in enumerate(groups.values())
    ]


def _shape(shape: dict[str, Any], height: int, width: int) -> Any:
    """bool height×width of a labelme shape."""
    kind, points = shape.get("shape_type", "polygon"), shape["points"]
    if kind == "polygon":
        polygon = [float(v) for point in points for v in point]
        return decode_segmentation([polygon], height, width)
    (x0, y0), (x1, y1) = points if len(points) == 2 else ((0, 0), (0, 0))
    if kind == "rectangle":
        polygon = [x0, y0, x1, y0, x1, y1, x0, y1]
        return decode_segmentation([polygon], height, width)
    if kind == "mask":
        from PIL import Image

        with Image.open(BytesIO(b64decode(shape["mask"]))) as image:
            part = np.asarray(image.convert("L")) > 0
        mask = np.zeros((height, width), np.bool_)
        x, y = round(x0), round(y0)
        mask[y : y + part.shape[0], x : x + part.shape[1]] = part[: height - y, : width - x]
        return mask
    raise InputError(f"expected polygons, rectangles and masks, got a {kind}")


def read_imagefolder(path: Path, place: str) -> Found:
    """Pictures of the lines, those of one `file_name` together."""
    pictures: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            with _form_of("imagefolder", f"{path}:{number}"):
                row = json.loads(line)
                file = row["file_name"]
                _, picture = pictures.setdefault(file, (number, {"image": file, "objects": []}))
                picture["objects"] += _imagefolder_objects(row)
    yield from (pair for pair in pictures.values() if pair[1]["objects"])


def _imagefolder_objects(row: dict[str, Any]) -> list[dict[str, Any]]:
    rows = row.get("objects")
    if isinstance(rows, dict):
        key = next((key for key in WORDS if key in rows), None)
        if key is None:
            raise InputError(f"expected objects with {' or '.join(WORDS)}")
        return [
            {"expressions": _words({key: texts}), "box": _corners(box)}
            for box, texts in zip(rows["bbox"], rows[key], strict=True)
        ]
    if not (texts := _words(row)):
        return []
    mask = row.get("mask_file_name")
    return [{"expressions": texts, **({"mask": mask} if mask else {})}]


def _words(row: dict[str, Any]) -> list[str]:
    """The expressions of a row, whichever key has them."""
    texts: Any = next((row[key] for key in WORDS if row.get(key)), [])
    return [texts] if isinstance(texts, str) else list(texts)


def _corners(box: list[float]) -> list[float]:
    """x, y, width, height → x0, y0, x1, y1."""
    x, y, width, height = map(float, box)
    return [x, y, x + width, y + height]


READERS: dict[str, Callable[[Path, str], Found]] = {
    "coco": read_coco,
    "labelme": read_labelme,
    "imagefolder": read_imagefolder,
}
"""Kind → reader of its rows: the file beside which relative paths start, and the place given."""
