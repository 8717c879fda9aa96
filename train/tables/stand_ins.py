"""What stands in for published weights that are not here, where time alone counts.

Weights change no speed: networks of the true sizes with random ones take as long.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError
from ssc.types import Candidates
from train.evaluate.baselines import everything_of, is_sam
from train.tables import paper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline
    from train.data import Picture

CANDIDATES = 5  # as in `train.tables.efficiency`


def pipeline_of(model_set: str, tiny: bool) -> tuple[Pipeline, bool]:
    """Stages 1 and 2 of a set, and whether the weights are its own.

    Random networks would find nothing, or anything: after their work they answer with `CANDIDATES`
    boxes side by side, with these as masks, and of all of a picture with as many as the paper
    counts.

    Args:
        tiny: random networks as small as can be; whether it runs.

    Raises:
        InputError: neither its weights are here, nor has it random ones.
    """
    import ssc
    from ssc.bench.networks import random_pipeline
    from ssc.devices import best_device, best_dtype
    from ssc.models.published import SETS, Parts, lacks
    from ssc.pipeline import Pipeline

    if model_set not in SETS or not lacks(model_set):
        return ssc.load(model_set, correct=False), True
    if not isinstance(SETS[model_set], Parts):
        raise InputError(f"dry-run: {model_set} is not here: {lacks(model_set)}")
    device = best_device()
    stages = random_pipeline(model_set, device, best_dtype(device), tiny)
    pipeline = Pipeline(stages.segment, stages.select)
    detector: Any = pipeline.segment.detector
    segmenter: Any = pipeline.segment.segmenter
    segment = segmenter.segment

    def finding(detect: Callable[..., Any]) -> Callable[..., Any]:
        def boxes(image: NDArray[np.uint8], names: Sequence[str]) -> Any:
            detect(image, names)
            made = _strips(image, CANDIDATES)
            return made.boxes, made.scores, (names[0],) * CANDIDATES

        return boxes

    def masks(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Any:
        segment(image, boxes)
        made = np.zeros((len(boxes), *image.shape[:2]), np.bool_)
        for mask, (x0, y0, x1, y1) in zip(made, boxes.astype(int)):
            mask[y0:y1, x0:x1] = True
        return made, np.ones(len(boxes), np.float32)

    for ask in ("detect", "detect_once"):
        if hasattr(detector, ask):
            setattr(detector, ask, finding(getattr(detector, ask)))
    segmenter.segment = masks
    if is_sam(segmenter):
        everything: Any = everything_of(pipeline)
        generate, count = everything._generate, paper.figures()["masks a sample"]["SAM"]

        def all_masks(image: NDArray[np.uint8]) -> Candidates:
            generate(image)
            return _strips(image, count)

        everything._generate = all_masks
    return pipeline, False


def _strips(image: NDArray[np.uint8], count: int) -> Candidates:
    """So many boxes of a pixel or more side by side, as candidates."""
    h, w = image.shape[:2]
    boxes = np.zeros((count, 4), np.float32)
    masks = np.zeros((count, h, w), np.bool_)
    for k in range(count):
        x0, x1 = k * w // count, max((k + 1) * w // count, k * w // count + 1)
        boxes[k], masks[k, :, x0:x1] = (x0, 0, x1, h), True
    scores = np.linspace(0.9, 0.5, count, dtype=np.float32)
    return Candidates(boxes, scores, ("",) * count, masks, scores)


def random_start(model: str, pictures: Sequence[Picture], folder: Path) -> Path | None:
    """A checkpoint of random weights in place of published ones; None where none are needed."""
    if model != "swin_b":
        return None
    from ssc.bench.networks import BERT_VOCABULARY
    from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
    from train.fit.tokenizer import learn_tokenizer

    config = copy.deepcopy(CONFIGS[model])
    config["bert"]["vocab_size"] = BERT_VOCABULARY
    texts = (text for p in pictures for referred in p.objects for text in referred.expressions)
    tokenizer = learn_tokenizer(texts, config["words"])
    Corrector.save(folder, ReferringModel(config["lavt"], config["bert"]), tokenizer, config)
    return folder
