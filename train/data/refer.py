"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO in the layout that their authors published (REFER).

ROOT/refcoco/instances.json             pictures, annotations and categories, as COCO has them
ROOT/refcoco/refs(unc).p                refs: ref_id, ann_id, image_id, split, sentences
ROOT/grefcoco/grefs(unc).json           the same as JSON; ann_id is a list, [-1] for no object
ROOT/images/mscoco/images/train2014/    COCO's pictures; ROOT/images/train2014/ will do
"""

from __future__ import annotations

import json
import pickle
from array import array
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from train.data import Picture, Referred
from train.data.masks import decode_segmentation

if TYPE_CHECKING:
    from io import BufferedReader

    from numpy.typing import NDArray

IMAGES = ("images/mscoco/images/train2014", "images/train2014", "train2014")
"""Where the pictures may be, under ROOT."""


class Refer:
    """The pictures of a split, each with all its referred objects.

    An object's name is its `ref_id`, its expressions are the `sent` of its sentences in their
    order; a picture's name is its file's. Refs of the same annotations are joined to one object,
    named by the first ref's id, but for those of none. An object of several annotations has their
    union as its mask, and one of none an empty mask. `instances` are all annotations of the
    picture.

    Args:
        folder: ROOT/refcoco, ROOT/refcoco+, ROOT/refcocog or ROOT/grefcoco.
        by: who made the splits: unc, umd or google.
        split: train, val, test, testA or testB; "test" is all test splits.

    Raises:
        InputError: files are missing, damaged or of another form, or there is no such split.
    """

    def __init__(self, folder: Path, by: str, split: str) -> None:
        refs_file = folder / f"grefs({by}).json"
        if not refs_file.exists():
            refs_file = folder / f"refs({by}).p"
        refs = _checked_refs(refs_file, _read_refs(refs_file))
        chosen = [ref for ref in refs if _is_in(split, ref["split"])]
        if not chosen:
            splits = ", ".join(sorted({ref["split"] for ref in refs}))
            raise InputError(f"{refs_file}: expected split {splits}, got {split!r}")
        self._objects: dict[int, list[dict[str, Any]]] = _grouped(chosen)
        self._ids = list(self._objects)  # of the pictures, in the refs' order
        self._instances = folder / "instances.json"
        self._read_instances(self._instances)
        self._images = _image_folder(folder.parent)
        digest = sha256(refs_file.read_bytes()).hexdigest()[:12]
        self.name = f"{folder.resolve().name}-{by}-{split}-{digest}"

    def _read_instances(self, path: Path) -> None:
        """Files, sizes and segmentations of the split's pictures."""
        try:
            content = json.loads(path.read_bytes())
            self._files = {
                row["id"]: (str(row["file_name"]), int(row["height"]), int(row["width"]))
                for row in content["images"]
                if row["id"] in self._objects
            }
            self._segmentations: dict[int, dict[int, Any]] = {id_: {} for id_ in self._ids}
            for row in content["annotations"]:
                if row["image_id"] in self._objects:
                    small = _small(row["segmentation"])
                    self._segmentations[row["image_id"]][row["id"]] = small
        except OSError as error:
            raise InputError(f"{path}: expected REFER's instances, got: {error}") from error
        except (ValueError, TypeError, LookupError) as error:
            raise InputError(
                f"{path}: expected images and annotations as COCO has them, got: {error!r}"
            ) from error
        for id_, objects in self._objects.items():
            if id_ not in self._files:
                raise InputError(f"{path}: expected picture {id_}, which refs name, got none")
            for entry in objects:
                for ann_id in entry["ann_ids"]:
                    if ann_id not in self._segmentations[id_]:
                        raise InputError(
                            f"{path}: expected annotation {ann_id} of picture {id_}, which "
                            f"ref {entry['ref_id']} names, got none"
                        )

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Picture:
        from ssc.images import load_image

        id_ = self._ids[index]
        file_name, height, width = self._files[id_]
        # As it is stored, as COCO's boxes and masks are.
        image = load_image(self._images / file_name, upright=False)
        if image.shape[:2] != (height, width):
            raise InputError(
                f"{file_name}: expected {width}×{height} pixels as in instances.json, got "
                f"{image.shape[1]}×{image.shape[0]}"
            )
        masks = {
            ann_id: _decoded(segmentation, height, width, file_name, ann_id)
            for ann_id, segmentation in self._segmentations[id_].items()
        }
        objects = []
        for entry in self._objects[id_]:
            mask = np.zeros((height, width), np.bool_)
            for ann_id in entry["ann_ids"]:
                mask |= masks[ann_id]
            if entry["ann_ids"] and not mask.any():
                raise InputError(
                    f"{file_name}, ref {entry['ref_id']}: expected some pixels inside of the "
                    "picture, got none"
                )
            objects.append(Referred(str(entry["ref_id"]), tuple(entry["expressions"]), mask))
        instances = np.array([*masks.values()], np.bool_).reshape(-1, height, width)
        return Picture(self.picture_name(index), image, tuple(objects), instances)

    def files(self) -> Iterator[Path]:
        """The pictures and the instances; the refs are in `name`."""
        yield self._instances
        yield from (self._images / self._files[id_][0] for id_ in self._ids)

    def picture_name(self, index: int) -> str:
        return Path(self._files[self._ids[index]][0]).stem


class _PlainUnpickler(pickle.Unpickler):
    """Makes containers, numbers and text; whatever names code is refused before it is found."""

    def __init__(self, file: BufferedReader, path: Path) -> None:
        super().__init__(file, encoding="utf-8", errors="replace")  # written by Python 2
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        raise InputError(
            f"{self.path}: expected lists, dicts, numbers and text only, got a pickle that would "
            f"run {module}.{name}; nothing was run, take the file from where it was published"
        )

    def persistent_load(self, pid: Any) -> Any:
        raise InputError(f"{self.path}: expected plain values only, got a reference to others")


def read_plain_pickle(path: Path) -> Any:
    """What a pickle of plain containers, numbers and text holds; nothing else is ever made.

    Raises:
        InputError: the file is missing, damaged, or names anything that could run.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, path).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle raises almost anything
        raise InputError(f"{path}: expected REFER's pickle, got: {error!r}") from error


def _read_refs(path: Path) -> Any:
    """What a file of refs holds: a pickle of plain values, or JSON."""
    if path.suffix != ".json":
        return read_plain_pickle(path)
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected gRefCOCO's JSON, got: {error!r}") from error


def _ann_ids(ref: Any) -> list[int]:
    """The annotations of a ref: one number, or gRefCOCO's list, where -1 is for none."""
    ids = ref["ann_id"]
    return [i for i in (ids if isinstance(ids, list) else [ids]) if i != -1]


def _checked_refs(path: Path, refs: Any) -> list[dict[str, Any]]:
    if not isinstance(refs, list) or not refs:
        raise InputError(f"{path}: expected a list of refs, got {type(refs).__name__}")
    for number, ref in enumerate(refs):
        try:
            ids = [ref["ref_id"], ref["image_id"], *_ann_ids(ref)]
            texts = [ref["split"], *(sentence["sent"] for sentence in ref["sentences"])]
            fits = all(isinstance(i, int) for i in ids) and all(isinstance(t, str) for t in texts)
        except (TypeError, LookupError):
            fits = False
        if not fits:
            raise InputError(
                f"{path}, ref {number}: expected ref_id, ann_id, image_id, split and sentences "
                f"with sent, got {str(ref)[:200]}"
            )
    return refs


def _is_in(part: str, split: str) -> bool:
    """Whether a ref of `split` is in the wanted one: a "testAB" is in testA, testB and test."""
    if part.startswith("test") and split.startswith("test"):
        return set(part[4:]) <= set(split[4:])
    return part == split


def _grouped(refs: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """image_id → its objects, without sentences that have no word."""
    pictures: dict[int, dict[Any, dict[str, Any]]] = defaultdict(dict)
    for ref in refs:
        texts = [" ".join(sentence["sent"].split()) for sentence in ref["sentences"]]
        texts = [text for text in texts if text]
        if not texts:
            continue
        ids = tuple(sorted(_ann_ids(ref)))
        entry = pictures[ref["image_id"]].setdefault(
            ids or ("none", ref["ref_id"]),
            {"ref_id": ref["ref_id"], "ann_ids": ids, "expressions": []},
        )
        entry["expressions"] += texts
    return {id_: list(objects.values()) for id_, objects in pictures.items()}


def _small(segmentation: Any) -> Any:
    """Polygons in an eighth of the memory that lists of floats take."""
    if isinstance(segmentation, list):
        return [array("d", polygon) for polygon in segmentation]
    return segmentation


def _decoded(
    segmentation: Any, height: int, width: int, file_name: str, ann_id: int
) -> NDArray[np.bool_]:
    try:
        return decode_segmentation(segmentation, height, width)
    except InputError as error:
        raise InputError(f"{file_name}, annotation {ann_id}: {error}") from error


def _image_folder(root: Path) -> Path:
    for place in IMAGES:
        if (root / place).is_dir():
            return root / place
    raise InputError(
        f"{root}: expected COCO's train2014 pictures in {', '.join(IMAGES)}, found none of these"
    )
