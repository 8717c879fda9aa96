"""The model sets of published networks, and the parts that any set may take."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ssc.cache import shared
from ssc.errors import WeightsError, unknown
from ssc.models.loaders import CLIPS, DETECTORS, SEGMENTERS
from ssc.models.parts import WEIGHTS
from ssc.models.pocket import POCKET

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.detect import Detector
    from ssc.segment.masks import Segmenter
    from ssc.weights.files import Weights


class Parts(NamedTuple):
    """Names in `WEIGHTS` of what a set is made of."""

    projection: str
    detector: str
    segmenter: str
    selection: str


SETS: dict[str, Parts | tuple[str, ...]] = {
    "pocket": POCKET,
    "lite": Parts("pe-core-s", "omdet-turbo-tiny", "sam2.1-tiny", "pe-core-s"),
    "base": Parts("clip-vit-b-32", "grounding-dino-tiny", "sam-vit-b", "clip-vit-b-16"),
    "paper": Parts("clip-vit-b-32", "grounding-dino-tiny", "sam-vit-h", "clip-vit-l-14-336"),
}
"""`lite` for a laptop's processor, `base` for any machine, `paper` as the paper's implementation
details (§4) have it: Grounding DINO with Swin-T, which its authors call tiny on the Hub. Nouns come
from spaCy in all."""


def files_of(name: str) -> list[Weights]:
    """All files of a set, or of one name of `WEIGHTS`.

    Raises:
        OptionError: no such name.
    """
    if name not in SETS and name not in WEIGHTS:
        raise unknown("weights", name, [*SETS, *WEIGHTS])
    return _files(SETS.get(name, (name,)))


def _files(parts: tuple[str, ...]) -> list[Weights]:
    return [file for part in dict.fromkeys(parts) for file in WEIGHTS[part]]


def build(
    name: str,
    *,
    detector: str | None = None,
    segmenter: str | None = None,
    clip: str | None = None,
) -> Pipeline:
    """Stages 1 and 2 of a set of published networks, on the best device.

    With SSC_COMPILE set in the environment, the image encoders of SAM and CLIP are compiled; they
    are most of the time. Detectors are not: Grounding DINO's sizes change with picture and words.

    Args:
        name: a key of `SETS` but pocket.
        detector, segmenter, clip: parts in place of the set's own, keys of `DETECTORS`,
            `SEGMENTERS` and `CLIPS`; `clip` is stage 2's.

    Raises:
        OptionError: no such part.
        WeightsError: weights are missing; the message says how to get them.
    """
    own = SETS[name]
    assert isinstance(own, Parts)
    check_parts(detector, segmenter, clip)
    parts = Parts(
        own.projection,
        detector or own.detector,
        segmenter or own.segmenter,
        clip or own.selection,
    )
    if parts == own:
        require(f"model set {name}", name, parts)
    else:
        for part in dict.fromkeys(parts):
            require(f"part {part}", part, (part,))

    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.select import Select
    from ssc.words.read import Reader
    from ssc.words.vocabulary import COCO_80

    segment = Segment(
        Reader(),
        ClassProjection(load_clip(parts.projection), COCO_80),
        load_detector(parts.detector),
        load_segmenter(parts.segmenter),
    )
    return Pipeline(segment, Select(load_clip(parts.selection)))


def check_parts(detector: str | None, segmenter: str | None, clip: str | None) -> None:
    """Raises OptionError where a name is given that is no such part's."""
    tables: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
        ("detector", detector, DETECTORS),
        ("segmenter", segmenter, SEGMENTERS),
        ("clip", clip, CLIPS),
    )
    for option, name, table in tables:
        if name is not None and name not in table:
            raise unknown(option, name, table)


def best_clip() -> Clip | None:
    """The best of OpenAI's CLIPs that are here; None where none is."""
    here = (name for name in ("clip-vit-l-14-336", "clip-vit-b-16", "clip-vit-b-32"))
    name = next((name for name in here if WEIGHTS[name][0].present), None)
    return None if name is None else load_clip(name)


def lacks(name: str) -> str:
    """What a set of `SETS` lacks on this machine, in a few words; empty where it can be loaded."""
    absent = [file for file in files_of(name) if not file.present]
    if absent:
        return f"{_sizes(absent)} to download"
    if name == "pocket" and find_spec("onnxruntime") is None:
        return "onnxruntime, by pip install onnxruntime"
    return ""


def require(what: str, name: str, parts: tuple[str, ...]) -> None:
    """Raises WeightsError where files of parts are missing, and says what to do.

    Args:
        what: a set or part in words.
        name: to download it by.
    """
    from huggingface_hub import constants

    files = _files(parts)
    absent = [file for file in files if not file.present]
    if absent:
        offline = " with HF_HUB_OFFLINE unset" if constants.is_offline_mode() else ""
        raise WeightsError(
            f"{what}: {len(absent)} of its {len(files)} files are not in "
            f"{constants.HF_HUB_CACHE}; run python -m ssc models --download {name}{offline} "
            f"({_sizes(absent)}). Without a network, run that "
            "on another machine and copy the folder; the bundled mini set needs no download"
        )


def _sizes(files: list[Weights]) -> str:
    """What files have together, in words; where no one states it of most, their number."""
    known = sum(file.size or 0 for file in files)
    count = f"{len(files)} file{'s' if len(files) > 1 else ''}"
    return as_size(known) if known else count


def as_size(count: int) -> str:
    """Bytes as people say them: 115 MB, 2.3 GB."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def load_clip(name: str) -> Clip:
    """The CLIP of a name in `CLIPS`, whose files are here."""
    return _clip(name, *_placed(name))


def load_detector(name: str) -> Detector:
    """The detector of a name in `DETECTORS`, whose files are here."""
    return _detector(name, *_placed(name))


def load_segmenter(name: str) -> Segmenter:
    """The segmenter of a name in `SEGMENTERS`, whose files are here."""
    return _segmenter(name, *_placed(name))


def _placed(name: str) -> tuple[Path, torch.device, torch.dtype]:
    """A part's first file, and where and in which precision it runs."""
    from ssc.devices import best_device, best_dtype

    device = best_device()
    return WEIGHTS[name][0].path, device, best_dtype(device)


@shared
def _clip(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Clip:
    from ssc import clip
    from ssc.devices import compile_if_asked

    loaded = clip.load_clip(CLIPS[name], path, device=device, dtype=dtype)
    compile_if_asked(loaded.model.visual)
    return loaded


@shared
def _detector(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Detector:
    return DETECTORS[name](path, device, dtype)


@shared
def _segmenter(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Segmenter:
    return SEGMENTERS[name](name, path, device, dtype)
