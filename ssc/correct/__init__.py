"""Stage 3 (paper §3.3): a network trained to read, then corrected by constrained matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.correct.mask import mask_at, threshold_of
from ssc.correction import Correction
from ssc.metrics import pairwise_iou
from ssc.result import Result
from ssc.timing import Clock
from ssc.types import Candidates
from ssc.words.order import fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

SNAP_IOU = 0.1
"""Soft IoU from which a candidate counts as what the corrected model means. Low: torn between two
candidates, a model sees little of either above a half and still prefers one. It is there for what
is none of the candidates."""

_EPSILON = 1e-6  # keeps the logit of a saturated probability finite


class Predictor(Protocol):
    """A referring segmenter; `ssc.correct.predict.Corrector` is one."""

    def predict(self, image: NDArray[np.uint8], expressions: Sequence[str]) -> NDArray[np.float32]:
        """float32 N×H×W in [0, 1], per expression, of an RGB uint8 H×W×3 image."""
        ...


class Correct:
    """Asks the corrected model where each object is.

    Args:
        corrector: the trained model.
    """

    def __init__(self, corrector: Predictor) -> None:
        self.corrector = corrector

    def __call__(self, image: NDArray[np.uint8], results: Sequence[Result]) -> list[Result]:
        """Stage 3 of all objects of one image, in one call of the model.

        Args:
            image: RGB uint8 H×W×3.
            results: stages 1 and 2 of each object; one without candidates is corrected too, as
                the model needs none.

        Returns:
            The results with their corrections, in the same order. Time is counted with the first
            object, as it is shared.
        """
        clock = Clock()
        with clock("correct"):
            unread = getattr(self.corrector, "unread", None)
            readings = [
                [
                    fitted(text, result.words[n].noun if result.words else "", unread)
                    for n, text in enumerate(result.expressions)
                ]
                for result in results
            ]
            texts = [text for own in readings for text, _ in own]
            probabilities = self.corrector.predict(image, texts)  # one per expression, H×W
            corrections = []
            start = 0
            for result, read in zip(results, readings):
                own = probabilities[start : start + len(read)]
                start += len(own)
                several = result.members is not None
                correction = correct_at(pool(own), result.candidates, several=several)
                lost = tuple(word for _, words in read for word in words)
                corrections.append(replace(correction, unread=lost))
        return [
            result.with_correction(correction, clock.seconds if number == 0 else {"correct": 0.0})
            for number, (result, correction) in enumerate(zip(results, corrections))
        ]


def pool(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """One probability map of several expressions of the same object: the mean of their logits.

    Logits, as stage 2's mean of CLIP scores is one of logits too: an expression that leaves a
    region open (near 0.5) gives way to one that is sure of it, where the mean of probabilities
    would let two that are unsure outvote it.

    Args:
        probabilities: float32 M×H×W in [0, 1], M ≥ 1.

    Returns:
        float32 H×W in [0, 1].
    """
    if len(probabilities) == 1:
        return probabilities[0]
    p = np.clip(probabilities, _EPSILON, 1 - _EPSILON)
    logit = np.log(p / (1 - p)).mean(axis=0)  # M×H×W → H×W
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def correct_at(
    probability: NDArray[np.float32],
    candidates: Candidates,
    *,
    threshold: float | None = None,
    several: bool = False,
) -> Correction:
    """The corrected mask at a threshold, and the candidate that the model agrees with best.

    That is the one of the highest soft IoU with the probability: the score by which matching gave
    objects their candidates (equation 3). It does not depend on the threshold.

    Args:
        probability: float32 H×W in [0, 1].
        candidates: of the same frame.
        threshold: in [0, 1]; by default `threshold_of` the probability.
        several: whether more than one object may be meant; see `mask_at`.
    """
    import torch

    from ssc.correct.matching import soft_iou

    threshold = threshold_of(probability) if threshold is None else threshold
    mask = mask_at(probability, threshold, several=several)
    ious = pairwise_iou(candidates.masks, mask[None])[:, 0].astype(np.float32)
    frame = torch.tensor(probability)[None]  # 1×H×W
    agreement = soft_iou(frame, torch.tensor(candidates.masks))[0].numpy()
    best = int(agreement.argmax()) if len(agreement) else -1
    snapped_index = best if best >= 0 and agreement[best] >= SNAP_IOU else -1
    return Correction(probability, threshold, mask, ious, agreement, snapped_index)
