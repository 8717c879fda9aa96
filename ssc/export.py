"""Results as files: PNGs in the original frame and one JSON that holds everything."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ssc
from ssc.draw import colour_of, draw_candidates, draw_mask

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
        with the `number` it has on pictures (from 1), box as XYXY pixels, scores, and mask as
        COCO RLE; `chosen`, the index from 0 of a candidate, None where there is none; `mask`, the
        answer as COCO RLE, all zeros where nothing was found; message, seconds per step, versions.
    """
    selection = result.selection
    candidates = result.candidates
    clip_scores = [None] * len(candidates) if selection is None else selection.scores.tolist()
    chosen = None if selection is None or selection.chosen < 0 else selection.chosen
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
                "mask": _rle(candidates.masks[i]),
            }
            for i in range(len(candidates))
        ],
        "prompt": None if selection is None else selection.prompt,
        "chosen": chosen,
        "mask": _rle(result.mask),
        "message": result.message,
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
        The files written: `<stem>.overlay.png`, `<stem>.mask.png` (8 bit, 0 or 255, original
        size) and `<stem>.candidates.png` of an only object, `<stem>.1.overlay.png` and so on of
        several, and last `result.json`, {"results": [a record per object]}.

    Raises:
        OSError: the folder or a file in it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, result in enumerate(results, 1):
        start = stem if len(results) == 1 else f"{stem}.{number}"
        chosen = -1 if result.selection is None else result.selection.chosen
        pictures = {
            "overlay": draw_mask(image, result.mask, colour_of(max(chosen, 0))),
            "mask": result.mask.astype(np.uint8) * 255,
            "candidates": draw_candidates(image, result.candidates, chosen),
        }
        for kind, pixels in pictures.items():
            written.append(folder / f"{start}.{kind}.png")
            _write(written[-1], _png(pixels))
    records = [result_record(image_name, image, result) for result in results]
    written.append(folder / "result.json")
    text = json.dumps({"results": records}, indent=1, ensure_ascii=False)
    # A file name that is not UTF-8 has lone surrogates: written as JSON's own escapes.
    _write(written[-1], text.encode("utf-8", "backslashreplace"))
    return written


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
