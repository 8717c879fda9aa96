"""Results as files: PNGs in the original frame and one JSON that holds everything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ssc
from ssc.draw import colour_of, draw_candidates, draw_mask
from ssc.explain import explain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.types import Result


def result_record(image_name: str, image: NDArray[np.uint8], result: Result) -> dict[str, Any]:
    """Everything known about one object, in types that JSON has.

    Args:
        image_name: as the user knows it.
        image: RGB uint8 H×W×3.
        result: of that image.

    Returns:
        The image's name and size; expressions; noun and class of each; candidates in order, each
        with the `number` it has on pictures (from 1), box as XYXY pixels, the detector's `score`,
        `clip_score`, CLIP's cosine similarity, `guided_score`, that with spatial guidance, None
        where it did not count, IoU with the corrected mask, and mask as COCO RLE; the visual
        prompt and rule; `spatial`, whether guidance counted; `chosen`, the index from 0 of S+S's
        candidate, and `override`, that of a person, None where there is none; `mask`, that of the
        override, else of S+S, as COCO RLE, all zeros where there is none; `correction`, the mask
        of S+S+C, its threshold, the index of the candidate it snaps to and whether it disagrees
        with S+S, None without stage 3; message, seconds per step, versions.
    """
    selection, correction = result.selection, result.correction
    candidates = result.candidates
    none = [None] * len(candidates)
    clip_scores = guided_scores = none
    if selection is not None:
        clip_scores = selection.scores.tolist()
        if selection.clip_scores is not None:
            clip_scores, guided_scores = selection.clip_scores.tolist(), clip_scores
    corrected_ious = none if correction is None else correction.ious.tolist()
    agreement = none if correction is None else correction.agreement.tolist()
    return {
        "image": image_name,
        "height": image.shape[0],
        "width": image.shape[1],
        "expressions": list(result.expressions),
        "matches": [
            {
                "noun": match.noun,
                "class": match.name,
                "similarity": float(match.similarity),
                "runners_up": _named(match.runners_up),
            }
            for match in result.matches
        ],
        "nearest": _named(result.nearest),
        "candidates": [
            {
                "number": i + 1,
                "label": candidates.labels[i],
                "box": candidates.boxes[i].tolist(),
                "score": float(candidates.scores[i]),
                "quality": float(candidates.qualities[i]),
                "clip_score": clip_scores[i],
                "guided_score": guided_scores[i],
                "corrected_iou": corrected_ious[i],
                "corrected_soft_iou": agreement[i],
                "mask": _rle(candidates.masks[i]),
            }
            for i in range(len(candidates))
        ],
        "prompt": None if selection is None else selection.prompt,
        "rule": None if selection is None else selection.rule,
        "spatial": None if selection is None else selection.spatial,
        "chosen": None if selection is None else _index(selection.chosen),
        "override": result.override,
        "mask": _rle(result.mask),
        "correction": None
        if correction is None
        else {
            "threshold": correction.threshold,
            "snapped": _index(correction.snapped),
            "joint": _index(result.joint),
            "disagrees": result.disagrees,
            "mask": _rle(correction.mask),
        },
        "message": explain(result),
        "seconds": dict(result.timings),
        "versions": {"ssc": ssc.__version__, "torch": _version("torch")},
    }


def write_result(
    folder: Path, stem: str, image: NDArray[np.uint8], results: Sequence[Result], image_name: str
) -> list[Path]:
    """Writes the results of one image; a file that is there is replaced in one step, never torn.

    Args:
        folder: made where missing.
        stem: what the names of the PNGs start with.
        image: RGB uint8 H×W×3.
        results: one per object.
        image_name: as the user knows it, for the JSON.

    Returns:
        The files written, named as `result_files` names them.

    Raises:
        OSError: the folder or a file in it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in result_files(stem, image, results, image_name):
        written.append(folder / name)
        _write(written[-1], data)
    return written


def zip_result(
    stem: str, image: NDArray[np.uint8], results: Sequence[Result], image_name: str
) -> bytes:
    """The files of `result_files` as one ZIP archive."""
    from io import BytesIO
    from zipfile import ZIP_STORED, ZipFile

    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:  # PNGs are compressed already
        for name, data in result_files(stem, image, results, image_name):
            archive.writestr(name, data)
    return buffer.getvalue()


def result_files(
    stem: str, image: NDArray[np.uint8], results: Sequence[Result], image_name: str
) -> Iterator[tuple[str, bytes]]:
    """Everything to take away, as names and contents; arguments as in `write_result`.

    Yields:
        For an only object `<stem>.overlay.png`, `<stem>.mask.png` (8 bit, 0 or 255, original
        size), `<stem>.cutout.png` (the rest transparent) and `<stem>.candidates.png`; with
        stage 3 also `<stem>.corrected.overlay.png` and `<stem>.corrected.mask.png`, the same of
        `Result.joint_mask` as `<stem>.joint.…`, and `<stem>.probability.png` (8 bit, 255 for
        certain). Of several objects each name has its
        number, `<stem>.1.overlay.png`. Last `result.json`, {"results": [a record per object]}.
    """
    for number, result in enumerate(results, 1):
        start = stem if len(results) == 1 else f"{stem}.{number}"
        for kind, pixels in _pictures(image, result).items():
            yield f"{start}.{kind}.png", _png(pixels)
    records = [result_record(image_name, image, result) for result in results]
    text = json.dumps({"results": records}, indent=1, ensure_ascii=False)
    # A file name that is not UTF-8 has lone surrogates: written as JSON's own escapes.
    yield "result.json", text.encode("utf-8", "backslashreplace")


def _pictures(image: NDArray[np.uint8], result: Result) -> dict[str, NDArray[np.uint8]]:
    mask = result.mask
    pictures = {
        "overlay": draw_mask(image, mask, colour_of(result.chosen)),
        "mask": mask.astype(np.uint8) * 255,
        "cutout": np.dstack([image, mask.astype(np.uint8) * 255]),
        "candidates": draw_candidates(image, result.candidates, result.chosen),
    }
    if (correction := result.correction) is not None:
        colour = colour_of(correction.snapped)
        pictures["corrected.overlay"] = draw_mask(image, correction.mask, colour)
        pictures["corrected.mask"] = correction.mask.astype(np.uint8) * 255
        joint = result.joint_mask
        pictures["joint.overlay"] = draw_mask(image, joint, colour_of(result.joint))
        pictures["joint.mask"] = joint.astype(np.uint8) * 255
        pictures["probability"] = np.rint(correction.probability * 255).astype(np.uint8)
    return pictures


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """A name for each path's results: its stem, with its suffix or a number where that is taken.

    Names differ in more than case, as some file systems take "A" and "a" for the same.
    """
    taken: set[str] = set()
    names = []
    for path in paths:
        numbered = (f"{path.name}-{number}" for number in range(2, len(paths) + 2))
        free = (n for n in (path.stem, path.name, *numbered) if n.casefold() not in taken)
        names.append(next(free))
        taken.add(names[-1].casefold())
    return names


def _named(pairs: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"class": name, "similarity": float(similarity)} for name, similarity in pairs]


def _index(candidate: int) -> int | None:
    return None if candidate < 0 else candidate


def _rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's run-length encoding of bool H×W, `counts` as text."""
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Writes beside the target, then renames: whoever reads sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
