"""The components of the options, once for the page and once for the other side of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ssc.page.choices import MAX_WORDS, OFF, OPTIONS, OWN
from ssc.select.choose import RULES
from ssc.select.prompts import VISUAL_PROMPTS

if TYPE_CHECKING:
    from gradio.components import Component

    from ssc.page.choices import Choices

BOX = "Boxes with a lower detector score are left out"
TEXT = "Words with a lower score do not name a box's class"
TITLES = {OWN: "the model set's own", OFF: "off"}


def lay_out_options(choices: Choices, of: str = "") -> list[Component]:
    """A component for each of `OPTIONS`, in their order; `of` ends the labels.

    They stand in the order of the stages. Choosing another model set renews what the page says of
    it, and the thresholds, which are its detector's own.
    """
    pipeline = choices.pipeline(choices.models)
    parts: dict[str, Component] = {}
    parts["models"] = models = gr.Radio(
        choices.titles,
        value=choices.models,
        label=f"Model set{of}",
        info=choices.sets[choices.models].needs,
        visible=len(choices.sets) > 1,
    )
    parts["vocabulary"] = gr.Textbox(
        label=f"Vocabulary{of}",
        info="Your own classes, one per line or separated by commas, at most "
        f"{MAX_WORDS}. The mini and pocket sets know only COCO's 80 classes, the others "
        "any words.",
        placeholder="COCO's 80 classes",
        lines=2,
        max_lines=6,
    )
    parts["project"] = gr.Checkbox(
        pipeline.segment.project,
        label=f"Projection{of}",
        info="Look for the class of the vocabulary that is nearest to the noun. Off: look for the "
        "noun itself.",
    )
    box, text = choices.sets[choices.models].thresholds()
    parts["box_threshold"] = _threshold("Box", of, BOX, box)
    parts["text_threshold"] = _threshold("Text", of, TEXT, text)
    parts["prompt"] = gr.Dropdown(
        [(name.replace("_", " "), name) for name in VISUAL_PROMPTS],
        value=pipeline.select.prompt,
        label=f"Visual prompt{of}",
        info="How each candidate is marked for CLIP.",
    )
    parts["sigma"] = gr.Slider(
        1,
        100,
        pipeline.select.sigma,
        step=1,
        label=f"Blur σ{of}",
        info="Of reverse blur, in pixels, for a picture whose longer side has 640.",
    )
    parts["rule"] = gr.Radio(
        list(RULES),
        value=pipeline.select.rule,
        label=f"Choice{of}",
        info="argmax: each object takes its best candidate. matching: no two objects take the "
        "same one.",
    )
    parts["spatial"] = gr.Checkbox(
        pipeline.select.spatial,
        label=f"Words count{of}",
        info="Words for place, size and relation (“left”, “big”, “next to the car”) count beside "
        "CLIP's score. Off: the paper's rule.",
    )
    parts["nearest"] = gr.Checkbox(
        False,
        label=f"Look on{of}",
        info="Where nothing is found, ask once more and look for classes next to it. Done anyway "
        "but where it takes long: with Grounding DINO on a processor.",
    )
    parts["several"] = gr.Checkbox(
        pipeline.select.several,
        label=f"Several or none{of}",
        info="“Both dogs” is answered with both, and what is not there with nothing, where words "
        "count. Off: one object, whatever is asked for.",
    )
    parts["correct"] = gr.Dropdown(
        label=f"Stage 3{of}",
        info="The trained model that answers too.",
        value=choices.correct,
        **_corrects(choices),
    )
    models.change(
        lambda name: _renew(choices, name),
        models,
        [parts[name] for name in ("models", "box_threshold", "text_threshold")],
        show_progress="hidden",
        api_visibility="private",
    )
    for name, part in parts.items():
        part.elem_id = name + of.replace(" ", "-").lower()
    return [parts[name] for name in OPTIONS]


def offer_corrects(choices: Choices) -> Any:
    """The dropdown of stage 3 with all that there is by now."""
    return gr.Dropdown(**_corrects(choices))


def _corrects(choices: Choices) -> dict[str, Any]:
    names = choices.corrects
    titled = [(TITLES.get(name, name), name) for name in names]
    return {"choices": titled, "visible": names != [OFF]}


def _threshold(name: str, of: str, info: str, own: float | None) -> gr.Slider:
    """0 stands for the detector's own, which is another in each model set."""
    return gr.Slider(
        0,
        0.95,
        0,
        step=0.01,
        label=f"{name} threshold{of}",
        info=info + _own(own),
        visible=own is not None,
    )


def _own(threshold: float | None) -> str:
    return ". 0: the detector's default" + ("." if threshold is None else f", {threshold:.2f}.")


def _renew(choices: Choices, models: str) -> tuple[Any, Any, Any]:
    """What to say of a model set, and its thresholds; the sentence where its files are missing."""
    chosen = choices.sets[models]
    box, text = chosen.thresholds()
    unset: dict[str, Any] = {"value": 0} if text is None else {}  # lest a hidden one is refused
    return (
        gr.Radio(choices.titles, info=chosen.missing() or chosen.needs),
        gr.Slider(info=BOX + _own(box)),
        gr.Slider(**unset, info=TEXT + _own(text), visible=text is not None),
    )
