"""Stage 3's choice for the objects of a store, beside S2's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct.predict import Corrector
    from train.pseudo.records import PseudoPicture


def choices_of_stage_3(
    corrector: Corrector, image: NDArray[np.uint8], picture: PseudoPicture
) -> dict[str, int]:
    """Name of each object with candidates → the one of highest soft IoU (paper, equation 3), the
    mean over its expressions.

    Args:
        image: RGB uint8 H×W×3, the picture.

    Raises:
        InputError: the picture is not of that size.
    """
    import torch

    from ssc.correct.matching import soft_iou

    if image.shape[:2] != tuple(picture.size):
        raise InputError(
            f"{picture.name}: expected a picture of {picture.size}, got {image.shape[:2]}"
        )
    referents = [referent for referent in picture.objects if len(referent.candidates)]
    texts = [text for referent in referents for text in referent.expressions]
    if not texts:
        return {}
    probability = torch.from_numpy(corrector.predict(image, texts))  # N×H×W
    counts = [len(referent.expressions) for referent in referents]
    favourite = {}
    for referent, own in zip(referents, probability.split(counts)):
        scores = soft_iou(own, torch.from_numpy(referent.candidates.masks.copy())).mean(0)
        favourite[referent.name] = int(scores.argmax())
    return favourite
