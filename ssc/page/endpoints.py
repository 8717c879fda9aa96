"""From what a visitor sends to sessions, and the named endpoints over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

import gradio as gr

from ssc.errors import InputError
from ssc.page.choices import OPTIONS, Choices
from ssc.page.gpu import on_gpu
from ssc.page.request import checked, objects_of, picture_of
from ssc.page.session import STAGES, Question, Session, compare, read_question, stream

Ask = Callable[..., Iterator[Session]]

SECONDS = {"base": 30, "paper": 45}
"""Of a GPU for a small picture, where a set needs more than 20: its networks are moved there."""


def asks(choices: Choices) -> Ask:
    """What answers a visitor: picture, expressions, options and progress → sessions."""

    def run(*question: Any) -> Iterator[Session]:
        yield from stream(choices, *question)

    answer = on_gpu(run, seconds_for)

    def ask(
        picture: str | bytes | None,
        expressions: str | None,
        options: Sequence[Any],
        progress: Callable[..., Any] = lambda *_, **__: None,
    ) -> Iterator[Session]:
        """A session after each stage; raises InputError as `read_question` and `stream`."""
        progress(0.05, desc="Opening the picture")
        question = read_question(picture, expressions)
        choices.with_options(
            options
        )  # here, where models stay loaded, and before a GPU is asked for
        progress(0.1, desc=STAGES[0])
        for number, session in enumerate(answer(question, options), 1):
            if number < len(STAGES):
                progress(0.1 + 0.3 * number, desc=STAGES[number])
            yield session

    return ask


def seconds_for(question: Question, options: Sequence[Any]) -> int:
    """For which a GPU is asked, by model set, objects and pixels: several times what they take."""
    chosen = dict(zip(OPTIONS, options))
    least = SECONDS.get(chosen["models"], 20)
    pixels = question.image.shape[0] * question.image.shape[1]
    return least + 2 * len(question.objects) + 2 * round(pixels / 1e6)


def signed(options: Mapping[str, Any]) -> Callable[[Callable], Callable]:
    """Gives a function of `*inputs` the parameters picture and expressions, those of the options
    with what they are when left out, and Gradio's progress as the last one.

    Gradio names the arguments of its endpoints by them.
    """
    kind = Parameter.POSITIONAL_OR_KEYWORD
    given = [Parameter(name, kind) for name in ("picture", "expressions")]
    given += [Parameter(name, kind, default=value) for name, value in options.items()]
    parameters = [*given, Parameter("progress", kind, default=gr.Progress())]

    def sign(function: Any) -> Callable:
        function.__signature__ = Signature(parameters)
        return function

    return sign


def compared(ask: Ask, picture: Any, expressions: Any, options: Sequence[Any]) -> list[Session]:
    """The last sessions under two configurations: the options of A, then those of B."""
    half = len(options) // 2
    return [list(ask(picture, expressions, side))[-1] for side in (options[:half], options[half:])]


def told(error: InputError) -> dict[str, Any]:
    """An error as the endpoints answer it."""
    return {"error": str(error), "kind": type(error).__name__}


def endpoints(ask: Ask, options: Mapping[str, Any]) -> tuple[Callable, Callable]:
    """The functions of /segment and /compare.

    They take what JSON has: `picture` as an uploaded file or a data URL, `expressions` as a text or
    a list; `options` are the page's, with their values when left out. What is none of these is
    answered with {"error", "kind"}, as all bad input is.
    """

    @signed(options)
    def segment(*inputs: Any) -> dict[str, Any]:
        """Segments what each line of `expressions` names; masks come as COCO RLE.

        Lines are objects; " | " within a line joins expressions of one object. Returns
        result.json, whose form is at the top of ssc/export.py, or {"error": message, "kind": of
        `ssc.errors`} where something cannot be used.
        """
        picture, expressions, *options, progress = inputs
        try:
            asked = picture_of(picture), objects_of(expressions), checked(options)
            *_, session = ask(*asked, progress)
        except InputError as error:
            return told(error)
        return session.record()

    @signed({f"{name}_{side}": value for side in "ab" for name, value in options.items()})
    def compare_records(*inputs: Any) -> dict[str, Any]:
        """The same picture and expressions under two configurations, A and B.

        Returns {"a": as of /segment, "b": likewise, "compared": [per object its expressions and
        the IoU between A's masks and B's: `iou` of the answers, `selected_iou` of S+S,
        `corrected_iou` of S+S+C]}, or {"error", "kind"} as /segment.
        """
        picture, expressions, *options, _ = inputs
        try:
            half = len(options) // 2
            both = checked(options[:half], "_a") + checked(options[half:], "_b")
            a, b = compared(ask, picture_of(picture), objects_of(expressions), both)
        except InputError as error:
            return told(error)
        return {"a": a.record(), "b": b.record(), "compared": compare(a, b)}

    return segment, compare_records
