"""Results as files: PNGs in the original frame and one JSON that holds everything.

The form of result.json, which the page's endpoints answer with too. Candidates are told by their
number, from 1, the one on pictures and in messages; null is for none. Masks are COCO RLE (`size`
[height, width], and `counts`, for `pycocotools.mask.decode`), boxes XYXY pixels.

    version           of this form: 2
    results           one record per object:
      image           name of the picture
      height, width   its size in pixels
      expressions     what was asked for
      message         the answer in words
      candidate       number of the candidate that is the answer; null for none or several of them
      members         numbers of all candidates that the answer is made of; [] for none of them
      by              whose answer it is: "S+S and S+S+C", "S+S", "S+S, several" where several are
                      asked for, "S+S, none" where what is asked for is not there, "your choice"
                      or "nothing yet"
      sure            "sure", "likely" or "not sure", see `ssc.sure`; null for one's own choice,
                      for several and for none
      mask            the answer's mask, of several their union; all zeros where it is empty
      matches         of each expression `noun`, `class`, their `similarity` and `runners_up`
      words           what each expression says, the fields of `ssc.expression.Expression`, of
                      `mended` its `typed` and `read`, of `roles` each `word` and its `role`;
                      empty where words do not count
      nearest         where nothing was found, classes that are there, with their similarity
      candidates      best box first; of each its
        number        from 1
        label, box    class, and box
        score         the detector's confidence
        quality       the segmenter's own estimate of the mask's IoU
        clip_score    CLIP's cosine similarity; `guided_score` with words counted, or null
        place, size, relation
                      how far it is out of what the words say, 0 for the best; null where unsaid
        colour        share of it in a named colour, or null
        evidence      how much speaks for it being what is asked for at all, in [0, 1], or null
        corrected_iou, corrected_soft_iou
                      IoU with the corrected model's mask, and soft IoU with its probability
        mask
      selected        stage 2, S+S; null before it has run
        candidate     number of its choice
        prompt, rule  of `ssc.select`
        spatial       whether words for place, size or relation count
        unread        words that CLIP did not read
      corrected       stage 3, S+S+C; null without
        mask          its own
        threshold     the mask is where the probability is above it, in the likeliest place where
                      the model is torn
        snapped       number of the candidate that it agrees with best
        joint         number of the candidate that it prefers together with S+S
        disagrees     whether it means another thing than S+S
        unread        likewise
      override        numbers of the candidates that a person chose; null where nobody did
      seconds         of each step
      versions        of ssc and torch
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import ssc
from ssc.drawn import pictures
from ssc.explain import explain
from ssc.formats import jpeg, png, rle
from ssc.writing import make_folder, write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.result import Result


AT_ONCE = 4  # pictures of a result that are drawn and encoded at once; bounds memory
VERSION = 2
"""Of the form of result.json; it rises where a reader of the form before would misread."""


def result_document(
    image_name: str, image: NDArray[np.uint8], results: Sequence[Result]
) -> dict[str, Any]:
    """result.json of the results of one image; arguments as in `result_record`."""
    records = [result_record(image_name, image, result) for result in results]
    return {"version": VERSION, "results": records}


def result_record(image_name: str, image: NDArray[np.uint8], result: Result) -> dict[str, Any]:
    """Everything known about one object, in types that JSON has; see the top of this file.

    Args:
        image_name: as the user knows it.
        image: RGB uint8 H×W×3.
        result: of that image.
    """
    selection, correction, answer = result.selection, result.correction, result.answer
    return {
        "image": image_name,
        "height": image.shape[0],
        "width": image.shape[1],
        "expressions": list(result.expressions),
        "message": explain(result),
        "candidate": answer.number,
        "members": list(answer.numbers),
        "by": answer.by,
        "sure": result.sure,
        "mask": rle(answer.mask),
        "matches": [
            {
                "noun": match.noun,
                "class": match.name,
                "similarity": float(match.similarity),
                "runners_up": _named(match.runners_up),
            }
            for match in result.matches
        ],
        "words": [parts_of.as_record() for parts_of in result.words],
        "nearest": _named(result.nearest),
        "candidates": _candidates(result),
        "selected": None
        if selection is None
        else {
            "candidate": _number(selection.index),
            "prompt": selection.prompt,
            "rule": selection.rule,
            "spatial": selection.spatial,
            "unread": list(selection.unread),
        },
        "corrected": None
        if correction is None
        else {
            "mask": rle(correction.mask),
            "threshold": correction.threshold,
            "snapped": _number(correction.snapped_index),
            "joint": None if result.joint is None else result.joint.number,
            "disagrees": result.disagrees,
            "unread": list(correction.unread),
        },
        "override": None if result.override is None else [i + 1 for i in result.override],
        "seconds": dict(result.timings),
        "versions": {"ssc": ssc.__version__, "torch": _version("torch")},
    }


def _candidates(result: Result) -> list[dict[str, Any]]:
    selection, correction = result.selection, result.correction
    none = [None] * len(result.candidates)
    clip_scores = guided_scores = none
    if selection is not None:
        clip_scores = selection.scores.tolist()
        if selection.clip_scores is not None:
            clip_scores, guided_scores = selection.clip_scores.tolist(), clip_scores
    parts_of = {} if selection is None else {**selection.parts, "evidence": selection.evidence}
    names = ("place", "size", "relation", "colour", "evidence")
    parts = {name: parts_of.get(name) for name in names}
    corrected_ious = none if correction is None else correction.ious.tolist()
    agreement = none if correction is None else correction.agreement.tolist()
    return [
        {
            "number": candidate.number,
            "label": candidate.label,
            "box": candidate.box.tolist(),
            "score": candidate.score,
            "quality": candidate.quality,
            "clip_score": clip_scores[i],
            "guided_score": guided_scores[i],
            **{name: None if part is None else float(part[i]) for name, part in parts.items()},
            "corrected_iou": corrected_ious[i],
            "corrected_soft_iou": agreement[i],
            "mask": rle(candidate.mask),
        }
        for i, candidate in enumerate(result.candidates)
    ]


def write_result(
    folder: Path,
    stem: str,
    image: NDArray[np.uint8],
    results: Sequence[Result],
    image_name: str,
    *,
    lossless: bool = False,
) -> list[Path]:
    """Writes the results of one image; a file that is there is replaced in one step, never torn.

    Args:
        folder: made where missing.
        stem: what the names of the PNGs start with.
        image: RGB uint8 H×W×3.
        results: one per object.
        image_name: as the user knows it, for the JSON.
        lossless: see `result_files`.

    Returns:
        The files written, named as `result_files` names them, in that order.

    Raises:
        WriteError: the folder or a file in it cannot be written.
    """
    make_folder(folder)
    written = []
    for name, data in result_files(stem, image, results, image_name, lossless=lossless):
        written.append(folder / name)
        write_whole(written[-1], data)
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
    stem: str,
    image: NDArray[np.uint8],
    results: Sequence[Result],
    image_name: str,
    *,
    lossless: bool = False,
) -> Iterator[tuple[str, bytes]]:
    """Everything to take away, as names and contents; arguments as in `write_result`.

    Pictures are drawn and encoded side by side, a few at a time.

    Args:
        lossless: overlays are PNGs too, which take long and much room where a picture is large.

    Yields:
        For an only object `<stem>.overlay.jpg`, `<stem>.mask.png` (8 bit, 0 or 255, original
        size) and `<stem>.cutout.png` (the rest transparent, and black) of the answer, and
        `<stem>.candidates.jpg`. With stage 3 also overlay and mask of S+S, `<stem>.selected.…`,
        and of S+S+C, `<stem>.corrected.…`, and `<stem>.probability.png` (8 bit, 255 for certain).
        Of several objects each name has its number, `<stem>.1.overlay.jpg`. Last `result.json`.
    """
    jobs = []
    for number, result in enumerate(results, 1):
        start = stem if len(results) == 1 else f"{stem}.{number}"
        for kind, draw in pictures(image, result).items():
            drawn = kind.endswith(("overlay", "candidates")) and not lossless
            suffix, encode = ("jpg", jpeg) if drawn else ("png", png)
            jobs.append((f"{start}.{kind}.{suffix}", draw, encode))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: deque[tuple[str, Future[bytes]]] = deque()
        for name, draw, encode in jobs:
            waiting.append((name, pool.submit(lambda draw, encode: encode(draw()), draw, encode)))
            if len(waiting) > AT_ONCE:  # what is done and not fetched takes memory
                name, done = waiting.popleft()
                yield name, done.result()
        document = result_document(image_name, image, results)
        for name, done in waiting:
            yield name, done.result()
    text = json.dumps(document, indent=1, ensure_ascii=False)
    # A file name that is not UTF-8 has lone surrogates: written as JSON's own escapes.
    yield "result.json", text.encode("utf-8", "backslashreplace")


def _named(pairs: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"class": name, "similarity": float(similarity)} for name, similarity in pairs]


def _number(index: int) -> int | None:
    return None if index < 0 else index + 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
