"""The paper's ablations of stages 1 and 2 (§4.2, §4.3, Tables 2 and 3) as rows, by table.

python -m train.evaluate --ablations                # 130 val scenes of RefSprites
python -m train.evaluate --ablations --models paper --data refer:data/refcoco:unc:train \
    --scenes 350                                    # about the paper's first 1,000 samples

The rows of NLTK and FreeSOLO are there where their data and weights are (docs/models.md). GrabCut,
which learns nothing, is a segmenter beside. Table 4 compares checkpoints: `--checkpoint
NAME=FOLDER`.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, cast

from ssc.errors import InputError
from ssc.segment.detect import known_classes
from ssc.segment.grabcut import GrabCut
from ssc.select import Select
from ssc.select.prompts import VISUAL_PROMPTS
from ssc.types import Candidates
from ssc.words.nltk_nouns import NltkNouns
from train.evaluate.baselines import freesolo, has_freesolo
from train.evaluate.methods import (
    Row,
    matched,
    nearest,
    oracle,
    random_candidate,
    selected,
    with_words,
    zero_shot,
)

if TYPE_CHECKING:
    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.select.prompt_cache import Encoder
    from train.evaluate.methods import Mask, Question

Tables = dict[str, list[Row]]
NLTK, FREESOLO = "NLTK", "FreeSOLO"


def ablations(pipeline: Pipeline, models: str) -> Tables:
    """Caption → rows.

    Args:
        models: name of the pipeline's model set.
    """
    lacks = lacking()
    best, random = oracle(pipeline), random_candidate(pipeline)
    prompts = [
        selected(
            f"{prompt}, {name}",
            Select(clip, sigma=pipeline.select.sigma, spatial=False).with_options(prompt=prompt),
        )
        for prompt in VISUAL_PROMPTS
        for name, clip in clips(pipeline, models).items()
    ]
    plain = zero_shot(pipeline)
    return {
        "Table 2: stage 1 by its best candidate (Oracle: spaCy, projection)": [
            best,
            *([with_part(pipeline, NLTK, nouns=NltkNouns())] if NLTK not in lacks else []),
            without_projection(pipeline),
            *(
                [with_part(pipeline, FREESOLO, segmenter=freesolo())]
                if FREESOLO not in lacks
                else []
            ),
            with_part(pipeline, "GrabCut", segmenter=GrabCut()),
        ],
        "Table 3: stage 2 by visual prompt and CLIP": [random, best, *prompts],
        "§4.3: objects of a picture choose together": [plain, matched(pipeline)],
        "Beyond the paper: words count": [plain, with_words(pipeline)],
    }


def lacking() -> dict[str, str]:
    """Title of each row of Table 2 whose part is not on this machine → why, in a few words."""
    reasons = {}
    if not NltkNouns.ready():
        reasons[NLTK] = "NLTK or its tagger's data are not here, see docs/models.md"
    if not has_freesolo():
        reasons[FREESOLO] = "its weights are not here, see docs/models.md"
    return reasons


def without_projection(pipeline: Pipeline) -> Row:
    """Table 2's row without class projection: the detector is asked for the noun itself.

    A detector with fixed classes, such as the mini set's, finds nothing for other nouns. The row's
    title says so, as the loss is larger there than for a detector that reads text.
    """
    segment = pipeline.segment.with_options(project=False)
    reads = known_classes(segment.detector) is None

    def candidates(question: Question, text: str) -> Candidates:
        try:
            return segment(question.image, [text]).candidates
        except InputError:
            if reads:
                raise
            return Candidates.empty(*question.image.shape[:2])

    def masks(question: Question) -> list[Mask]:
        return nearest(question, [candidates(question, text) for text in question.texts])

    return Row("no projection" if reads else "no projection (class names only)", masks)


def with_part(pipeline: Pipeline, title: str, **parts: Any) -> Row:
    """Table 2's rows of another noun extractor or segmenter: stage 1 with `parts` of `Segment`."""
    segment = copy(pipeline.segment.with_options(paper=True))
    for name, part in parts.items():
        setattr(segment, name, part)

    def masks(question: Question) -> list[Mask]:
        found = [segment(question.image, [text]).candidates for text in question.texts]
        return nearest(question, found)

    return Row(title, masks)


def clips(pipeline: Pipeline, models: str) -> dict[str, Encoder]:
    """The CLIPs of a model set by name: stage 2's, and the projection's if it is another one."""
    from ssc.models.published import SETS, Parts

    selection = pipeline.select.clip
    projection = pipeline.segment.classes.clip
    parts = SETS.get(models)
    if selection is None:
        raise InputError(f"ablations: expected a set with a CLIP in stage 2, got {models}")
    if not isinstance(parts, Parts):
        return {f"{models} CLIP": selection}
    named = {parts.selection: selection}
    if projection is selection:
        return named
    return {parts.projection: cast("Clip", projection), **named}
