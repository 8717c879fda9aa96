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

Each is turned into the form of `train.data.files`, whose rules and messages hold.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ssc.errors import InputError
from ssc.formats import rle
from train.data.files import Files
from train.data.masks import decode_segmentation

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
        super().__init__(_file_of(kind, place))
        self.name = f"{kind}-{self.name}"

    def _scan(self) -> Callable[[list[str]], str]:
        return self._scan_foreign

    def _scan_foreign(self, problems: list[str]) -> str:
        digest = sha256()
        try:
            for line, row in READERS[self.kind](self.path, self.place):
                digest.update(json.dumps(row, sort_keys=True).encode())
                self._add(row, line, problems)
        except InputError as error:
            problems.append(str(error))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            problems.append(f"{self.path}: expected {self.kind}'s form, got: {error!r}")
        return digest.hexdigest()


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
    content = json.loads(path.read_bytes())
    folder = Path(place.rpartition(":")[2]) if place != str(path) else path.parent / "images"
    folder = folder if folder.is_dir() else path.parent
    own: dict[Any, list[dict[str, Any]]] = {}
    for row in content["annotations"]:
        own.setdefault(row["image_id"], []).append(row)
    for number, image in enumerate(content["images"], 1):
        objects = []
        for row in own.get(image["id"], []):
            if not (texts := _words(row)):
                continue
            name = str(row.get("object", row["id"]))
            entry: dict[str, Any] = {"name": name, "expressions": texts}
            if segmentation := row.get("segmentation"):
                mask = decode_segmentation(segmentation, image["height"], image["width"])
                entry["mask"] = rle(mask)
            elif box := row.get("bbox"):
                entry["box"] = _corners(box)
            objects.append(entry)
        if objects:
            file = str((folder / image["file_name"]).absolute())
            own_name = str(image.get("name", image["file_name"]))
            yield number, {"image": file, "name": own_name, "objects": objects}


def read_labelme(path: Path, place: str) -> Found:
    """A picture for each JSON of the folder, in the order of names."""
    files = sorted(path.parent.glob("*.json"))
    if not files:
        raise InputError(f"{path.parent}: expected labelme's JSON files, got none")
    for number, file in enumerate(files, 1):
        content = json.loads(file.read_bytes())
        size = content["imageHeight"], content["imageWidth"]
        groups: dict[Any, dict[str, Any]] = {}
        for k, shape in enumerate(content["shapes"]):
            group = shape.get("group_id")
            key = ("shape", k) if group is None else ("group", group)
            entry = groups.setdefault(key, {"said": [], "masks": []})
            texts = (shape.get("description") or "").split(" | ")
            texts = [text for text in texts if text.strip()] or [shape["label"]]
            entry["said"] += [text for text in texts if text not in entry["said"]]
            entry["masks"].append(_shape(shape, *size, str(file)))
        objects = [
            {
                "name": str(k),
                "expressions": entry["said"],
                "mask": rle(np.any(entry["masks"], axis=0)),
            }
            for k, entry in enumerate(groups.values())
        ]
        if objects:
            picture = str((file.parent / content["imagePath"]).absolute())
            yield number, {"image": picture, "name": file.stem, "objects": objects}


def _shape(shape: dict[str, Any], height: int, width: int, where: str) -> Any:
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
    raise InputError(f"{where}: expected polygons, rectangles and masks, got a {kind}")


def read_imagefolder(path: Path, place: str) -> Found:
    """Pictures of the lines, those of one `file_name` together."""
    pictures: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        file = row["file_name"]
        _, picture = pictures.setdefault(file, (number, {"image": file, "objects": []}))
        if isinstance(row.get("objects"), dict):
            key = next((key for key in WORDS if key in row["objects"]), None)
            if key is None:
                raise InputError(f"{path}:{number}: expected objects with {' or '.join(WORDS)}")
            for box, texts in zip(row["objects"]["bbox"], row["objects"][key]):
                entry = {"expressions": _words({key: texts}), "box": _corners(box)}
                picture["objects"].append(entry)
        elif texts := _words(row):
            entry = {"expressions": texts}
            if mask := row.get("mask_file_name"):
                entry["mask"] = mask
            picture["objects"].append(entry)
    yield from (pair for pair in pictures.values() if pair[1]["objects"])


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
