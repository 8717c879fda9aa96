"""Seventeen background styles, each a function of (random generator, height, width)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rng = np.random.Generator


def noise(rng: Rng, h: int, w: int, cell: float, strength: float) -> NDArray[np.float32]:
    """Smooth random field, float32 h×w×1 around 0, with features about `cell` pixels wide."""
    small = rng.standard_normal((max(2, int(h / cell) + 2), max(2, int(w / cell) + 2)))
    field = cv2.resize(small.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return strength * field[..., None]


def colour(rng: Rng, low: int = 40, high: int = 235) -> NDArray[np.float32]:
    return rng.integers(low, high, 3).astype(np.float32)


def muted(rng: Rng, low: int = 70, high: int = 225) -> NDArray[np.float32]:
    """A colour of low saturation, as walls and floors have."""
    return np.clip(rng.integers(low, high) + rng.normal(0, 16, 3), 0, 255).astype(np.float32)


def ramp(h: int, w: int, top: NDArray, bottom: NDArray) -> NDArray[np.float32]:
    t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    rows = ((1 - t) * top + t * bottom).astype(np.float32)
    return np.repeat(rows, w, axis=1)


def plain(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    return ramp(h, w, *(2 * [muted(rng, 40, 245)])) + noise(rng, h, w, 60, 8)


def gradient(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    picture = ramp(h, w, colour(rng), colour(rng))
    return picture if rng.random() < 0.5 else np.ascontiguousarray(picture[:, ::-1])


def radial(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:h, :w].astype(np.float32)
    r = np.hypot(x - rng.uniform(0, w), y - rng.uniform(0, h))[..., None] / np.hypot(h, w)
    return (1 - r) * colour(rng) + r * colour(rng)


def two_tone(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:h, :w].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    side = (x - w / 2) * np.cos(angle) + (y - h / 2) * np.sin(angle) > rng.uniform(-40, 40)
    return np.where(side[..., None], muted(rng), colour(rng)).astype(np.float32)


def checkerboard(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:h, :w] // int(rng.integers(16, 48))
    return np.where(((x + y) % 2)[..., None], muted(rng), muted(rng)).astype(np.float32)


def stripes(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:h, :w].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(14, 60)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)[..., None]
    a, b = muted(rng), muted(rng)
    return a + (b - a) * (np.clip(4 * wave, -1, 1) + 1) / 2


def tiles(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    size = int(rng.integers(24, 60))
    y, x = np.mgrid[:h, :w]
    shade = rng.normal(0, 7, (h // size + 1, w // size + 1)).astype(np.float32)
    picture = muted(rng) + shade[y // size, x // size][..., None]
    picture[(y % size < 2) | (x % size < 2)] = muted(rng, 60, 120)
    return picture


def planks(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    size = int(rng.integers(18, 44))
    base = np.array([150, 105, 65], np.float32) * rng.uniform(0.6, 1.3)
    grain = cv2.resize(rng.normal(0, 9, (h, 8)).astype(np.float32), (w, h))[..., None]
    shade = rng.normal(0, 10, h // size + 1).astype(np.float32)
    rows = np.arange(h)
    picture = base + grain + shade[rows // size][:, None, None]
    picture[rows % size < 2] *= 0.6
    return picture if rng.random() < 0.6 else cv2.resize(picture.transpose(1, 0, 2), (w, h))


def bricks(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    bh = int(rng.integers(12, 22))
    bw = 2 * bh + 6
    y, x = np.mgrid[:h, :w]
    row = y // bh
    x = x + (row % 2) * (bw // 2)
    shade = rng.normal(0, 12, (h // bh + 1, w // bw + 2)).astype(np.float32)
    base = np.array([165, 85, 65], np.float32) if rng.random() < 0.6 else muted(rng)
    picture = base + shade[row, x // bw][..., None]
    picture[(y % bh < 2) | (x % bw < 2)] = muted(rng, 140, 210)
    return picture


def room(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    """Floor and wall, sometimes with a window or a picture on the wall."""
    line = int(h * rng.uniform(0.45, 0.75))
    picture = ramp(h, w, *(2 * [muted(rng, 120, 240)]))
    picture[line:] = planks(rng, h - line, w) if rng.random() < 0.5 else muted(rng, 60, 170)
    picture[line : line + 3] *= 0.7
    if rng.random() < 0.6:
        x, y = int(rng.uniform(0.05, 0.7) * w), int(rng.uniform(0.05, 0.15) * h)
        x2, y2 = x + int(rng.uniform(0.15, 0.28) * w), y + int(rng.uniform(0.2, 0.3) * h)
        cv2.rectangle(picture, (x, y), (x2, y2), muted(rng, 60, 250).tolist(), -1)
        cv2.rectangle(picture, (x, y), (x2, y2), muted(rng, 40, 110).tolist(), 3)
    return picture + noise(rng, h, w, 80, 5)


def landscape(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    """Sky with clouds over grass, sand or snow."""
    line = int(h * rng.uniform(0.3, 0.6))
    sky = np.array([110, 170, 235], np.float32) * rng.uniform(0.8, 1.08)
    picture = ramp(h, w, sky, sky * 0.4 + 150)
    picture[:line] += np.maximum(noise(rng, line, w, 50, 60), 0)
    ground = ((95, 150, 70), (215, 190, 140), (232, 236, 242), (120, 130, 80))[rng.integers(4)]
    picture[line:] = np.array(ground, np.float32) * rng.uniform(0.75, 1.05)
    picture[line:] += noise(rng, h - line, w, 9, 10) + noise(rng, h - line, w, 50, 10)
    return picture


def grass(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    base = np.array([85, 140, 60], np.float32) * rng.uniform(0.7, 1.25)
    return base + noise(rng, h, w, 3, 14) + noise(rng, h, w, 40, 12)


def water(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    base = ramp(h, w, np.array([60, 120, 170]), np.array([30, 80, 130])) * rng.uniform(0.8, 1.3)
    waves = cv2.resize(rng.normal(0, 14, (h // 4 + 2, 6)).astype(np.float32), (w, h))
    return base.astype(np.float32) + waves[..., None] + noise(rng, h, w, 20, 6)


def street(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    line = int(h * rng.uniform(0.3, 0.5))
    picture = landscape(rng, h, w)
    picture[line:] = muted(rng, 75, 125) + noise(rng, h - line, w, 3, 6)
    y = int((line + h) / 2 + rng.uniform(-10, 20))
    for x in range(int(rng.integers(-40, 0)), w, 60):
        cv2.rectangle(picture, (x, y), (x + 32, y + 4), (225.0, 220.0, 190.0), -1)
    return picture


def dots(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    step = int(rng.integers(22, 50))
    y, x = np.mgrid[:h, :w] % step - step // 2
    inside = (np.hypot(x, y) < step * rng.uniform(0.2, 0.35))[..., None]
    return np.where(inside, muted(rng), muted(rng)).astype(np.float32)


def marble(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    return muted(rng) + sum(noise(rng, h, w, cell, cell / 4) for cell in (80, 40, 16, 6))


def bokeh(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    picture = ramp(h, w, colour(rng, 20, 120), colour(rng, 20, 160))
    small = cv2.resize(picture, (w // 4, h // 4))
    for _ in range(12):
        centre = (int(rng.integers(0, w // 4)), int(rng.integers(0, h // 4)))
        cv2.circle(small, centre, int(rng.integers(3, 11)), colour(rng, 80, 255).tolist(), -1)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.5), (w, h))


STYLES: dict[str, Callable[[Rng, int, int], NDArray[np.float32]]] = {
    style.__name__: style
    for style in (
        plain,
        gradient,
        radial,
        two_tone,
        checkerboard,
        stripes,
        tiles,
        planks,
        bricks,
        room,
        landscape,
        grass,
        water,
        street,
        dots,
        marble,
        bokeh,
    )
}


def background(rng: Rng, h: int, w: int) -> NDArray[np.float32]:
    """A background of a random style, float32 h×w×3 RGB in 0…255."""
    style = list(STYLES.values())[rng.integers(len(STYLES))]
    return np.clip(style(rng, h, w), 0, 255)
