"""What a call of a named endpoint sends, checked: it comes from a program, not from components."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import gradio as gr

from ssc.errors import ExpressionError, OptionError, PictureError
from ssc.page.choices import OPTIONS, Choices

NUMBERS = {"sigma": (1, 100), "box_threshold": (0, 1), "text_threshold": (0, 1)}
BOOLEANS = ("project", "spatial", "nearest", "several")
MAY_BE_NONE = ("box_threshold", "text_threshold", "vocabulary")  # as left out
DATA = "data:"
SEND = (
    "send a file that was uploaded, as gradio_client.handle_file(path) does, or "
    '{"url": "data:image/jpeg;base64,…"}'
)


def defaults(choices: Choices) -> dict[str, Any]:
    """The value of each of `OPTIONS` that is left out: what the page shows at first."""
    pipeline = choices.pipeline(choices.models)
    select = pipeline.select
    values = {
        "prompt": select.prompt,
        "sigma": select.sigma,
        "rule": select.rule,
        "box_threshold": 0,
        "correct": choices.correct,
        "text_threshold": 0,
        "vocabulary": "",
        "project": pipeline.segment.project,
        "spatial": select.spatial,
        "models": choices.models,
        "nearest": False,
        "several": select.several,
    }
    return {name: values[name] for name in OPTIONS}


def checked(options: Sequence[Any], side: str = "") -> list[Any]:
    """The options, in the order of `OPTIONS`, each of its own type.

    Args:
        side: ends their names in messages: "_a" or "_b" of a comparison.

    Raises:
        OptionError: one is not; what a text must be is asked later, where it is known.
    """
    return [_checked(name, value, name + side) for name, value in zip(OPTIONS, options)]


def _checked(name: str, value: Any, told: str) -> Any:
    if value is None and name in MAY_BE_NONE:
        return "" if name == "vocabulary" else 0
    if name in NUMBERS:
        low, high = NUMBERS[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number and isfinite(value) and low <= value <= high):
            raise OptionError(f"{told}: expected a number, {low} to {high}, got {value!r}")
    elif name in BOOLEANS:
        if not isinstance(value, bool):
            raise OptionError(f"{told}: expected true or false, got {value!r}")
    elif name == "vocabulary" and isinstance(value, list):
        if not all(isinstance(word, str) for word in value):
            raise OptionError(f"{told}: expected words, got {value!r}")
        return "\n".join(value)
    elif not isinstance(value, str):
        raise OptionError(f"{told}: expected text, got {value!r}")
    return value


def objects_of(expressions: Any) -> str:
    """An object a line, as the page's own box has them.

    Args:
        expressions: such a text; or a list with a text, or a list of texts, for each object.

    Raises:
        ExpressionError: neither.
    """
    if expressions is None or isinstance(expressions, str):
        return expressions or ""
    if not isinstance(expressions, list):
        raise ExpressionError(
            f"expressions: expected text, or a list of texts, got {type(expressions).__name__}"
        )
    lines = []
    for number, item in enumerate(expressions, 1):
        said = item if isinstance(item, list) else [item]
        if not said or not all(isinstance(text, str) and text.strip() for text in said):
            raise ExpressionError(
                f"expressions, object {number}: expected text, or a list of texts, got {item!r}"
            )
        lines.append(" | ".join(" ".join(text.split()) for text in said))
    return "\n".join(lines)


def picture_of(sent: Any) -> str | bytes | None:
    """The path of an uploaded file, or the bytes of a data URL.

    Args:
        sent: Gradio's description of a file, which has "path" or "url"; or such a URL itself.

    Raises:
        PictureError: none of these; the message says what to send.
        gr.Error: a file of the server that no one has uploaded.
    """
    if sent is None or sent in ("", {}):
        raise PictureError(f"picture: expected one, got none; {SEND}")
    described = sent if isinstance(sent, Mapping) else {"url": sent}
    url, path = described.get("url"), described.get("path")
    for text in (url, path):
        if isinstance(text, str) and text[: len(DATA)].lower() == DATA:
            return _decoded(text)
    if isinstance(path, str) and path and "://" not in path:
        return _uploaded(path)
    if isinstance(url, str) and "://" in url:
        raise PictureError(f"picture: expected a file, got the address {url[:100]}; {SEND}")
    raise PictureError(f"picture: expected a file, got {str(sent)[:100]!r}; {SEND}")


def _decoded(url: str) -> bytes:
    head, comma, text = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise PictureError(f"picture: expected data:image/…;base64,…, got {url[:40]!r}; {SEND}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(f"picture: expected base64 in the data URL, got: {error}") from error


def _uploaded(path: str) -> str:
    from gradio.utils import get_upload_folder

    file = Path(path).resolve()
    if Path(get_upload_folder()).resolve() not in file.parents:
        raise gr.Error("picture: expected a file that was uploaded, got another of the server")
    return str(file)
