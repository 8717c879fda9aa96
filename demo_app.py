"""The page: a picture, what to look for in it, and how the answer was found.

python demo_app.py                       # http://127.0.0.1:7860
python demo_app.py --host 0.0.0.0 --port 8000
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import ssc
from ssc.draw import colour_of, draw_candidates, draw_mask, for_screen
from ssc.export import result_record
from ssc.types import ANY_CLASS, ClassMatch, InputError, Result

EXAMPLES = Path(__file__).parent / "assets" / "examples"
QUEUE = 32  # requests waiting; whoever comes then is told that the queue is full
MAX_UPLOAD = "40mb"

THEME = gr.themes.Default(
    primary_hue="blue",
    neutral_hue="slate",
    # The system's own fonts: nothing is fetched, and the page works offline.
    font=[gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
    font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
).set(  # Gradio's own greys and blue are too pale to read (below 4.5 : 1)
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)

CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto; }
.intro, .stage, .words, .html-container { padding: 0 !important; }
.intro h1 { margin: 0 0 .25rem; font-size: 1.6rem; font-weight: 650; }
.stage h2 { margin: .5rem 0 0; font-size: 1.1rem; font-weight: 650; }
.intro p, .stage p, .words .steps { margin: 0; color: var(--body-text-color-subdued); }
.words { overflow-wrap: anywhere; }
.words .object { margin: 0 0 .75rem; }
.words .said { font-weight: 600; }
.words .outcome { margin: 0; }
/* Galleries whose pictures keep their proportions, in as many columns as there is room for. */
.pictures .grid-wrap { min-height: 0 !important; max-height: none !important;
    padding-top: 2.25rem !important; overflow: visible; }
.pictures .grid-container { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr))
    !important; }
.pictures.small .grid-container { grid-template-columns:
    repeat(auto-fill, minmax(min(47%, 11rem), 1fr)) !important; }
.pictures:has(.preview) .gallery-container { min-height: 26rem; }
.pictures .thumbnail-lg { aspect-ratio: auto !important; height: auto !important; }
"""

INTRO = """
<h1>Segment, Select, Correct</h1>
<p>Say what you mean in a picture and see how it is found: every candidate, how each was shown to
CLIP, and which one matched your words best.</p>
"""


def build(pipeline: ssc.Pipeline) -> gr.Blocks:
    """The page over a pipeline; `serve` launches it."""

    def segment(picture, expressions, progress=gr.Progress()):  # noqa: B008 (Gradio's way)
        """Segments what each line of `expressions` names.

        Lines are objects; " | " within a line joins expressions of one object. The last output
        holds everything, masks as COCO RLE; {"error": message} where the input is bad.
        """
        try:
            progress(0.05, desc="Opening the picture")
            if not picture:
                raise InputError("Choose a picture first: upload, paste or take one.")
            image = ssc.load_image(picture)
            lines = [line.split(" | ") for line in (expressions or "").splitlines() if line.strip()]
            if not lines:
                raise InputError("Say what to look for: one object a line.")
            progress(0.1, desc="Segment: finding candidates")
            for results in pipeline.stream(image, lines):
                progress(0.6, desc="Select: comparing candidates with your words")
                yield show(Path(picture).name, image, results)
        except InputError as error:
            message = str(error).replace(str(picture), "The file")
            gr.Warning(escape(message))
            yield _cleared(message)

    with gr.Blocks(title="Segment, Select, Correct", analytics_enabled=False) as page:
        gr.HTML(INTRO, elem_classes="intro", padding=False)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                picture = gr.Image(
                    type="filepath",
                    label="Picture",
                    sources=["upload", "webcam", "clipboard"],
                    height=340,
                    elem_id="picture",
                )
                # Handed over unopened, so that `ssc.load_image` judges every file. (Not a subclass:
                # Gradio writes a .pyi file next to the source of each.)
                picture.preprocess = lambda payload: payload and payload.path
                expressions = gr.Textbox(
                    label="What to look for",
                    info="One object a line. Enter runs, Shift+Enter starts a new line; "
                    "“ | ” joins expressions of one object.",
                    placeholder="the red car on the left",
                    lines=1,  # with more, Enter would start a line
                    max_lines=8,
                    elem_id="expressions",
                )
                run = gr.Button("Segment", variant="primary", elem_id="run")
                place_of_examples = gr.Column(min_width=300)
            with gr.Column(min_width=300):
                answers = _gallery("Answer", "answers")
                words = gr.HTML(elem_classes="words", elem_id="words", padding=False)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                gr.HTML(
                    "<h2>1 · Segment</h2><p>All of the class that your words name, numbered.</p>",
                    elem_classes="stage",
                    padding=False,
                )
                candidates = _gallery("Candidates", "candidates")
            with gr.Column(min_width=300):
                gr.HTML(
                    "<h2>2 · Select</h2><p>Each as CLIP was shown it, best match first.</p>",
                    elem_classes="stage",
                    padding=False,
                )
                prompts = _gallery("Visual prompts and scores", "prompts", "small")
        with gr.Accordion("result.json", open=False):
            record = gr.JSON(show_label=False, elem_id="record")
        inputs, outputs = [picture, expressions], [answers, words, candidates, prompts, record]
        gr.on(
            [run.click, expressions.submit],
            segment,
            inputs,
            outputs,
            api_name="segment",
            show_progress_on=[answers],
        )
        if examples := read_examples():
            with place_of_examples:
                gr.Examples(
                    examples,
                    inputs,
                    outputs,
                    segment,
                    cache_examples=False,
                    run_on_click=True,
                    visible_columns=[0],
                    label="Examples",
                )
    return page


def show(name: str, image: Any, results: Sequence[Result]) -> tuple:
    """The page's outputs for what is known so far: stage 1, or stages 1 and 2."""
    answers, candidates, prompts, words = [], [], [], []
    for number, result in enumerate(results, 1):
        title = " | ".join(result.expressions)
        several = len(results) > 1
        caption = f"{number}: {title}" if several else None
        of_object = f"object {number} " if several else ""
        selection = result.selection
        chosen = -1 if selection is None else selection.chosen
        drawn, scaled = for_screen(image, result.candidates)
        if selection is not None:
            mask = scaled.masks[chosen] if chosen >= 0 else scaled.masks[:0].any(axis=0)
            answers.append((draw_mask(drawn, mask, colour_of(max(chosen, 0))), caption))
            prompts += [
                (selection.prompts[i], f"{of_object}#{i + 1} · {selection.scores[i]:.3f}")
                for i in selection.order
            ]
        candidates.append((draw_candidates(drawn, scaled, chosen), caption))
        words.append(_describe(title, result))
    records = [result_record(name, image, result) for result in results]
    return answers, "".join(words), candidates, prompts, {"results": records}


def _describe(title: str, result: Result) -> str:
    """One object in words, as HTML: expression, noun → class, and what came of it."""
    steps = "".join(f'<p class="steps">{_step(match)}</p>' for match in result.matches)
    return (
        f'<div class="object"><span class="said">“{escape(title)}”</span>{steps}'
        f'<p class="outcome">{escape(result.message)}</p></div>'
    )


def _step(match: ClassMatch) -> str:
    if match.name == ANY_CLASS:
        return "no noun: every object is a candidate"
    others = ", ".join(f"{escape(name)} {score:.2f}" for name, score in match.runners_up)
    after = f"; then {others}" if others else ""
    return (
        f"noun <b>{escape(match.noun)}</b> → class <b>{escape(match.name)}</b> "
        f"({match.similarity:.2f}{after})"
    )


def read_examples() -> list[list[str]]:
    """Picture and expressions of each example; none where the folder has no list of them."""
    listing = EXAMPLES / "examples.json"
    if not listing.exists():
        return []
    rows = json.loads(listing.read_text())
    return [[str(EXAMPLES / row["image"]), "\n".join(row["expressions"])] for row in rows]


def serve(page: gr.Blocks, **options: Any) -> Any:
    """Launches the page with its looks and limits; `options` go to `Blocks.launch`."""
    page.queue(max_size=QUEUE)
    return page.launch(
        theme=THEME,
        css=CSS,
        footer_links=["api", "settings"],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        **options,
    )


def _gallery(label: str, name: str, size: str = "") -> gr.Gallery:
    return gr.Gallery(
        label=label,
        elem_id=name,
        elem_classes=["pictures", size],
        object_fit="contain",
        format="jpeg",
        buttons=["download", "fullscreen"],
        interactive=False,
    )


def _cleared(message: str) -> tuple:
    return [], "", [], [], {"error": message}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    args = parser.parse_args(argv)
    try:
        pipeline = ssc.load("mini")
        pipeline(np.zeros((32, 32, 3), np.uint8), ["dog"])  # loads what loads at its first use
        serve(build(pipeline), server_name=args.host, server_port=args.port)
    except (InputError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
