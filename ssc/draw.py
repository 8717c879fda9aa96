"""Candidates and answers on the picture: the same colours and numbers everywhere.

All pictures are RGB uint8 H×W×3 in the original frame; widths and text sizes follow its size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ssc.scale import scale

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Colour = tuple[int, int, int]

PALETTE = (
    (0, 114, 178),  # blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (86, 180, 233),  # sky blue
    (213, 94, 0),  # vermillion
    (240, 228, 66),  # yellow
)
"""Okabe and Ito's colours, RGB, which colour-blind people can tell apart; without black and
white, and with neighbours far apart. Candidate i has colour i modulo 7 and number i + 1."""

OWN = (120, 94, 240)
"""RGB violet of what is no candidate: a mask that the corrected model draws itself."""

SCREEN = 1280
"""Longest side, in pixels, that pictures for a screen are drawn at."""


def colour_of(index: int) -> Colour:
    """RGB of the candidate at `index`, from 0; `OWN` below 0, for what is none of them."""
    return PALETTE[index % len(PALETTE)] if index >= 0 else OWN


def ink_of(colour: Colour) -> str:
    """ "black" or "white", whichever is the clearer on `colour`."""
    return "black" if _luminance(colour) > 0.18 else "white"


def for_screen(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | Sequence[NDArray[np.bool_]],
    boxes: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32]]:
    """All three brought to `SCREEN` pixels, so that lines and text are crisp there; see `scale`."""
    return scale(image, masks, boxes, SCREEN)


def draw_candidates(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    *,
    chosen: Collection[int] = (),
) -> NDArray[np.uint8]:
    """All candidates: mask tinted and outlined, box in a thin line, number on a badge.

    Args:
        image: RGB uint8 H×W×3.
        masks: bool N×H×W.
        boxes: float32 N×4, XYXY pixels of the same frame.
        chosen: indices of those to bring out.

    Returns:
        RGB uint8 H×W×3, a copy.
    """
    import cv2

    canvas = image.copy()
    unit = _unit(image)
    largest_first = np.argsort([-int(mask.sum()) for mask in masks], kind="stable")
    for i in largest_first:
        strength = 0.3 if len(chosen) and i not in chosen else 0.5
        _tint(canvas, masks[i], colour_of(i), strength)
    for i in largest_first:
        x0, y0, x1, y1 = (round(float(v)) for v in boxes[i])
        cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour_of(i), max(1, round(unit)))
        _outline(canvas, masks[i], colour_of(i), unit * (4 if i in chosen else 2))
    return _badges(canvas, boxes, unit)


def draw_mask(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], *, color: Colour = PALETTE[0]
) -> NDArray[np.uint8]:
    """One mask: tinted and outlined, the rest dimmed; an empty mask leaves the image as it is.

    Args:
        image: RGB uint8 H×W×3.
        mask: bool H×W.
        color: RGB.

    Returns:
        RGB uint8 H×W×3, a copy.
    """
    import cv2

    if not mask.any():
        return image.copy()
    # Half way to its own grey and darker: there, but in the background; 0.3 image + 0.3 grey.
    canvas = cv2.transform(image, 0.3 * np.eye(3, dtype=np.float32) + np.float32(0.1))
    cv2.copyTo(image, mask.view(np.uint8), canvas)
    _tint(canvas, mask, color, 0.25)
    _outline(canvas, mask, color, 3 * _unit(image))
    return canvas


def draw_set(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    members: Collection[int],
) -> NDArray[np.uint8]:
    """Some of the candidates: each tinted and outlined in its colour, with its number.

    The rest is dimmed, as `draw_mask` does it.

    Args:
        image: RGB uint8 H×W×3.
        masks: bool N×H×W.
        boxes: float32 N×4, XYXY pixels of the same frame.
        members: indices of those shown.

    Returns:
        RGB uint8 H×W×3, a copy.
    """
    import cv2

    chosen = sorted(members)
    if not chosen:
        return image.copy()
    union = masks[chosen].any(axis=0)  # K×H×W → H×W
    canvas = cv2.transform(image, 0.3 * np.eye(3, dtype=np.float32) + np.float32(0.1))
    cv2.copyTo(image, union.view(np.uint8), canvas)
    for i in chosen:
        _tint(canvas, masks[i], colour_of(i), 0.25)
    for i in chosen:
        _outline(canvas, masks[i], colour_of(i), 3 * _unit(image))
    return _badges(canvas, boxes, _unit(image), chosen)


def draw_probability(
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    threshold: float | None = None,
) -> NDArray[np.uint8]:
    """A heat map on the greyed picture: grey for unlikely, violet, orange, yellow for certain.

    Args:
        image: RGB uint8 H×W×3.
        probability: float32 H×W in [0, 1], in the same frame.
        threshold: outlined in white where given.

    Returns:
        RGB uint8 H×W×3.
    """
    import cv2

    level = np.rint(probability * 255).astype(np.uint8)
    heat = cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1]  # OpenCV's maps are BGR
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    part = 0.1 + 0.7 * probability[..., None]  # the likelier, the less of the picture
    canvas = ((1 - part) * 0.6 * grey + part * heat).astype(np.uint8)
    if threshold is not None:
        _outline(canvas, probability > threshold, (255, 255, 255), 2 * _unit(image))
    return canvas


def _unit(image: NDArray[np.uint8]) -> float:
    """One pixel of a picture of 640 pixels, in this picture's pixels."""
    return max(image.shape[:2]) / 640


def _tint(canvas: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, part: float) -> None:
    import cv2

    if not mask.any():
        return
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    inside = canvas[y : y + h, x : x + w]
    tinted = cv2.addWeighted(inside, 1 - part, np.full_like(inside, colour), part, 0)
    np.copyto(inside, tinted, where=mask[y : y + h, x : x + w, None])


def _outline(
    canvas: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, width: float
) -> None:
    """A smooth line of `colour` on a wider white one, which parts it from any background."""
    import cv2

    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lines = [_smooth(contour[:, 0], _unit(canvas)) for contour in contours]
    for line_colour, line_width in (((255, 255, 255), width * 1.8), (colour, width)):
        thickness = max(1, round(line_width))
        cv2.polylines(canvas, lines, True, line_colour, thickness, cv2.LINE_AA, 4)


def _smooth(points: NDArray[np.int32], unit: float) -> NDArray[np.int32]:
    """A closed contour int32 N×2 without pixel steps, in fixed point with 4 fractional bits."""
    reach = min(max(1, round(3 * unit)), len(points) // 8)
    window = range(-reach, reach + 1)
    mean = sum(np.roll(points, step, axis=0).astype(np.float32) for step in window) / len(window)
    return np.rint(mean * 16).astype(np.int32)


def _badges(
    canvas: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    unit: float,
    members: Collection[int] | None = None,
) -> NDArray[np.uint8]:
    """Numbers 1..N, or those of `members`, each on a disc of its colour at a corner of its box,
    none on another."""
    from PIL import Image, ImageDraw

    sharper = 4  # PIL draws discs without anti-aliasing: drawn large, then shrunk
    radius = max(7.0, 15 * unit)
    height, width = canvas.shape[:2]
    picture = Image.fromarray(canvas)
    placed: list[tuple[float, float]] = []
    for i, box in enumerate(boxes):
        if members is not None and i not in members:
            continue
        x, y = _free_place(box, placed, radius, width, height)
        placed.append((x, y))
        side = 2 * round(radius) + 1
        badge = Image.new("RGBA", (side * sharper, side * sharper))
        pen = ImageDraw.Draw(badge)
        fill = colour_of(i)
        ink = ink_of(fill)
        for ring, shade in ((0.0, (0, 0, 0, 255)), (0.06, (255, 255, 255, 255)), (0.18, fill)):
            inset = ring * radius * sharper
            pen.ellipse((inset, inset, badge.width - 1 - inset, badge.width - 1 - inset), shade)
        size = radius * sharper * (1.25 if i < 9 else 1.0)
        middle = badge.width / 2
        pen.text(
            (middle, middle),
            str(i + 1),
            ink,
            _font(round(size)),
            anchor="mm",
            stroke_width=round(size / 40),  # bolder
        )
        badge = badge.resize((side, side), Image.Resampling.LANCZOS)
        picture.paste(badge, (round(x) - side // 2, round(y) - side // 2), badge)
    return np.array(picture)


def _free_place(
    box: NDArray[np.float32],
    placed: list[tuple[float, float]],
    radius: float,
    width: int,
    height: int,
) -> tuple[float, float]:
    """Centre of a badge: a corner of the box, else the middle, else next to the last one tried."""
    x0, y0, x1, y1 = (float(v) for v in box)
    corners = [(x0, y0), (x1, y0), (x0, y1), (x1, y1), ((x0 + x1) / 2, (y0 + y1) / 2)]
    beside = [(x0 + 2.2 * radius * step, y0) for step in range(1, 40)]
    for x, y in corners + beside:
        x = min(max(x, radius), max(radius, width - 1 - radius))
        y = min(max(y, radius), max(radius, height - 1 - radius))
        if all((x - px) ** 2 + (y - py) ** 2 >= (2 * radius) ** 2 for px, py in placed):
            break
    return x, y


def _luminance(colour: Colour) -> float:
    """Relative luminance in [0, 1], as WCAG defines it; black text is the clearer above 0.18."""
    c = np.array(colour) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@lru_cache(maxsize=32)
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)  # comes with Pillow, the same on every machine
