"""The page's components, in the order that one reads them; `demo_app.py` wires them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder

from ssc.page.away import lay_out_away
from ssc.page.choices import OFF, OPTIONS, REAL
from ssc.page.components import gallery, image, stage, wording
from ssc.page.options import lay_out_options
from ssc.page.texts import HINT, HOW, SCALE, about_correct, about_select, intro
from ssc.page.texts import stage as heading

LOOK_ON = "Look on: ask again, and for classes next to it"

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gradio.components import Component
    from gradio.data_classes import ImageData

    from ssc.page.choices import Choices


@dataclass
class Parts:
    """The components by name; `options` are in the order of `choices.OPTIONS`."""

    state: gr.State
    picture: gr.Image
    expressions: gr.Textbox
    run: gr.Button
    options: list[Component]
    below_options: gr.Column
    note: gr.HTML
    ways: gr.Row
    get: dict[str, gr.Button]
    look_on: gr.Button
    getting: gr.HTML
    arrived: gr.State
    objects: gr.Radio
    answers: gr.Gallery
    both: gr.Column
    sides: gr.Gallery
    slider: gr.ImageSlider
    words: gr.HTML
    candidates: gr.Image
    undo: gr.Button
    about_select: gr.HTML
    prompts: gr.Gallery
    scores: gr.HTML
    about_correct: gr.HTML
    third: gr.Column
    heat: gr.Image
    threshold: gr.Slider
    ious: gr.HTML
    form: gr.Dropdown
    take: gr.Button
    package: gr.DownloadButton
    options_of_b: list[Component]
    compare: gr.Button
    compared: tuple[gr.Gallery, gr.HTML, gr.Gallery, gr.HTML, gr.HTML]
    comparison: gr.JSON
    code: gr.Accordion
    python: gr.Code
    curl: gr.Code
    record: gr.JSON
    endpoint: gr.Button

    @property
    def models(self) -> Component:
        """The component of the options that is the model set."""
        return self.options[OPTIONS.index("models")]


def lay_out(choices: Choices, kept: int, forms: Mapping[str, str]) -> Parts:
    """All components, inside an open `gr.Blocks`.

    Args:
        kept: how long a result is, in seconds.
        forms: name → title of the forms that results are taken away in, beside our own.
    """
    corrects = choices.corrects != [OFF]
    parts: dict[str, Any] = {"state": gr.State(None, time_to_live=kept)}
    gr.HTML(intro(corrects), elem_classes="intro", padding=False)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300, scale=2):
            parts |= _inputs(choices)
        with gr.Column(min_width=300, scale=3):
            parts |= _answer(corrects)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            parts |= _segment()
        with gr.Column(min_width=300):
            parts |= _select()
        with gr.Column(min_width=300):
            parts |= _correct(corrects)
    parts |= lay_out_away(forms)
    parts |= _compare(choices)
    with gr.Accordion("This call as code", open=False, elem_id="code") as code:
        with gr.Tab("Python"):
            python = gr.Code(language="python", show_label=False, elem_id="python")
        with gr.Tab("curl"):
            curl = gr.Code(language="shell", show_label=False, elem_id="curl")
    parts |= {"code": code, "python": python, "curl": curl}
    with gr.Accordion("result.json", open=False):
        parts["record"] = gr.JSON(show_label=False, elem_id="record")
    with gr.Accordion("How it works", open=False, elem_id="how"):
        gr.HTML(HOW, elem_classes="how", padding=False)
    parts["endpoint"] = gr.Button(visible=False)  # carries the named endpoints
    return Parts(**parts)


def _inputs(choices: Choices) -> dict:
    picture = gr.Image(
        type="filepath",
        label="Picture",
        sources=["upload", "webcam", "clipboard"],
        height=320,
        elem_id="picture",
    )
    # Handed over unopened, so that `ssc.load_image` judges every file. (Not a subclass: Gradio
    # writes a .pyi file next to the source of each.)
    picture.preprocess = _uploaded  # type: ignore[method-assign]  # for the reason above
    expressions = gr.Textbox(
        label="What to look for",
        info="One object per line; Shift+Enter starts a new line. "
        "Put “|” between two descriptions of the same object.",
        placeholder="the red car on the left",
        lines=1,  # with more, Enter would start a line
        max_lines=8,
        elem_id="expressions",
    )
    run = gr.Button("Segment", variant="primary", elem_id="run")
    with gr.Accordion("Options", open=False, elem_id="options"):
        options = lay_out_options(choices)
    return {
        "picture": picture,
        "expressions": expressions,
        "run": run,
        "options": options,
        "below_options": gr.Column(min_width=300),
    }


def _uploaded(payload: ImageData | None) -> str | None:
    """The path of an upload or example; Gradio lets calls of its API name any file here."""
    if payload is None or not payload.path:
        return None
    if not Path(payload.path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise gr.Error("The picture: expected an upload, got another file.", print_exception=False)
    return payload.path


def _answer(corrects: bool) -> dict:
    note = gr.HTML(visible=False, elem_id="note", padding=False)
    with gr.Row(visible=False) as ways:
        get = {name: gr.Button(visible=False, elem_id=f"get-{name}") for name in REAL}
        look_on = gr.Button(LOOK_ON, visible=False, elem_id="look-on")
    getting = gr.HTML(visible=False, elem_classes="words", elem_id="getting", padding=False)
    objects = gr.Radio([], label="Object shown below", visible=False, elem_id="objects")
    answers = gallery("Answer", "answers")
    words = wording("words", HINT)
    with gr.Column(visible=corrects) as both, gr.Tabs():
        with gr.Tab("S+S and S+S+C"):
            sides = gallery("S+S and S+S+C, side by side", "sides")
        with gr.Tab("Slider"):
            slider = gr.ImageSlider(
                label="S+S on the left, S+S+C on the right",
                elem_id="slider",
                format="jpeg",
                interactive=False,
                buttons=["fullscreen"],
                max_height=620,
            )
    return {
        "note": note,
        "ways": ways,
        "get": get,
        "look_on": look_on,
        "getting": getting,
        "arrived": gr.State(""),
        "objects": objects,
        "answers": answers,
        "both": both,
        "sides": sides,
        "slider": slider,
        "words": words,
    }


def _segment() -> dict:
    text = (
        "Every object of the class that your words name. Click one to choose it yourself; where "
        "several are asked for, a click takes one out or adds it."
    )
    stage(heading("1 · Segment", text))
    return {
        "candidates": image("Candidates", "candidates"),
        "undo": gr.Button("Back to the choice of S+S", visible=False, elem_id="undo"),
    }


def _select() -> dict:
    return {
        "about_select": stage(about_select(by_words=False)),
        "prompts": gallery("Visual prompts and scores", "prompts", "small", preview=False),
        "scores": gr.HTML(elem_classes="bars", elem_id="scores", padding=False),
    }


def _correct(corrects: bool) -> dict:
    about = stage(about_correct(corrects, ran=True))
    with gr.Column(visible=corrects) as third:
        heat = image("Probability", "heat")
        gr.HTML(SCALE, padding=False)
        threshold = gr.Slider(
            0.05,
            0.95,
            0.5,
            step=0.01,
            label="Threshold",
            info="The mask is where the probability is above this; where the model is torn, in the "
            "likeliest place. It starts at half of the highest probability.",
            elem_id="threshold",
        )
        ious = gr.HTML(elem_classes="bars", elem_id="ious", padding=False)
    return {
        "about_correct": about,
        "third": third,
        "heat": heat,
        "threshold": threshold,
        "ious": ious,
    }


def _compare(choices: Choices) -> dict:
    with gr.Accordion("Compare two configurations", open=False, elem_id="compare-panel"):
        gr.HTML(
            "<p>Runs the picture and words above twice: with the options above (A) and with these "
            "(B).</p>",
            elem_classes="stage",
            padding=False,
        )
        with gr.Column(elem_classes="settings"):
            options_of_b = lay_out_options(choices, " of B")
        compare = gr.Button("Compare", elem_id="compare")
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                a = (
                    gallery("A", "compared-a", "pair"),
                    gr.HTML(elem_classes="words", padding=False),
                )
            with gr.Column(min_width=300):
                b = (
                    gallery("B", "compared-b", "pair"),
                    gr.HTML(elem_classes="words", padding=False),
                )
        between = wording("between")
        comparison = gr.JSON(visible=False)
    return {
        "options_of_b": options_of_b,
        "compare": compare,
        "compared": (*a, *b, between),
        "comparison": comparison,
    }
