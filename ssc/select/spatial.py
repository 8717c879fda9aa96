"""Spatial guidance: CLIP's scores with what an expression says about place added.

CLIP hardly tells left from right. In the manner of recent zero-shot work (HybridGL, Liu and Li,
CVPR 2025), words for a place in the picture become a preference over the candidates' boxes. It
reads what stands on its own ("left", "second from the right", "top", "in the background"), not
relations to another object ("left of the car"), for which that object would have to be found.
Pure functions; nothing is learnt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTH = 0.5
"""Cosine similarity that a candidate loses per frame's length out of place.

Chosen on RefSprites' val split with the mini set, among 0.1 to 5; from 0.2 on it hardly matters.
"""

LOW, MIDDLE, HIGH = -1, 0, 1


class Place(NamedTuple):
    """Where in the picture something is said to be.

    Attributes:
        axis: "x"; "y"; or "depth", read from a box's lower edge: on one ground, what is nearer
            stands lower in the picture.
        end: `LOW` (left, top, back), `MIDDLE`, or `HIGH` (right, bottom, front).
        rank: 1 for the outermost, 2 for the second from that end, …; 1 for the middle.
    """

    axis: str
    end: int
    rank: int = 1


def guide(
    scores: NDArray[np.float32],
    expressions: Sequence[str],
    boxes: NDArray[np.float32],
    height: int,
    width: int,
    strength: float = STRENGTH,
) -> NDArray[np.float32]:
    """CLIP's scores less what each candidate is out of place, the mean over the expressions.

    Args:
        scores: float32 N, cosine similarity in [-1, 1].
        expressions: that name the object.
        boxes: float32 N×4, XYXY pixels of a frame of height×width.
        strength: as `STRENGTH`, 0 or more.

    Returns:
        float32 N in [-1, 1]; `scores` themselves where no expression names a place.
    """
    told = [places for places in map(parse_places, expressions) if places]
    if not told or not len(scores):
        return scores
    out = [misplacement(places, boxes, height, width) for places in told]
    penalty = strength * np.sum(out, axis=0) / len(expressions)
    return np.clip(scores - penalty, -1, 1).astype(np.float32)


def misplacement(
    places: Sequence[Place], boxes: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float64]:
    """How far each box is from where the places say, relative to the best of the boxes.

    The outermost box, or that of the rank, is in its place, and another is out of it by its
    distance to that one: so a box about as far left as the leftmost is about as good. Of fewer
    boxes than the rank the last is taken. The middle is that of the frame.

    Args:
        places: one or more; distances add up.
        boxes: float32 N×4, XYXY pixels of a frame of height×width, N ≥ 1.

    Returns:
        float64 N ≥ 0 in shares of the frame's side; 0 for the best.
    """
    x0, y0, x1, y1 = np.asarray(boxes, np.float64).T
    at = {"x": (x0 + x1) / 2 / width, "y": (y0 + y1) / 2 / height, "depth": y1 / height}
    total = np.zeros(len(boxes))
    for axis, end, rank in places:
        if end == MIDDLE:
            total += np.abs(at[axis] - 0.5)
        else:
            inwards = np.sort(-end * at[axis])  # from that end
            total += np.abs(-end * at[axis] - inwards[min(rank, len(boxes)) - 1])
    return total - total.min()


_SIDES = {
    "x": ("left|leftmost|lefty", "right|rightmost|righty"),
    "y": ("top|topmost|upper|uppermost|highest", "bottom|bottommost|lower|lowest|lowermost"),
    "depth": (
        r"background|in (?:the )?distance|(?:in|at|on) (?:the )?(?:very |far )?(?:back|rear)|"
        r"(?:far|very|way) back|^back(?= \w)|back(?= row)|"
        r"(?:farthest|furthest)(?! (?:left|right|up|down|top|bottom))",
        r"(?<!from )(?<!from the )\bfront(?:most)?\b(?! view)|foreground|closest|nearest",
    ),
}
_ENDS = (LOW, HIGH)
_MIDDLE = "middle|center|centre|central|centered"
_COUNTED = {**_SIDES, "depth": ("back|rear", "front|camera")}  # after "second from the"
_RANKS = {
    word: rank
    for rank, words in enumerate(("first 1st", "second 2nd", "third 3rd", "fourth 4th"), 1)
    for word in words.split()
}
_COUNTS = {"2": 2, "two": 2, "3": 3, "three": 3, "4": 4, "four": 4}  # "3 from left"
_WORD = r"left|right|top|bottom|middle|center|centre|front|back"
_PICTURE = (
    r"pictures?|photo|photograph|image|pic|screen|frame|shot|scene|view|row|group|line|center|"
    r"middle|two|three|both|pair"
)
_SIDE = "(?:hand side|side|edge|end|part|corner)"
_VIEWER = "us|me|you|camera|viewer|front"
_PART = (
    r"hands?|arms?|legs?|foot|feet|ears?|eyes?|shoulders?|knees?|paws?|wings?|wheels?|"
    r"tires?|pocket|half|view"
)
_MOVING = (
    r"facing|looking|turned|turning|pointing|leaning|going|headed|heading|moving|running|walking"
)
_RELATION = (
    r"(?:next|near|close|closest|nearest) to|near|besides?|behind|under|underneath|beneath|below|"
    r"above|over(?! there| here| on)|by|between|against|touching"
)
_BESIDE = r"next|behind|in front|beside|near|under|above|below|by|over|between|there|here"

_TOPS = "white|black|red|blue|green|yellow|pink|purple|gr[ae]y|brown|striped|plaid|tank|crop|halter"

_NOT_PLACES = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        # "left side of the picture" is a place, "left of the car" a relation.
        (rf"\b({_WORD})(?: {_SIDE})* of (?:the )?(?:{_PICTURE})\b", r"\1"),
        (rf"\b({_WORD})(?: {_SIDE})+\b(?! of)", r"\1"),
        (rf"\b(?:closest|nearest|close|near) to (?:the )?(?:{_VIEWER})\b", "closest"),
        (rf"\b(?:{_MOVING})(?: to| towards?)?(?: the| his| her)? (?:{_WORD})\b", " "),
        (rf"\bnot (?:the |on |in |at )*(?:far )?(?:{_WORD})\b", " "),
        # "right next to", but "on the right next to"
        (rf"(?<!on )(?<!the )(?<!far )(?<!from )\b(?:left|right)(?= (?:{_BESIDE})\b)", " "),
        (rf"\b(?:{_WORD}|upper|lower) (?:{_PART})\b", " "),
        (rf"\b(?:{_TOPS}|a) top\b(?! (?:left|right))", " "),
        (r"\b(?:his|her|their|its) (?:left|right)\b", " "),
        # What follows these is about another object.
        (rf"\b(?:closest|nearest)(?: \w+){{1,3}} to (?!(?:the )?(?:{_VIEWER})\b).*", " "),
        (rf"\b(?:farthest|furthest)(?: \w+){{0,3}} from (?!(?:the )?(?:{_VIEWER})\b).*", " "),
        (rf"\b(?:(?:on|to|at|in) )?(?:the )?(?:far )?(?:{_WORD})(?: {_SIDE})* of\b.*", " "),
        (rf"\b(?:{_RELATION})\b.*", " "),
    )
)


def parse_places(expression: str) -> tuple[Place, ...]:
    """The places in the picture that an expression names; () where it names none.

    Two ends of one axis ("left and right") say nothing about it. "Middle" alone is that from side
    to side; with a side it is the other direction's ("middle left").
    """
    text = re.sub(r"[^a-z0-9' ]+", " ", expression.lower())
    text = " ".join(text.split())
    for pattern, new in _NOT_PLACES:
        text = " ".join(pattern.sub(new, text).split())
    places: dict[str, Place] = {}
    for axis, sides in _SIDES.items():
        found, text = _ranked(text, axis)
        if not found:
            found = [
                Place(axis, end)
                for end, words in zip(_ENDS, sides)
                if re.search(rf"(?:{words})\b" if axis == "depth" else rf"\b(?:{words})\b", text)
            ]
        if len({place.end for place in found}) == 1:
            places[axis] = found[0]
    if re.search(rf"\b(?:{_MIDDLE})\b", text):
        rows = re.search(rf"\b(?:{_MIDDLE}) (?:row|shelf)\b", text)
        axis = "y" if rows or "x" in places else "x"
        places.setdefault(axis, Place(axis, MIDDLE))
    return tuple(places.values())


def _ranked(text: str, axis: str) -> tuple[list[Place], str]:
    """Places like "second from the left" on an axis, and the text without them."""
    found = []
    ranks, counts = "|".join(_RANKS), "|".join(_COUNTS)
    for end, words in zip(_ENDS, _COUNTED[axis]):
        side = rf"(?:the )?(?:far )?(?:{words})\b"
        forms = (
            rf"\b({ranks})(?! (?:row|shelf|level))(?: \w+){{0,3}}? (?:from|to|on|in) {side}",
            rf"\b({ranks}) {side}",
            rf"\bfrom {side}(?: the)? ({ranks})\b",
            rf"\b({counts}) (?:in )?from {side}",
        )
        for form in forms:
            match = re.search(form, text)
            if match:
                found.append(Place(axis, end, (_RANKS | _COUNTS)[match.group(1)]))
                text = text[: match.start()] + " " + text[match.end() :]
                break
    return found, text
