"""What a visitor may choose: each stage's options, the model set, the checkpoint of stage 3."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import OptionError, WeightsError, unknown
from ssc.page.texts import DOWNLOADS
from ssc.select.prompts import BLURS

if TYPE_CHECKING:
    from ssc.correct import Correct
    from ssc.pipeline import Pipeline

OPTIONS = (
    "prompt",
    "sigma",
    "rule",
    "box_threshold",
    "correct",
    "text_threshold",
    "vocabulary",
    "project",
    "spatial",
    "models",
    "nearest",
    "several",
)
"""Names of the options in the order of the page's components and of the endpoints' arguments. As in
`ssc.pipeline.Options`; but a threshold of 0 is the detector's own, `correct` a checkpoint's name,
"own" or "off", `vocabulary` a text, `models` the model set, and False of `nearest` is None."""

OWN, OFF = "own", "off"  # of stage 3: the model set's own, and none
MISSING = "needs "
"""Begins what stands behind the name of a set that cannot be chosen yet."""
MAX_WORDS = 300
"""Most words of a visitor's own vocabulary: each is read by CLIP at its first use."""

AUTO = "automatic"
"""The name of `ssc.load()`'s choice by picture among the sets."""
REAL = "pocket", "base", "paper"
"""Sets for photographs, the quickest to get first."""
NEEDS = {
    AUTO: "The pocket set where a picture looks like a photograph, the mini set elsewhere.",
    "mini": "Comes with the program and runs anywhere, but knows only rendered scenes.",
    "pocket": "For photographs on any processor: COCO's 80 classes, chosen by words alone.",
    "lite": "For photographs on a laptop's processor: small networks that take any words.",
    "base": "For photographs: real networks in their smaller sizes. Faster on a GPU.",
    "paper": "For photographs: the networks of the paper. Needs a GPU, or patience.",
}


@dataclass(frozen=True)
class ModelSet:
    """A model set as the page offers it.

    Attributes:
        name: shown, and in the API.
        load: its pipeline with its own stage 3, where it has one; the same at each call.
        needs: a sentence on what it is for and needs.
        missing: one sentence that says what to do where something is missing; else empty.
        lacks: what that is, in a few words; else empty.
    """

    name: str
    load: Callable[[], Pipeline]
    needs: str = ""
    missing: Callable[[], str] = lambda: ""
    lacks: Callable[[], str] = lambda: ""

    @property
    def title(self) -> str:
        """The name, and what it needs before it can be chosen."""
        lacks = self.lacks()
        return f"{self.name} ({MISSING}{lacks})" if lacks else self.name

    def thresholds(self) -> tuple[float | None, float | None]:
        """Its detector's own box and text thresholds, None for one that it does not have."""
        if self.missing() or self.name == AUTO:  # of two detectors
            return None, None
        detector = self.load().segment.detector
        return getattr(detector, "threshold", None), getattr(detector, "text_threshold", None)


class Choices:
    """The model sets and checkpoints that one page offers; a set is loaded when first asked.

    Args:
        sets: the model sets, the first of which is the default.
        checkpoints: short name → stage 3 of a checkpoint given at start; the first is the default.
        own: whether the model sets' own stage 3 is offered, where they have one.

    Attributes:
        found: name → folder of further checkpoints, asked whenever they are to be shown.
    """

    def __init__(
        self,
        sets: Sequence[ModelSet],
        checkpoints: Mapping[str, Correct] | None = None,
        own: bool = True,
    ) -> None:
        self.sets = {model_set.name: model_set for model_set in sets}
        self.checkpoints = dict(checkpoints or {})
        self.own = own
        self.found: Callable[[], Mapping[str, Path]] = dict

    @property
    def titles(self) -> list[tuple[str, str]]:
        """Title and name of each set."""
        return [(model_set.title, name) for name, model_set in self.sets.items()]

    @property
    def models(self) -> str:
        """The default model set."""
        return next(iter(self.sets))

    @property
    def correct(self) -> str:
        """The default of stage 3: a checkpoint given at start, else the set's own, else none."""
        if self.checkpoints:
            return next(iter(self.checkpoints))
        return OWN if self.own and self.pipeline(self.models).correct is not None else OFF

    @property
    def corrects(self) -> list[str]:
        """All that stage 3 may be."""
        own = self.correct == OWN or (self.own and bool(self.checkpoints))
        found = [name for name in self.found() if name not in (OWN, OFF, *self.checkpoints)]
        return [*self.checkpoints, *([OWN] if own else []), OFF, *found]

    def pipeline(self, models: str, correct: str = OWN) -> Pipeline:
        """The pipeline of a model set with stage 3 of choice.

        Raises:
            OptionError: no such set or checkpoint.
            WeightsError: the set's files are missing.
        """
        if models not in self.sets:
            raise unknown("model set", models, self.sets)
        if why := self.sets[models].missing():
            raise WeightsError(why)
        pipeline = self.sets[models].load()
        if correct == OWN and self.own:
            return pipeline
        if correct not in (OWN, OFF, *self.checkpoints):
            if folder := self.found().get(correct):
                from ssc.models.sets import load_checkpoint

                return pipeline.with_correct(load_checkpoint(folder.resolve()))
            raise unknown("stage 3", correct, self.corrects)
        return pipeline.with_correct(self.checkpoints.get(correct))

    def with_options(self, options: Sequence[Any]) -> Pipeline:
        """The pipeline that a visitor's options, in the order of `OPTIONS`, ask for.

        Raises:
            OptionError: an option that is none.
            WeightsError: the model set's files are missing.
        """
        chosen = dict(zip(OPTIONS, options, strict=True))
        pipeline = self.pipeline(chosen.pop("models"), chosen.pop("correct"))
        chosen["vocabulary"] = read_words(chosen["vocabulary"])
        spatial = chosen.pop("spatial")
        chosen["paper"] = None if spatial is None else not spatial
        if spatial is False or chosen["project"] is False:
            chosen["several"] = False  # the page always sends one, which asks for words
        for name in ("box_threshold", "text_threshold", "nearest"):
            chosen[name] = chosen[name] or None
        if chosen["prompt"] is not None and chosen["prompt"] not in BLURS:
            del chosen["sigma"]  # the page always sends one
        return pipeline.with_options(**chosen)


def read_words(text: str | None) -> list[str] | None:
    """Words of a vocabulary, one per line or separated by commas; None where the text is blank.

    Raises:
        OptionError: over `MAX_WORDS`.
    """
    if not text or not text.strip():
        return None
    words = [word for word in re.split(r"[,\n]", text) if word.strip()]
    if len(words) > MAX_WORDS:
        raise OptionError(f"vocabulary: expected at most {MAX_WORDS} words, got {len(words)}")
    return words


def find_choices(
    models: str | None = None, corrects: Sequence[str] = (), only_named: bool = False
) -> Choices:
    """All model sets, `models` first, and the checkpoints named: folders, Hub ids, or "off".

    Args:
        models: a key of `MODEL_SETS`; None for `default_set()`, or for what `ssc.load()` has
            where that is pocket: mini or pocket by the picture.
        corrects: the checkpoints.
        only_named: whether no other sets are offered than `models` and those that SSC_MODELS
            names; they are too where it names several.

    Raises:
        OptionError: no such model set or checkpoint.
        WeightsError: files are missing or broken.
        DownloadError: the Hub does not give a checkpoint.
    """
    import ssc
    from ssc.models.sets import MODEL_SETS, default_set, named_sets

    offered = named_sets() if only_named or len(named_sets()) > 1 else list(MODEL_SETS)
    automatic = models is None and not os.environ.get("SSC_MODELS") and default_set() == "pocket"
    models = models or default_set()
    if models not in MODEL_SETS:
        raise unknown("model set", models, MODEL_SETS)
    sets = [
        ModelSet(
            name,
            partial(ssc.load, name),
            NEEDS.get(name, ""),
            partial(_missing, name),
            partial(_lacks, name),
        )
        for name in [models, *(name for name in offered if name != models)]
    ]
    if automatic:
        sets.insert(0, ModelSet(AUTO, ssc.load, NEEDS[AUTO]))
    ssc.load(models, correct=False)  # says in full what is missing
    named = list(dict.fromkeys(name for name in corrects if name != OFF))
    checkpoints = {
        title: correct
        for title, name in zip(short_names(named), named)
        if (correct := ssc.load(models, correct=name).correct) is not None
    }
    return Choices(sets, checkpoints, own=OFF not in corrects)


def short_names(paths: Sequence[str]) -> list[str]:
    """For each path its last part, with as many before it as tell it from the others."""
    parts = [Path(path).parts for path in paths]
    taken = {OWN, OFF}
    names = []
    for own in parts:
        length = next(
            n
            for n in range(1, len(own) + 1)
            if n == len(own)
            or (
                "/".join(own[-n:]) not in taken
                and sum(other[-n:] == own[-n:] for other in parts) == 1
            )
        )
        names.append("/".join(own[-length:]))
    return names


def _lacks(name: str) -> str:
    from ssc.models.published import SETS, lacks

    return lacks(name) if name in SETS else ""


def _missing(name: str) -> str:
    from ssc.models.published import SETS, files_of
    from ssc.weights.downloads import downloads_are_off

    what = _lacks(name)
    if not what:
        return ""
    if name not in SETS or all(file.present for file in files_of(name)):
        return f"The {name} set needs {what}, then start the page again."
    here = "" if downloads_are_off() else f"Download them under “{DOWNLOADS}” on the page, or run "
    size = what.removesuffix(" to download")
    return (
        f"The weights of the {name} set are missing ({size}). {here or 'Run '}"
        f"python -m ssc models --download {name}, then try again."
    )
