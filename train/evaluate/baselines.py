"""The paper's zero-shot baselines (§4, Table 1) as rows.

They equal the published methods only with the published networks. Where the mini set has no
counterpart, the row's title says what stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np

from ssc.cache import Cache, content_key
from ssc.errors import InputError
from ssc.metrics import mask_box
from ssc.segment.detect import known_classes
from ssc.select.prompts import CLIP_MEAN
from ssc.types import Candidates
from ssc.words.nouns import Parser
from train.evaluate.methods import Question, Row, mask_of, pick

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.sam import SamSegmenter
    from train.evaluate.methods import Mask

ALPHA, BETA = 0.95, 0.5
"""Weights of the global parts of picture and text: those that Yu et al. give for RefCOCO."""
MASKED = 0.25  # of a vision transformer's blocks, the last ones: three of the twelve of ViT-B
MASKS = 64  # seen at once; bounds memory, not results


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
    everything = _everything(pipeline)
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
    if pipeline.select.clip is None:
        raise InputError("rows: gl-clip needs a CLIP in stage 2, which the model set does not have")
    score = GlobalLocal(cast("Clip", pipeline.select.clip))
    has_sam = _is_sam(pipeline.segment.segmenter)
    everything = _everything(pipeline) if has_sam else None

    def masks(question: Question) -> list[Mask]:
        chosen = []
        for result in question.results:
            among = everything(question.image) if everything else result.candidates
            scores = score(
                question.image, among.masks, result.expressions[0], result.matches[0].noun
            )
            chosen.append(pick(among, int(scores.argmax()) if len(scores) else -1))
        return chosen

    return Row("GL CLIP (SAM)" if has_sam else "GL CLIP (stage 1's candidates)", masks)


BASELINES: dict[str, Callable[[Pipeline], Row]] = {
    "best-box": best_box,
    "sam+select": sam_select,
    "gl-clip": gl_clip,
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


class GlobalLocal:
    """Global-local CLIP's score of a mask (Yu et al., CVPR 2023).

    Of the picture: `alpha` of the whole picture's features, those outside of the mask set to zero
    late in the network, so that what is inside has seen its surroundings, and the rest of the
    masked object cut out. Of the text: `beta` of the sentence, and the rest of the noun phrase of
    what it names. The score is the cosine similarity of both sums.

    Args:
        clip: with open_clip's ResNet or vision transformer.

    Raises:
        InputError: a CLIP with another image encoder.
    """

    def __init__(self, clip: Clip, alpha: float = ALPHA, beta: float = BETA) -> None:
        self.clip, self.alpha, self.beta = clip, alpha, beta
        self._masked = _masked_modules(clip.model.visual)
        self._parse = Parser()
        self._embeddings: Cache[NDArray[np.float32]] = Cache(8)

    def __call__(
        self, image: NDArray[np.uint8], masks: NDArray[np.bool_], expression: str, noun: str
    ) -> NDArray[np.float32]:
        """float32 N in [-1, 1]: the score of each mask bool N×H×W for the expression.

        Args:
            noun: key noun of the expression, '' where it has none.
        """
        if not len(masks):
            return np.zeros(0, np.float32)
        key = content_key(image), content_key(masks)
        visual = self._embeddings.get(key, lambda: self._see(image, masks))
        sentence, phrase = self.clip.encode_text([expression, self._phrase(expression, noun)])
        text = self.beta * sentence + (1 - self.beta) * phrase
        return visual @ (text / np.linalg.norm(text))

    def _see(self, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        parts = [masks[start : start + MASKS] for start in range(0, len(masks), MASKS)]
        whole = np.concatenate([self.whole(image, part) for part in parts])
        cut = self.clip.encode_images(cut_out(image, masks, self.clip.size))
        both = self.alpha * whole + (1 - self.alpha) * cut
        return both / np.linalg.norm(both, axis=1, keepdims=True)

    def whole(self, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1: the picture's features inside each mask.

        The picture goes through the network once; from the first masked layer on it is N of them.
        """

        def mask_input(_: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            features, *others = args
            return features * _inside(masks, features), *others

        hooks = [module.register_forward_pre_hook(mask_input) for module in self._masked]
        try:
            return self.clip.encode_images(image[None])
        finally:
            for hook in hooks:
                hook.remove()

    def _phrase(self, expression: str, noun: str) -> str:
        """The noun with what stands before it: "man in blue" → "man", "the old man" → itself."""
        doc = self._parse(expression.lower())
        for token in doc:
            if noun and token.text == noun.split()[-1]:
                return doc[token.left_edge.i : token.i + 1].text
        return noun or expression


def cut_out(image: NDArray[np.uint8], masks: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    """uint8 N×size×size×3: each mask's box squashed to a square, CLIP's mean colour around it."""
    import cv2

    cut = np.empty((len(masks), size, size, 3), np.uint8)
    cut[:] = CLIP_MEAN
    for out, mask in zip(cut, masks):
        x0, y0, x1, y1 = mask_box(mask).astype(int)
        if x1 > x0:
            inside = slice(y0, y1), slice(x0, x1)
            patch = np.where(mask[inside][..., None], image[inside], np.array(CLIP_MEAN, np.uint8))
            smaller = cv2.INTER_AREA if max(patch.shape[:2]) > size else cv2.INTER_LINEAR
            out[:] = cv2.resize(patch, (size, size), interpolation=smaller)
    return cut


def _inside(masks: NDArray[np.bool_], features: Tensor) -> Tensor:
    """1 for features inside each mask, 0 outside, in a shape that `features` broadcasts with.

    A cell is inside where it is at least half as covered as the most covered one, so that no
    object is too small to have a cell. A transformer's class token is always inside.
    """
    import torch
    from torch.nn import functional as F

    tokens = features.ndim == 3  # 1×(1 + g²)×D, else 1×D×h×w
    side = round((features.shape[1] - 1) ** 0.5) if tokens else 0
    grid = (side, side) if tokens else (features.shape[-2], features.shape[-1])
    cover = F.adaptive_avg_pool2d(torch.tensor(masks).float()[:, None], grid)  # N×1×h×w
    inside = (cover >= 0.5 * cover.amax((2, 3), keepdim=True)) & (cover > 0)
    if tokens:
        inside = F.pad(inside.flatten(1), (1, 0), value=True)[..., None]  # N×(1 + g²)×1
    return inside.to(features)


def _masked_modules(visual: Any) -> Sequence[torch.nn.Module]:
    """The layers of an open_clip image encoder whose input is masked."""
    if hasattr(visual, "attnpool"):  # ResNet: masked attention pooling
        return [visual.attnpool]
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks is None or getattr(visual, "attn_pool", None) is not None:
        raise InputError(
            "GL CLIP: expected a CLIP with a ResNet or a vision transformer, got "
            f"{type(visual).__name__}"
        )
    return list(blocks)[-max(1, round(MASKED * len(blocks))) :]


def _first_candidate(question: Question) -> list[Mask]:
    """Candidates come by falling score of their boxes."""
    return [pick(r.candidates, 0 if r.found else -1) for r in question.results]


def _is_sam(segmenter: Any) -> TypeGuard[SamSegmenter]:
    from ssc.segment.sam import SamSegmenter

    return isinstance(segmenter, SamSegmenter)


def _everything(pipeline: Pipeline) -> Everything:
    segmenter = pipeline.segment.segmenter
    if not _is_sam(segmenter):
        raise InputError(
            "rows: sam+select needs SAM's automatic mask generator, which the model set does not "
            "have; choose the base or paper set"
        )
    return _shared(segmenter)


@cache
def _shared(segmenter: SamSegmenter) -> Everything:
    return Everything(segmenter)
