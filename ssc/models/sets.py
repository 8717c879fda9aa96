"""Model sets by name: what each stage is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from ssc.cache import Cache
from ssc.errors import unknown
from ssc.models.bundled import ASSETS, build_mini, load_mini_clip
from ssc.weights.downloads import check_allowed
from ssc.words.nltk_nouns import NltkNouns

if TYPE_CHECKING:
    from ssc.correct import Correct
    from ssc.pipeline import Pipeline


def load(
    name: str | None = None,
    *,
    correct: bool | str | Path = True,
    detector: str | None = None,
    segmenter: str | None = None,
    clip: str | None = None,
    nouns: str | None = None,
) -> Pipeline:
    """The pipeline of a model set. The two sets used last stay in memory.

    Args:
        name: a key of `MODEL_SETS`; None for `default_set()`, but where that is pocket, since
            no better set is here, for pocket where a picture looks like a photograph and mini
            elsewhere (`ssc.models.by_picture`).
        correct: stage 3: True for the set's own model, where it has one; False for none; or a
            checkpoint, its folder, the name that it is kept under or its id on the Hub. A set of
            published networks has the first that is kept, see `ssc.models.stage3`.
        detector, segmenter, clip: parts in place of the set's own, as `python -m ssc models`
            lists them; `clip` is stage 2's.
        nouns: "nltk" for NLTK's tagger in place of spaCy's parser. It finds key nouns and reads no
            other words, so that stage 2 is the paper's.

    Raises:
        OptionError: no such set, part or checkpoint.
        WeightsError: files are missing or broken.
        DownloadError: the Hub does not give the checkpoint.

    >>> import ssc
    >>> ssc.load("mini", correct=False).correct is None
    True
    """
    from ssc.weights.checkpoints import find_checkpoint

    if name is None:
        name = default_set()
        swapped = detector or segmenter or clip or nouns
        if name == "pocket" and not swapped and not os.environ.get("SSC_MODELS"):
            from ssc.models.by_picture import ByPicture

            return ByPicture(load("mini", correct=correct), load("pocket", correct=correct))
    if name not in MODEL_SETS:
        raise unknown("model set", name, MODEL_SETS)
    if correct is True:
        correct = own_checkpoint(name) or False
    if nouns is not None and nouns not in NOUNS:
        raise unknown("nouns", nouns, NOUNS)
    # The checkpoint before the models: it is told at once where there is none.
    folder = None if correct is False else find_checkpoint(str(correct)).resolve()
    pipeline = _stages_1_and_2(name, detector, segmenter, clip)
    if nouns:
        pipeline = _with_nouns(pipeline, nouns)
    return pipeline.with_correct(load_checkpoint(folder)) if folder else pipeline


def named_sets() -> list[str]:
    """The sets that the environment variable SSC_MODELS names, separated by commas.

    Raises:
        OptionError: one of them is none.
    """
    names = [name.strip() for name in os.environ.get("SSC_MODELS", "").split(",") if name.strip()]
    for name in names:
        if name not in MODEL_SETS:
            raise unknown("SSC_MODELS", name, MODEL_SETS)
    return list(dict.fromkeys(names))


def keep_all(names: Sequence[str]) -> None:
    """Loads sets, and keeps them in memory however many they are, for who cannot load later."""
    _sets.size = max(_sets.size, len(names))
    for name in names:
        load(name)


def default_set() -> str:
    """The first set that the environment variable SSC_MODELS names, else the best that lacks
    nothing on this machine: paper before base before lite before pocket before mini. Nothing is
    loaded or asked of the network.

    Raises:
        OptionError: SSC_MODELS names no set.
    """
    from ssc.models.published import SETS, lacks

    if named := named_sets():
        return named[0]
    return next(name for name in reversed(MODEL_SETS) if name not in SETS or not lacks(name))


KEPT = 2
"""Sets in memory; a third one takes the place of that used least recently."""
_sets: Cache[Pipeline] = Cache(KEPT)
_loading = RLock()  # lest two threads load the same set at once


def _stages_1_and_2(
    name: str, detector: str | None, segmenter: str | None, clip: str | None
) -> Pipeline:
    key = name, detector, segmenter, clip
    with _loading:
        return _sets.get(key, lambda: _with_parts(*key))


def _with_parts(
    name: str, detector: str | None, segmenter: str | None, clip: str | None
) -> Pipeline:
    """Stages 1 and 2 of a set, with other parts than its own where they are named."""
    if not (detector or segmenter or clip):
        return MODEL_SETS[name]()
    from ssc.models import published

    if isinstance(published.SETS.get(name), published.Parts):
        return published.build(name, detector=detector, segmenter=segmenter, clip=clip)
    from ssc.pipeline import Pipeline
    from ssc.select import Select

    published.check_parts(detector, segmenter, clip)
    for part in filter(None, (detector, segmenter, clip)):
        published.require(f"part {part}", part, (part,))
    own = _stages_1_and_2(name, None, None, None)
    segment = copy(own.segment)
    if detector:
        segment.detector = published.load_detector(detector)
    if segmenter:
        segment.segmenter = published.load_segmenter(segmenter)
    return Pipeline(segment, Select(published.load_clip(clip)) if clip else own.select)


def _with_nouns(pipeline: Pipeline, nouns: str) -> Pipeline:
    """Stages 1 and 2 with another noun extractor, a key of `NOUNS`."""
    from ssc.pipeline import Pipeline

    if not NOUNS[nouns].ready():
        check_allowed(f"nouns: {nouns}'s data")
    segment = copy(pipeline.segment)
    segment.nouns = NOUNS[nouns]()
    return Pipeline(segment, pipeline.select)


NOUNS: dict[str, type[NltkNouns]] = {"nltk": NltkNouns}
"""Noun extractors in place of spaCy's."""


def own_checkpoint(name: str) -> Path | None:
    """A set's own stage 3: mini's, or for photographs the first checkpoint that is kept."""
    from ssc.models.published import SETS
    from ssc.weights.checkpoints import kept, kept_folder

    bundled = ASSETS / name / "lavt"
    if bundled.exists():
        return bundled
    names = kept() if name in SETS else []
    return kept_folder(names[0]) if names else None


def _pocket() -> Pipeline:
    from ssc.models.pocket import POCKET, build_pocket
    from ssc.models.published import best_clip, require

    require("model set pocket", "pocket", POCKET)
    return build_pocket(load_mini_clip(ASSETS / "mini" / "clip"), best_clip())


def _published(name: str) -> Pipeline:
    from ssc.models.published import build

    return build(name)


MODEL_SETS: dict[str, Callable[[], Pipeline]] = {
    "mini": build_mini,
    "pocket": _pocket,
    "lite": partial(_published, "lite"),
    "base": partial(_published, "base"),
    "paper": partial(_published, "paper"),
}
"""Name → its stages 1 and 2, the best set last."""


@lru_cache(maxsize=KEPT)
def load_checkpoint(folder: Path) -> Correct:
    """Stage 3 of a checkpoint's folder, on the best device; raises WeightsError for none."""
    from ssc.correct import Correct
    from ssc.correct.predict import Corrector
    from ssc.devices import autocast_dtype, best_device

    corrector = Corrector.load(folder)
    device = best_device()
    if device.type != "mps":  # untested there: it stays on the processor
        corrector.model.to(device)
        corrector.dtype = autocast_dtype(corrector.model, device)
    return Correct(corrector)
