"""Model sets by name: what each stage is made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from ssc.cache import Cache
from ssc.errors import unknown
from ssc.models.bundled import ASSETS, build_mini, load_mini_clip

if TYPE_CHECKING:
    from ssc.correct import Correct
    from ssc.pipeline import Pipeline


def load(name: str | None = None, *, correct: bool | str | Path = True) -> Pipeline:
    """The pipeline of a model set; the two sets used last stay in memory.

    Args:
        name: a key of `MODEL_SETS`; None for `default_set()`, but where that is pocket, since
            no better set is here, for pocket where a picture looks like a photograph and mini
            elsewhere (`ssc.models.by_picture`).
        correct: stage 3: True for the set's own model, where it has one; False for none; or a
            checkpoint, its folder or its id on the Hub.

    Raises:
        OptionError: no such set, or no such checkpoint.
        WeightsError: files are missing or broken.
        DownloadError: the Hub does not give the checkpoint.

    >>> import ssc
    >>> ssc.load("mini", correct=False).correct is None
    True
    """
    from ssc.weights.checkpoints import find_checkpoint

    if name is None:
        name = default_set()
        if name == "pocket" and not os.environ.get("SSC_MODELS"):
            from ssc.models.by_picture import ByPicture

            return ByPicture(load("mini", correct=correct), load("pocket", correct=correct))
    if name not in MODEL_SETS:
        raise unknown("model set", name, MODEL_SETS)
    if correct is True:
        own = ASSETS / name / "lavt"
        correct = own if own.exists() else False
    if correct is False:
        return _stages_1_and_2(name)
    folder = find_checkpoint(str(correct)).resolve()  # before the models: told at once
    return _stages_1_and_2(name).with_correct(_correct(folder))


def default_set() -> str:
    """The set that the environment variable SSC_MODELS names, else the best that lacks nothing on
    this machine: paper before base before pocket before mini. Nothing is loaded or asked of the
    network.

    Raises:
        OptionError: SSC_MODELS names no set.
    """
    from ssc.models.published import SETS, lacks

    if named := os.environ.get("SSC_MODELS"):
        if named not in MODEL_SETS:
            raise unknown("SSC_MODELS", named, MODEL_SETS)
        return named
    return next(name for name in reversed(MODEL_SETS) if name not in SETS or not lacks(name))


KEPT = 2
"""Sets in memory; a third one takes the place of that used least recently."""
_sets: Cache[Pipeline] = Cache(KEPT)
_loading = RLock()  # lest two threads load the same set at once


def _stages_1_and_2(name: str) -> Pipeline:
    with _loading:
        return _sets.get(name, MODEL_SETS[name])


def _pocket() -> Pipeline:
    from ssc.models.pocket import build_pocket
    from ssc.models.published import best_clip, require

    require("pocket")
    return build_pocket(load_mini_clip(ASSETS / "mini" / "clip"), best_clip())


def _published(name: str) -> Pipeline:
    from ssc.models.published import build

    return build(name)


MODEL_SETS: dict[str, Callable[[], Pipeline]] = {
    "mini": build_mini,
    "pocket": _pocket,
    "base": partial(_published, "base"),
    "paper": partial(_published, "paper"),
}
"""Name → its stages 1 and 2, the best set last."""


@lru_cache(maxsize=KEPT)
def _correct(folder: Path) -> Correct:
    from ssc.correct import Correct
    from ssc.correct.predict import Corrector
    from ssc.devices import autocast_dtype, best_device

    corrector = Corrector.load(folder)
    device = best_device()
    if device.type != "mps":  # untested there: it stays on the processor
        corrector.model.to(device)
        corrector.dtype = autocast_dtype(corrector.model, device)
    return Correct(corrector)
