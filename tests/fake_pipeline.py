"""A pipeline without weights: candidates from the committed scenes, scores and masks from fakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageFilter

from ssc.correct import Correct
from ssc.expression import Ask
from ssc.pipeline import Pipeline
from ssc.result import Result
from ssc.segment import Segment
from ssc.segment.classes import ClassProjection
from ssc.select import Select
from ssc.types import Candidates, ClassMatch
from ssc.words.nouns import SpacyNouns
from ssc.words.read import Reader
from ssc.words.vocabulary import COCO_80
from train.data.slice import SLICE as SCENES

SCENE = "val-03"
READER = Reader()


class FakeClip:
    """Embeds pictures by their mean colour and texts by their letters; counts its calls."""

    def __init__(self) -> None:
        self.image_batches: list[int] = []

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        self.image_batches.append(len(images))
        return _unit(images.reshape(len(images), -1, 3).mean(axis=1) - 90)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        seeds = [sum(text.encode()) for text in texts]
        return _unit(np.stack([np.random.default_rng(s).normal(size=3) for s in seeds]))


class FakeSegment(Segment):
    """Finds the objects of `SCENE` in any picture; none for expressions with "unicorn"."""

    def __init__(self) -> None:
        detector = SimpleNamespace(threshold=0.5, classes=COCO_80)
        super().__init__(SpacyNouns(), ClassProjection(FakeClip(), COCO_80), detector, None)

    def __call__(self, image: np.ndarray, expressions: Sequence[str]) -> Result:
        height, width = image.shape[:2]
        noun = expressions[0].split()[-1]
        others = (("tv", 0.71), ("keyboard", 0.64)) if self.project else ()
        others = tuple(pair for pair in others if pair[0] in self.classes.vocabulary)
        match = ClassMatch(noun, "laptop", 0.93, others)
        timings = dict.fromkeys(("nouns", "classes", "boxes", "masks"), 0.01)
        if "unicorn" in expressions[0]:
            match = ClassMatch("unicorn", "horse", 0.61, (("zebra", 0.55), ("cow", 0.41)))
            empty = Candidates.empty(height, width)
            return Result(
                tuple(expressions),
                (match,),
                empty,
                (("laptop", 0.2),),
                timings=timings,
                image=image,
            )
        candidates = scene_candidates(height, width)
        candidates = candidates[candidates.scores > self.detector.threshold]
        matches = (match,) * len(expressions)
        said = READER.read(expressions[0])
        asks = tuple(Ask(part) for part in said.parts) if self.several else ()
        return Result(
            tuple(expressions),
            matches,
            candidates,
            words=(said,) if said.parts else (),  # of one object it reads none
            asks=asks,
            timings=timings,
            image=image,
        )


class FakeCorrector:
    """Reads "left" (else the rightmost laptop), "unicorn" (nothing) and "all" (everywhere)."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def predict(self, image: np.ndarray, expressions: Sequence[str]) -> np.ndarray:
        self.calls.append(list(expressions))
        candidates = scene_candidates(*image.shape[:2])
        across = candidates.boxes[:, ::2].mean(axis=1)
        out = np.full((len(expressions), *image.shape[:2]), 0.03, np.float32)
        for row, text in zip(out, expressions):
            if "all" in text:
                row[:] = 0.8
            elif "unicorn" not in text:
                mask = candidates.masks[across.argmin() if "left" in text else across.argmax()]
                soft = Image.fromarray(mask.astype(np.uint8) * 255)
                soft = soft.filter(ImageFilter.GaussianBlur(max(image.shape) / 200))
                np.maximum(row, np.array(soft, np.float32) / 255 * 0.97, out=row)
        return out


def scene_candidates(height: int, width: int) -> Candidates:
    """The true masks of the scene, fitted to a frame."""
    ids = Image.open(SCENES / f"{SCENE}.ids.png").resize((width, height), Image.Resampling.NEAREST)
    categories = [o["category"] for o in _scene()["objects"]]
    masks = np.array(ids)[None] == np.arange(1, len(categories) + 1)[:, None, None]
    masks = masks[[c == "laptop" for c in categories]]
    boxes = []
    for mask in masks:
        ys, xs = np.nonzero(mask)
        boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else (0, 0, 1, 1))
    n = len(masks)
    scores = np.linspace(0.95, 0.6, n, dtype=np.float32)
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4), scores, ("laptop",) * n, masks, scores
    )


def fake_pipeline(correct: bool = True) -> Pipeline:
    return Pipeline(
        FakeSegment(), Select(FakeClip()), Correct(FakeCorrector()) if correct else None
    )


def scene_image() -> np.ndarray:
    return np.array(Image.open(SCENES / f"{SCENE}.jpg").convert("RGB"))


def _scene() -> dict:
    scenes = json.loads((SCENES / "scenes.json").read_text())
    return next(scene for scene in scenes if scene["name"] == SCENE)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
