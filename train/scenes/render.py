"""Renders RefSprites scenes: a scene is a function of (split, index, seed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ssc.errors import InputError
from train.scenes.backgrounds import background
from train.scenes.catalogue import CLUTTER, SPRITES, Sprite, richest
from train.scenes.expressions import Expression, refer
from train.scenes.instance import Instance
from train.scenes.questions import PER_SCENE, questions
from train.scenes.several import SEVERAL_KINDS, SHARES, Question
from train.scenes.sprites import TONES, draw_glyph, draw_sprite, silhouette

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT, WIDTH = 240, 320
MIN_VISIBLE = 0.4  # an object is hidden to 60 % at most
SPLITS = ("train", "val", "testA", "testB", "hard")
SEVERAL = "several"
"""The split of questions about several objects or none, `train.scenes.several`."""


@dataclass(frozen=True)
class Scene:
    """A rendered scene with its truth.

    Attributes:
        image: RGB uint8 H×W×3.
        ids: uint8 H×W, 1 + index of the instance that is seen there, 0 for background.
        instances: back to front.
        referred: index of each referred instance → its three expressions; {} of "several".
        questions: of the split "several"; else ().
    """

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    instances: tuple[Instance, ...]
    referred: dict[int, tuple[Expression, ...]]
    questions: tuple[Question, ...] = ()

    @property
    def masks(self) -> NDArray[np.bool_]:
        """bool N×H×W: the visible part of each instance."""
        return self.ids[None] == np.arange(1, len(self.instances) + 1)[:, None, None]

    @property
    def names(self) -> tuple[str, ...]:
        """The class of each instance."""
        return tuple(instance.sprite.category for instance in self.instances)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 N×4 XYXY pixels around the visible part of each instance."""
        boxes = []
        for mask in self.masks:
            x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
            boxes.append((x, y, x + w, y + h))
        return np.asarray(boxes, np.float32).reshape(-1, 4)


@cache
def _sprites_of(category: str, with_unseen: bool) -> tuple[Sprite, ...]:
    return tuple(s for s in SPRITES if s.category == category and (with_unseen or not s.unseen))


class _Canvas:
    """Painter's algorithm with exact visibility."""

    def __init__(self, rng: np.random.Generator, h: int, w: int) -> None:
        self.rng, self.h, self.w = rng, h, w
        self.pixels = background(rng, h, w)
        self.ids = np.zeros((h, w), np.uint8)
        self.instances: list[Instance] = []
        self.shadow = ("none", "drop", "contact")[rng.integers(3)]
        self.light = rng.uniform(0.85, 1.1)

    def place(self, sprite: Sprite, colour: str | None, height: float, x: float, y: float) -> bool:
        """Paints the sprite with its centre at (x, y); False, and nothing painted, where it would
        itself be cut too much by the frame or would hide another object too much."""
        tone = TONES[self.rng.integers(len(TONES))] if sprite.is_person else ""
        rgba = draw_sprite(sprite, colour, tone)
        cut = _transform(self.rng, rgba, silhouette(sprite, tone), height)
        colours, alpha, solid = cut
        h, w = solid.shape
        left, top = int(x - w / 2), int(y - h / 2)
        inner = np.s_[max(0, -top) : self.h - top, max(0, -left) : self.w - left]
        outer = np.s_[max(0, top) : max(0, top) + h, max(0, left) : max(0, left) + w]
        outer = np.s_[outer[0].start : min(self.h, top + h), outer[1].start : min(self.w, left + w)]
        solid_in = solid[inner] > 127
        area = int((solid > 127).sum())
        visible = int(solid_in.sum())
        if area < 40 or visible < 0.8 * area:
            return False
        hidden = np.bincount(self.ids[outer][solid_in], minlength=len(self.instances) + 1)[1:]
        for instance, lost in zip(self.instances, hidden):
            if instance.visible - lost / instance.area < MIN_VISIBLE:
                return False
        number = len(self.instances)
        for instance, lost in zip(self.instances, hidden):
            instance.visible -= lost / instance.area
            if lost > 0.05 * instance.area:
                instance.covered_by.add(number)
        self._shade(solid, left, top)
        self._blend(outer, colours[inner] * self.light, alpha[inner])
        self.ids[outer][solid_in] = number + 1
        shown = colour or sprite.colour
        self.instances.append(Instance(sprite, shown, (x, y), h, area, visible / area))
        return True

    def clutter(self, height: float, x: float, y: float) -> None:
        """Paints something that is of no COCO class, behind everything."""
        glyph = draw_glyph(CLUTTER[self.rng.integers(len(CLUTTER))])
        colours, alpha, _ = _transform(self.rng, glyph, glyph[..., 3], height)
        h, w = alpha.shape
        left, top = int(x - w / 2), int(y - h / 2)
        inner = np.s_[max(0, -top) : self.h - top, max(0, -left) : self.w - left]
        outer = np.s_[max(0, top) : min(self.h, top + h), max(0, left) : min(self.w, left + w)]
        if alpha[inner].size:
            self._blend(outer, colours[inner], alpha[inner])

    def _blend(self, outer: tuple, colours: NDArray, alpha: NDArray) -> None:
        weight = alpha[..., None].astype(np.float32) / 255
        self.pixels[outer] += weight * (colours - self.pixels[outer])

    def _shade(self, solid: NDArray[np.uint8], left: int, top: int) -> None:
        """Darkens the ground: the silhouette shifted, or an ellipse under the feet."""
        if self.shadow == "none":
            return
        h, w = solid.shape
        pad = 8
        if self.shadow == "drop":
            patch = cv2.copyMakeBorder(solid, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
            left, top = left - pad + 4, top - pad + 5
        else:
            patch = np.zeros((h + 2 * pad, w + 2 * pad), np.uint8)
            centre = (pad + w // 2, pad + h - 2)
            cv2.ellipse(patch, centre, (w * 2 // 5 + 1, h // 12 + 2), 0, 0, 360, 255, -1)
            left, top = left - pad, top - pad
        patch = cv2.blur(patch, (7, 7))
        h, w = patch.shape
        inner = np.s_[max(0, -top) : self.h - top, max(0, -left) : self.w - left]
        outer = np.s_[max(0, top) : min(self.h, top + h), max(0, left) : min(self.w, left + w)]
        if patch[inner].size:
            self.pixels[outer] *= 1 - 0.45 * patch[inner][..., None].astype(np.float32) / 255

    def finish(self) -> NDArray[np.uint8]:
        """The camera: contrast, colour cast and grain; RGB uint8 H×W×3."""
        rng = self.rng
        gain = rng.uniform(0.85, 1.12) * rng.uniform(0.94, 1.06, 3).astype(np.float32)
        pixels = (self.pixels - 128) * gain + 128 + rng.uniform(-12, 12)
        grain = rng.standard_normal((self.h // 2, self.w // 2), np.float32) * rng.uniform(0, 6)
        pixels += cv2.resize(grain, (self.w, self.h), interpolation=cv2.INTER_NEAREST)[..., None]
        return np.clip(pixels, 0, 255).astype(np.uint8)


def _transform(
    rng: np.random.Generator, rgba: NDArray[np.uint8], solid: NDArray[np.uint8], height: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Scales to about `height`, stretches, flips and turns a little.

    Returns:
        Colours float32 h×w×3, alpha uint8 h×w, silhouette uint8 h×w.
    """
    scale = height / max(rgba.shape[0], 0.75 * rgba.shape[1])
    size = (
        max(4, round(rgba.shape[1] * scale * rng.uniform(0.88, 1.12))),
        max(4, round(rgba.shape[0] * scale)),
    )
    # Premultiplied, so that transparent pixels' colour does not bleed in at the edges.
    layer = rgba.astype(np.float32)
    layer[..., :3] *= layer[..., 3:] / 255
    layers = [
        cv2.resize(x, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for x in (layer, solid)
    ]
    if rng.random() < 0.5:
        layers = [np.ascontiguousarray(x[:, ::-1]) for x in layers]
    angle = rng.normal(0, 9)
    if abs(angle) > 3:
        w, h = size
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), angle, 1)
        cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
        turned = (int(h * sin + w * cos) + 1, int(h * cos + w * sin) + 1)
        turn[:, 2] += (turned[0] - w) / 2, (turned[1] - h) / 2
        layers = [cv2.warpAffine(x, turn, turned) for x in layers]
    layer, solid = layers
    alpha = layer[..., 3]
    colours = layer[..., :3] * (255 / np.maximum(alpha, 1))[..., None]
    return np.minimum(colours, 255), alpha.astype(np.uint8), solid


def _pick(rng: np.random.Generator, category: str, split: str) -> tuple[Sprite, str | None]:
    options = _sprites_of(category, split not in ("train", "val"))
    sprite = options[rng.integers(len(options))]
    if sprite.paint is None:
        return sprite, None
    return sprite, sprite.paints[rng.integers(len(sprite.paints))]


def _category(rng: np.random.Generator, split: str, categories: Sequence[str]) -> str:
    """RefCOCO's testA refers to people and testB to everything else; half of it is people."""
    person = {"testA": 1.0, "testB": 0.0}.get(split, 0.4)
    if rng.random() < person:
        return "person"
    return categories[1 + int(rng.integers(len(categories) - 1))]


def render(
    split: str,
    index: int,
    seed: int = 0,
    *,
    classes: int = 0,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> Scene:
    """Renders a scene; equal arguments give equal bytes.

    Args:
        split: one of `SPLITS`, or "several".
        index, seed: non-negative numbers.
        classes: how many classes the world has, see `catalogue.richest`; 0 for all.
        height, width: of the picture in pixels; sprites scale with it.

    Raises:
        InputError: an unknown split or number of classes, or the emoji font is not installed.
    """
    known = (*SPLITS, SEVERAL)
    if split not in known:
        raise InputError(f"split: expected one of {', '.join(known)}, got {split!r}")
    rng = np.random.default_rng([known.index(split), index, seed])
    categories = richest(classes)
    kinds: list[str] = []
    if split == SEVERAL:
        kinds = [str(kind) for kind in rng.choice(SEVERAL_KINDS, PER_SCENE, p=SHARES)]
    while True:
        canvas, category = _compose(rng, split, categories, height, width)
        if kinds:
            asked = questions(rng, canvas.instances, category, kinds, width, height)
            if asked:
                return Scene(canvas.finish(), canvas.ids, tuple(canvas.instances), {}, asked)
            continue
        referred = refer(rng, canvas.instances, category, split == "hard", width, height)
        if referred:
            return Scene(canvas.finish(), canvas.ids, tuple(canvas.instances), referred)


def _compose(
    rng: np.random.Generator, split: str, categories: Sequence[str], h: int, w: int
) -> tuple[_Canvas, str]:
    """2–4 objects of one class (hard, several: 3–6) and 1–4 of others; and that class."""
    canvas = _Canvas(rng, h, w)
    hard = split == "hard"
    category = _category(rng, split, categories)
    many = hard or split == SEVERAL
    names = [category] * int(
        rng.integers(3, 7) if many else rng.choice([2, 3, 4], p=[0.3, 0.4, 0.3])
    )
    others = [c for c in categories if c != category]
    for _ in range(int(rng.integers(1, 5))):
        again = len(names) > 4 and rng.random() < 0.2  # sometimes two of a kind
        names.append(names[-1] if again and names[-1] != category else str(rng.choice(others)))
    rng.shuffle(names)
    for _ in range(int(rng.integers(0, 4))):
        canvas.clutter(h * rng.uniform(0.12, 0.4), rng.uniform(0, w), rng.uniform(0, h))

    base = h * rng.uniform(0.2, 0.42) * (0.85 if hard else 1.0)
    spread = rng.choice([1.15, 1.5, 2.0])  # largest over smallest is spread² at most: 4
    perspective = rng.random() < 0.4  # lower in the frame is nearer, so larger
    row = rng.uniform(0.35, 0.7) if rng.random() < 0.3 else None
    twin: dict[str, tuple[Sprite, str | None]] = {}
    spots = sorted(rng.uniform(0, 1) for _ in names) if perspective else None
    for k, name in enumerate(names):
        # Instances of a class sometimes share their look, so that only place tells them apart.
        if name not in twin or rng.random() < 0.65:
            twin[name] = _pick(rng, name, split)
        sprite, colour = twin[name]
        size: float = base * spread ** rng.uniform(-1, 1)
        for attempt in range(14):
            if attempt == 9:
                size = max(0.7 * size, 0.11 * h)
            y = h * (row + rng.normal(0, 0.05)) if row else rng.uniform(0.12, 0.88) * h
            if spots:
                depth = spots[k]
                y = h * (0.3 + 0.5 * depth) + rng.normal(0, 0.03) * h
                size = base * spread ** (2 * depth - 1)
            if canvas.place(sprite, colour, size, rng.uniform(0.06, 0.94) * w, y):
                break
    return canvas, category
