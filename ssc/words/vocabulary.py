"""The class names that a key noun is projected to: COCO's, or a user's own list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ssc.errors import OptionError

MAX_CLASSES = 1000
"""Most classes taken in a vocabulary."""
MAX_NAME = 100
"""Longest class name taken, in characters."""

# fmt: off
COCO_80: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)
# fmt: on
"""The 80 classes of COCO's instance annotations, in their official order and spelling."""


def load_vocabulary(path_or_words: str | Path | Sequence[str]) -> tuple[str, ...]:
    """A user's own vocabulary.

    Args:
        path_or_words: a UTF-8 text file with one class name a line (str or Path), or a sequence
            of class names.

    Returns:
        The names, stripped, in their order; blank ones and repetitions (case ignored) dropped.

    Raises:
        OptionError: no readable text, no name, over `MAX_CLASSES` names, or a name over
            `MAX_NAME` characters; the message names the file and the line.
    """
    if isinstance(path_or_words, (str, Path)):
        source = str(path_or_words)
        lines: Sequence[str] = _read_lines(Path(path_or_words))
    else:
        source, lines = "the vocabulary", path_or_words
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str):
            raise OptionError(f"{source}, line {number}: expected text, got {type(line).__name__}")
        name = " ".join(line.split())
        if len(name) > MAX_NAME:
            raise OptionError(
                f"{source}, line {number}: expected a class name of at most {MAX_NAME} "
                f"characters, got {len(name)}; write one class a line"
            )
        if name:
            names.setdefault(name.lower(), name)
        if len(names) > MAX_CLASSES:
            raise OptionError(
                f"{source}, line {number}: expected at most {MAX_CLASSES} classes, got more; "
                "keep those that your images show"
            )
    if not names:
        raise OptionError(f"{source}: expected at least one class name, got none")
    return tuple(names.values())


def _read_lines(path: Path) -> list[str]:
    expected = "expected a UTF-8 text file with one class name a line"
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: {expected}, got other bytes") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"{path}: {expected}, got: {reason}") from error
