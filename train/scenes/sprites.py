"""Draws sprites from the emoji font, painted in other colours and skin tones.

Only rendering new scenes needs the font (Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ssc.errors import InputError
from train.scenes.catalogue import Sprite

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

TONELESS = ("🤺",)  # drawn without skin, so the font has no tones of it
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
FONT_SIZE = 109  # the only size that this bitmap font has
TONES = ("", "\U0001f3fb", "\U0001f3fc", "\U0001f3fd", "\U0001f3fe", "\U0001f3ff")

# name → HSV as (hue in degrees, saturation factor or value, value factor); see `paint`.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (2, 1.0, 0.9),
    "orange": (26, 1.0, 1.0),
    "yellow": (50, 1.0, 1.05),
    "green": (125, 0.85, 0.75),
    "blue": (216, 1.0, 0.95),
    "purple": (276, 0.8, 0.8),
    "pink": (328, 0.55, 1.1),
    "brown": (24, 0.75, 0.55),
    "black": (0, 0.0, 0.28),
    "white": (0, 0.0, 1.35),
}


@cache
def _font() -> FreeTypeFont:
    from PIL import ImageFont

    if not FONT.exists():
        raise InputError(
            f"expected the font {FONT} to render new scenes; on Debian: "
            "apt-get install fonts-noto-color-emoji"
        )
    return ImageFont.truetype(str(FONT), FONT_SIZE)


@cache
def draw_glyph(glyph: str) -> NDArray[np.uint8]:
    """The emoji as RGBA uint8 h×w×4 at the font's own size, cropped to what is drawn."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGBA", (3 * FONT_SIZE, 2 * FONT_SIZE), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((8, 8), glyph, font=_font(), embedded_color=True)
    return np.asarray(canvas.crop(canvas.getbbox()))


def with_tone(glyph: str, tone: str) -> str:
    """The emoji of a person with a skin-tone modifier behind its first code point."""
    if glyph in TONELESS:
        return glyph
    rest = glyph[1:].removeprefix("\ufe0f") if tone else glyph[1:]
    return glyph[0] + tone + rest


@cache
def draw_sprite(sprite: Sprite, colour: str | None, tone: str) -> NDArray[np.uint8]:
    """RGBA uint8 h×w×4, not premultiplied: `sprite` painted in `colour`."""
    pixels = draw_glyph(with_tone(sprite.glyph, tone))
    if colour is None or sprite.paint is None:
        return pixels
    return paint(pixels, sprite.paint, colour)


def paint(pixels: NDArray[np.uint8], hue: float, colour: str) -> NDArray[np.uint8]:
    """Gives the pixels whose hue lies within 38° of `hue` another colour; RGBA uint8 h×w×4."""
    target_hue, saturation, value = COLOURS[colour]
    hsv = cv2.cvtColor(pixels[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # hue 0…360
    distance = np.abs((hsv[..., 0] - hue + 180) % 360 - 180)
    weight = np.clip((38 - distance) / 8, 0, 1) * np.clip((hsv[..., 1] - 0.1) / 0.1, 0, 1)
    painted = hsv.copy()
    painted[..., 0] = target_hue
    painted[..., 1] = np.clip(np.sqrt(hsv[..., 1]) * saturation, 0, 1)
    painted[..., 2] = np.clip(hsv[..., 2] * value, 0, 1)
    new = cv2.cvtColor(painted, cv2.COLOR_HSV2RGB)
    old = pixels[..., :3].astype(np.float32) / 255
    mixed = old + weight[..., None] * (new - old)
    return np.dstack([np.round(mixed * 255).astype(np.uint8), pixels[..., 3]])


@cache
def silhouette(sprite: Sprite, tone: str) -> NDArray[np.uint8]:
    """uint8 h×w, 255 inside the sprite's outline, holes filled as COCO's annotators do."""
    alpha = draw_glyph(with_tone(sprite.glyph, tone))[..., 3]
    outlines, _ = cv2.findContours(
        (alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return cv2.drawContours(np.zeros_like(alpha), outlines, -1, 255, thickness=cv2.FILLED)
