"""The paper's zero-shot baselines (§4, Table 1) as rows.

They equal the published methods only with the published networks. Where the mini set has no
counterpart, the row's title says what stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np

from ssc.cache import Cache, content_key
from ssc.errors import InputError
from ssc.metrics import mask_box
from ssc.models.parts import WEIGHTS
from ssc.segment.detect import known_classes
from ssc.types import Candidates
from train.evaluate.global_local import GlobalLocal
from train.evaluate.methods import Question, Row, mask_of, pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.freesolo import FreeSolo
    from ssc.segment.sam import SamSegmenter
    from train.evaluate.methods import Mask


def best_box(pipeline: Pipeline) -> Row:
    """G-DINO + SAM: the mask of the box of highest confidence.

    Grounding DINO gets the expression itself, and its best box counts however low its score. The
    mini detector reads no text: its row is the best box of the class that stage 1 finds.
    """
    segment = pipeline.segment
    if known_classes(segment.detector) is not None:
        return Row("best box of the class", _first_candidate)
    detector: Any = copy(segment.detector)
    detector.threshold = detector.text_threshold = 0.0  # the best box counts, however low

    def masks(question: Question) -> list[Mask]:
        detections = [detector.detect(question.image, [text])[0][:1] for text in question.texts]
        boxes = np.concatenate([*detections, np.zeros((0, 4), np.float32)])
        decoded = iter(segment.segmenter.segment(question.image, boxes)[0])
        nothing = np.zeros(question.image.shape[:2], np.bool_)
        return [next(decoded) if len(box) else nothing for box in detections]

    return Row("G-DINO + SAM", masks)


def sam_select(pipeline: Pipeline) -> Row:
    """SAM + Select: stage 2 chooses among all masks that SAM finds in the picture without prompts.

    Raises:
        InputError: the model set has no SAM; the mini set's segmenter needs boxes.
    """
    everything = everything_of(pipeline)
    select = pipeline.select.with_options(spatial=False)  # the paper's rule

    def masks(question: Question) -> list[Mask]:
        detections = everything(question.image)
        among = [replace(result, candidates=detections, nearest=()) for result in question.results]
        return [mask_of(result.selected) for result in select(question.image, among)]

    return Row("SAM + Select", masks)


def gl_clip(pipeline: Pipeline) -> Row:
    """GL CLIP (Yu et al., CVPR 2023): the mask that `GlobalLocal` scores highest.

    It chooses among all masks that SAM finds, as the paper's GL CLIP (SAM). With the mini set it
    chooses among stage 1's candidates, and the row's title says so.
    """
    if is_sam(pipeline.segment.segmenter):
        return _gl_clip(pipeline, "GL CLIP (SAM)", everything_of(pipeline))
    return _gl_clip(pipeline, "GL CLIP (stage 1's candidates)", None)


def gl_clip_freesolo(pipeline: Pipeline) -> Row:
    """GL CLIP as it is published: among all masks that FreeSOLO finds.

    Raises:
        InputError: FreeSOLO's weights are not here, or the model set has no CLIP in stage 2.
    """
    return _gl_clip(pipeline, "GL CLIP (FreeSOLO)", freesolo().everything)


def has_freesolo() -> bool:
    """Whether FreeSOLO's published weights are on this machine."""
    return all(file.present for file in WEIGHTS["freesolo"])


def freesolo() -> FreeSolo:
    """With its published weights; raises InputError where they are not here."""
    from ssc.models.published import load_segmenter

    if not has_freesolo():
        raise InputError("rows: FreeSOLO's weights are not here, see docs/models.md")
    return cast("FreeSolo", load_segmenter("freesolo"))


def _gl_clip(
    pipeline: Pipeline, title: str, everything: Callable[[NDArray[np.uint8]], Candidates] | None
) -> Row:
    """Among what `everything` finds in a picture; None for stage 1's candidates."""
    if pipeline.select.clip is None:
        raise InputError("rows: gl-clip needs a CLIP in stage 2, which the model set does not have")
    score = GlobalLocal(cast("Clip", pipeline.select.clip))

    def masks(question: Question) -> list[Mask]:
        chosen = []
        for result in question.results:
            among = everything(question.image) if everything else result.candidates
            scores = score(
                question.image, among.masks, result.expressions[0], result.matches[0].noun
            )
            chosen.append(pick(among, int(scores.argmax()) if len(scores) else -1))
        return chosen

    return Row(title, masks)


BASELINES: dict[str, Callable[[Pipeline], Row]] = {
    "best-box": best_box,
    "sam+select": sam_select,
    "gl-clip": gl_clip,
    "gl-clip-freesolo": gl_clip_freesolo,
}
"""More rows, as `train.evaluate.methods.ROWS`."""


class Everything:
    """All masks that segment-anything's automatic mask generator finds in a picture.

    Args:
        segmenter: with its network.
        settings: of `SamAutomaticMaskGenerator`; its own, for SAM ViT-H, where none are given.
    """

    def __init__(self, segmenter: SamSegmenter, **settings: Any) -> None:
        from segment_anything import SamAutomaticMaskGenerator

        self.segmenter = segmenter
        self.generator = SamAutomaticMaskGenerator(segmenter.model, **settings)
        self._candidates: Cache[Candidates] = Cache(1)  # rows ask about the same picture in turn

    def __call__(self, image: NDArray[np.uint8]) -> Candidates:
        """Every mask with its box; both scores are SAM's estimate of its IoU."""
        return self._candidates.get(content_key(image), lambda: self._generate(image))

    def _generate(self, image: NDArray[np.uint8]) -> Candidates:
        encoder, dtype = self.segmenter.model.image_encoder, self.segmenter.dtype
        hooks = (  # the generator hands float32 on, whatever the encoder computes in
            encoder.register_forward_pre_hook(lambda _, args: (args[0].to(dtype),)),
            encoder.register_forward_hook(lambda _, args, out: out.float()),
        )
        try:
            detections = self.generator.generate(image)
        finally:
            for hook in hooks:
                hook.remove()
        if not detections:
            return Candidates.empty(*image.shape[:2])
        masks = np.stack([row["segmentation"] for row in detections])
        scores = np.clip([row["predicted_iou"] for row in detections], 0, 1).astype(np.float32)
        boxes = np.stack([mask_box(mask) for mask in masks])
        return Candidates(boxes, scores, ("",) * len(detections), masks, scores)


def _first_candidate(question: Question) -> list[Mask]:
    """Candidates come by falling score of their boxes."""
    return [pick(r.candidates, 0 if r.found else -1) for r in question.results]


def is_sam(segmenter: Any) -> TypeGuard[SamSegmenter]:
    """Whether it is segment-anything's."""
    from ssc.segment.sam import SamSegmenter

    return isinstance(segmenter, SamSegmenter)


def everything_of(pipeline: Pipeline) -> Everything:
    """Of the pipeline's SAM, the same for all rows; raises InputError where it has none."""
    segmenter = pipeline.segment.segmenter
    if not is_sam(segmenter):
        raise InputError(
            "rows: sam+select needs SAM's automatic mask generator, which the model set does not "
            "have; choose the base or paper set"
        )
    return _shared(segmenter)


@cache
def _shared(segmenter: SamSegmenter) -> Everything:
    return Everything(segmenter)
