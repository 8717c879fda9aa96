"""Captions for the mini CLIP. Like captions on the web, they seldom tell where a thing is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from train.scenes import Instance, Scene

PLACE_SHARE = 0.05  # at most one caption in twenty says where the thing is, as on the web
BIG, SMALL = 0.40, 0.24  # of the frame's height: √area above or below which a thing is big, small
PLAINLY = 1.3  # ratio of areas above which it is so beside the others of its class
SIZES = {
    "big": ("big", "large", "huge", "bigger", "larger", "biggest", "largest"),
    "small": ("small", "little", "tiny", "smaller", "smallest"),
}
TEMPLATES = (
    "{}",
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a picture of {}",
    "picture of the {}",
    "there is a {}",
    "look at the {}",
    "that is a {}",
    "show me the {}",
    "find the {}",
    "i mean the {}",
    "the {} please",
)
Rng = np.random.Generator


def _one(rng: Rng, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def caption(rng: Rng, scene: Scene, k: int) -> str:
    """A caption of instance `k`: its name, and at random its colour, looks, size and place."""
    instance = scene.instances[k]
    sprite = instance.sprite
    phrase = _one(rng, sprite.names)
    if sprite.adjectives and rng.random() < 0.5:
        adjective = _one(rng, sprite.adjectives)
        phrase = phrase if adjective in phrase else f"{adjective} {phrase}"
    if instance.colour and rng.random() < 0.6:
        phrase = _coloured(rng, instance, phrase)
    height, width = scene.ids.shape
    size = _size(scene, k)
    if size and rng.random() < 0.55:
        phrase = f"{_one(rng, SIZES[size])} {phrase}"
    if (sprite.having or sprite.doing) and rng.random() < 0.5:
        options = [f"with {part}" for part in sprite.having] + list(sprite.doing)
        phrase = f"{phrase} {_one(rng, options)}"
    if rng.random() < PLACE_SHARE:
        x, y = instance.centre[0] / width, instance.centre[1] / height
        phrase = _placed(rng, phrase, x, y)
    return _one(rng, TEMPLATES).format(phrase)


def _size(scene: Scene, k: int) -> str | None:
    """ "big" or "small", compared with others of its class, or else with the frame; or None."""
    instance = scene.instances[k]
    others = [
        other.area
        for i, other in enumerate(scene.instances)
        if i != k and other.sprite.category == instance.sprite.category
    ]
    if others:
        big, small = instance.area > PLAINLY * max(others), min(others) > PLAINLY * instance.area
        return "big" if big else "small" if small else None
    share = np.sqrt(instance.area) / scene.ids.shape[0]
    return "big" if share > BIG else "small" if share < SMALL else None


def _coloured(rng: Rng, instance: Instance, phrase: str) -> str:
    colour = instance.colour
    if not instance.sprite.is_person:
        return f"{colour} {phrase}"
    return _one(
        rng,
        (
            f"{phrase} in {colour}",
            f"{phrase} wearing {colour}",
            f"{phrase} in the {colour} shirt",
            f"{colour} shirt {phrase}",
        ),
    )


def _placed(rng: Rng, phrase: str, x: float, y: float) -> str:
    if rng.random() < 0.65:
        side = "left" if x < 0.4 else "right" if x > 0.6 else "middle"
    else:
        side = "top" if y < 0.4 else "bottom" if y > 0.6 else "middle"
    return f"{side} {phrase}" if rng.random() < 0.5 else f"{phrase} on the {side}"
