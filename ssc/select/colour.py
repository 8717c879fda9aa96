"""Colours that an expression names, as shares of the candidates' pixels (not in the paper).

A pixel has the named colour that is nearest in CIELAB. Pure functions; nothing is learnt.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What people called colours on their screens, by the xkcd colour survey (Munroe 2010, public
# domain, matplotlib's XKCD_COLORS): each basic colour term with its light and dark forms. `SHADED`
# are ours: black in the light, and white in the shade.
SHADED = ("1d1d1d", "ebebeb")
COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("e50000", "840000", "650021"),
    "orange": ("f97306", "c65102", "fdaa48"),
    "yellow": ("ffff14", "ffff84", "dbb40c"),
    "green": ("15b01a", "033500", "96f97b", "6e750e", "029386"),
    "blue": ("0343df", "00035b", "95d0fc", "01153e", "06c2ac"),
    "purple": ("7e1e9c", "35063e", "bf77f6", "c79fef"),
    "pink": ("ff81c0", "ffd1df", "cb416b"),
    "brown": ("653700", "341c02", "ad8150"),
    "beige": ("e6daa6", "d1b26f"),
    "black": ("000000", "1d1d1d"),
    "gray": ("929591", "363737", "c5c9c7"),
    "white": ("ffffff", "ebebeb"),
}
_SAID = {
    **{name: name for name in COLOURS},
    **dict.fromkeys(("grey", "silver"), "gray"),
    **dict.fromkeys(("tan", "cream", "khaki"), "beige"),
    **dict.fromkeys(("maroon", "burgundy"), "red"),
    **dict.fromkeys(("violet", "lavender"), "purple"),
    **dict.fromkeys(("navy", "turquoise"), "blue"),
    **dict.fromkeys(("gold", "golden"), "yellow"),
    "teal": "green",
}
_CONFUSED = (
    ("red", "orange"),
    ("red", "pink"),
    ("red", "brown"),
    ("orange", "yellow"),
    ("orange", "brown"),
    ("purple", "blue"),
    ("purple", "pink"),
    ("black", "gray"),
    ("gray", "white"),
    ("brown", "beige"),
    ("beige", "white"),
)
"""Colours that one takes for the other, in the shade or by name."""
BASIC = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
"""Names of colours that tell things apart, to set a named one against."""
NAMED = re.compile(r"\b(" + "|".join(_SAID) + r")\b")
"""Finds a colour that is named."""
_PARTS = {
    "head": (0.0, 0.25, "hair|hat|cap|helmet|head|hood|beanie"),
    "upper": (0.15, 0.6, "shirt|top|jacket|sweater|coat|blouse|tshirt|tee|vest|hoodie|jersey|tie"),
    "lower": (0.5, 1.0, "pants|jeans|shorts|skirt|trousers|leggings|shoes|boots"),
}
"""Part of a standing person → where it begins and ends, as shares of the height, and its words."""

_WORD = re.compile(r"\b(" + "|".join(_SAID) + r")\b(?=((?:\W+\w+){0,2}))")
_LIGHTNESS = 0.5  # its weight beside the two of colour: a shirt in the shade keeps its colour
_MOST = 4096  # pixels of a mask that are asked; more say the same


def colour_shares(
    text: str, image: NDArray[np.uint8], masks: NDArray[np.bool_], people: NDArray[np.bool_]
) -> NDArray[np.float32] | None:
    """How much of each candidate has the colours that an expression names.

    Args:
        text: the expression, or the part of it that is about the object itself.
        image: RGB uint8 H×W×3.
        masks: bool N×H×W.
        people: bool N, which of them are persons: of these "in the red shirt" is the upper part.

    Returns:
        float32 N in [0, 1], the mean over the colours; None where the text names none.
    """
    named = _WORD.findall(text.lower())
    if not named:
        return None
    shares = np.zeros((len(named), len(masks)), np.float32)
    for row, (word, after) in zip(shares, named):
        for i, mask in enumerate(masks):
            row[i] = _share(_SAID[word], image, _part(mask, after) if people[i] else mask)
    return shares.mean(0)


def confused(word: str) -> tuple[str, ...]:
    """The colours that one named so is easily taken for, by their basic names."""
    name = _SAID[word]
    return tuple(b if a == name else a for a, b in _CONFUSED if name in (a, b))


def _part(mask: NDArray[np.bool_], after: str) -> NDArray[np.bool_]:
    """The part of a person's mask that the words after a colour mean; all of it without such."""
    rows = np.flatnonzero(mask.any(1))
    for start, end, words in _PARTS.values():
        if len(rows) and re.search(rf"\b(?:{words})s?\b", after):
            top, height = rows[0], rows[-1] + 1 - rows[0]
            part = np.zeros_like(mask)
            band = slice(int(top + start * height), int(np.ceil(top + end * height)))
            part[band] = mask[band]
            return part
    return mask


def _share(name: str, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Share of the mask's pixels whose nearest colour has that name; 0 for an empty mask."""
    pixels = image[mask]
    if not len(pixels):
        return 0.0
    pixels = pixels[:: max(1, len(pixels) // _MOST)]
    names, centres = _table()
    lab = _lab(pixels)
    nearest = np.square(lab[:, None] - centres[None]).sum(-1).argmin(1)  # P×K×3 → P
    return float((names[nearest] == name).mean())


@cache
def _table() -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """The names K and their colours K×3, as `_lab` has them."""
    rows = [(name, bytes.fromhex(code)) for name, codes in COLOURS.items() for code in codes]
    rgb = np.array([list(code) for _, code in rows], np.uint8)
    return np.array([name for name, _ in rows]), _lab(rgb)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB uint8 P×3 → CIELAB float32 P×3, lightness weighted."""
    import cv2

    lab = cv2.cvtColor(rgb[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return lab * np.array([_LIGHTNESS, 1, 1], np.float32)
