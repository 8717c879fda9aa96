"""The page: a picture, what to look for in it, and how the answer was found.

python demo_app.py                       # http://127.0.0.1:7860
python demo_app.py --host 0.0.0.0 --port 8000
python demo_app.py --models base                # or SSC_MODELS=base in the environment
python demo_app.py --correct my/checkpoint      # your own stage 3; "off" for none
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

import ssc
from ssc.export import zip_result
from ssc.page.layout import lay_out
from ssc.page.session import Session, compare, stream
from ssc.page.snippets import as_curl, as_python
from ssc.page.style import CSS, NAMES, THEME
from ssc.page.views import candidate_at, describe, iou_bars, overlaps, score_bars
from ssc.types import InputError

EXAMPLES = Path(__file__).parent / "assets" / "examples"
QUEUE = 32  # requests waiting; whoever comes then is told that the queue is full
AT_ONCE = 2  # requests that run models at the same time
SESSIONS = 64  # visitors whose last result is kept
KEPT = 30 * 60  # seconds that a result is kept
MAX_UPLOAD = "40mb"


def build(pipeline: ssc.Pipeline) -> gr.Blocks:
    """The page over a pipeline; `serve` launches it."""
    with gr.Blocks(
        title="Segment, Select, Correct", analytics_enabled=False, delete_cache=(600, 2 * KEPT)
    ) as page:
        ui = lay_out(pipeline, KEPT)

    def run(
        picture,
        expressions,
        prompt,
        sigma,
        rule,
        box_threshold,
        correct,
        progress=gr.Progress(),  # noqa: B008 (Gradio's way)
    ) -> Iterator[dict]:
        """The page's outputs after each stage."""
        options = prompt, sigma, rule, box_threshold, correct
        try:
            for session in stream(pipeline, picture, expressions, options, progress):
                yield show(session, clear=session.results[0].selection is None)
        except InputError as error:
            gr.Warning(escape(str(error)))
            yield nothing(str(error))

    def segment(
        picture,
        expressions,
        prompt,
        sigma,
        rule,
        box_threshold,
        correct,
        progress=gr.Progress(),  # noqa: B008
    ) -> dict[str, Any]:
        """Segments what each line of `expressions` names; masks come as COCO RLE.

        Lines are objects; " | " within a line joins expressions of one object. Returns
        {"results": [a record per object]}, or {"error": message} where the input is bad.
        """
        options = prompt, sigma, rule, box_threshold, correct
        try:
            *_, session = stream(pipeline, picture, expressions, options, progress)
        except InputError as error:
            return {"error": str(error)}
        return session.record()

    def show(session: Session, clear: bool = False) -> dict:
        """All outputs of a session; `clear` also empties those of stages that have not run."""
        titles = [" | ".join(r.expressions) for r in session.results]
        choices = [(f"{n} · {title}", n - 1) for n, title in enumerate(titles, 1)]
        outputs = {
            ui.state: session,
            ui.objects: gr.Radio(choices, value=session.active, visible=len(choices) > 1),
            **show_answer(session),
        }
        result = session.result
        if clear or result.selection is not None:
            outputs |= {ui.prompts: session.prompts(), ui.scores: score_bars(result)}
        if clear or result.correction is not None:
            outputs |= show_correction(session)
            outputs[ui.threshold] = result.correction.threshold if result.correction else 0.5
        return outputs

    def show_answer(session: Session) -> dict:
        return {
            ui.answers: session.answers(),
            ui.slider: session.pair(),
            ui.words: describe(session.results, session.active),
            ui.candidates: session.candidates(),
            ui.undo: gr.Button(visible=session.result.override is not None),
            ui.record: session.record(),
            ui.take: gr.Button(interactive=session.result.selection is not None),
        }

    def show_correction(session: Session) -> dict:
        return {ui.heat: session.heat(), ui.ious: iou_bars(session.result)}

    def nothing(message: str) -> dict:
        return {
            ui.state: None,
            ui.objects: gr.Radio([], value=None, visible=False),
            **{component: [] for component in (ui.answers, ui.prompts)},
            **dict.fromkeys((ui.slider, ui.candidates, ui.heat)),
            **dict.fromkeys((ui.words, ui.scores, ui.ious), ""),
            ui.undo: gr.Button(visible=False),
            ui.record: {"error": message},
            ui.take: gr.Button(interactive=False),
        }

    def look_at(session: Session | None, active: int) -> dict:
        if session is None or not 0 <= active < len(session.results):
            return gone(session)
        return show(session.looking_at(active), clear=True)

    def click_picture(session: Session | None, event: gr.SelectData) -> dict:
        if session is None:
            return gone(session)
        candidate = candidate_at(session.result.candidates, *session.to_image(*event.index))
        if candidate < 0:
            gr.Info("There is no candidate at that place.")
            return {ui.state: session}
        return choose(session, candidate)

    def click_prompt(session: Session | None, event: gr.SelectData) -> dict:
        if session is None or session.result.selection is None:
            return gone(session)
        return choose(session, int(session.result.selection.order[event.index]))

    def choose(session: Session | None, candidate: int | None) -> dict:
        """A person's choice; that of S+S itself is none."""
        if session is None or session.result.selection is None:
            return gone(session)
        if candidate == session.result.selection.chosen:
            candidate = None
        session = session.with_result(session.result.with_override(candidate))
        return {ui.state: session, ui.scores: score_bars(session.result), **show_answer(session)}

    def move_threshold(session: Session | None, threshold: float) -> dict:
        if session is None:
            return gone(session)
        session = session.at_threshold(threshold)
        return {ui.state: session, **show_answer(session), **show_correction(session)}

    def gone(session: Session | None) -> dict:
        if session is None:
            gr.Info("There is no result, or it is no longer kept: press Segment.")
        return {ui.state: session}

    def pack(session: Session | None) -> dict:
        if session is None:
            return gone(session)
        stem = Path(session.name).stem
        target = Path(tempfile.mkdtemp(prefix="ssc-"), f"{stem}.zip")
        target.write_bytes(zip_result(stem, session.image, session.results, session.name))
        return {ui.package: str(target)}

    def compared(picture, expressions, a, b) -> tuple[Session, Session]:
        """The last sessions under two settings of options."""
        pair = (
            list(stream(pipeline, picture, expressions, options, lambda *_, **__: None))
            for options in (a, b)
        )
        return tuple(sessions[-1] for sessions in pair)

    def compare_both(picture, expressions, *options) -> tuple:
        half = len(options) // 2
        try:
            a, b = compared(picture, expressions, options[:half], options[half:])
        except InputError as error:
            gr.Warning(escape(str(error)))
            hidden = gr.Gallery([], visible=False)
            return hidden, "", hidden, "", ""
        shown = (
            (gr.Gallery(session.answers(), visible=True), describe(session.results, 0))
            for session in (a, b)
        )
        return *next(shown), *next(shown), overlaps(compare(a, b))

    def compare_records(
        picture,
        expressions,
        prompt_a,
        sigma_a,
        rule_a,
        box_threshold_a,
        correct_a,
        prompt_b,
        sigma_b,
        rule_b,
        box_threshold_b,
        correct_b,
    ) -> dict[str, Any]:
        """The same picture and expressions under two settings, A and B.

        Returns {"a": as of /segment, "b": likewise, "compared": [per object its expressions and
        the IoU between A's masks and B's]}, or {"error": message} where the input is bad.
        """
        options_a = prompt_a, sigma_a, rule_a, box_threshold_a, correct_a
        options_b = prompt_b, sigma_b, rule_b, box_threshold_b, correct_b
        try:
            a, b = compared(picture, expressions, options_a, options_b)
        except InputError as error:
            return {"error": str(error)}
        return {"a": a.record(), "b": b.record(), "compared": compare(a, b)}

    def write_code(picture, request: gr.Request, *settings) -> dict:
        names = ("expressions", "prompt", "sigma", "rule", "box_threshold", "correct")
        name = Path(picture).name if picture else "picture.jpg"
        call = str(request.request.base_url), name, dict(zip(names, settings))
        return {ui.python: as_python(*call), ui.curl: as_curl(*call)}

    inputs = [ui.picture, ui.expressions, *ui.options]
    outputs = [ui.state, ui.objects, ui.answers, ui.slider, ui.words, ui.candidates, ui.undo]
    outputs += [ui.prompts, ui.scores, ui.heat, ui.threshold, ui.ious, ui.record, ui.take]
    model: Any = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}
    shown: Any = {"show_progress_on": [ui.answers], "api_visibility": "private", **model}
    quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
    with page:
        ui.endpoint.click(segment, inputs, ui.record, api_name="segment", **model)
        gr.on([ui.run.click, ui.expressions.submit], run, inputs, outputs, **shown)
        ui.objects.input(look_at, [ui.state, ui.objects], outputs, **quiet)
        ui.candidates.select(click_picture, ui.state, outputs, **quiet)
        ui.prompts.select(click_prompt, ui.state, outputs, **quiet)
        ui.undo.click(lambda session: choose(session, None), ui.state, outputs, **quiet)
        moved = [ui.state, ui.threshold]
        ui.threshold.input(move_threshold, moved, outputs, trigger_mode="always_last", **quiet)
        ui.take.click(pack, ui.state, [ui.package, ui.state], api_visibility="private").then(
            None, js="() => setTimeout(() => document.querySelector('#package').click(), 100)"
        )
        both = [*inputs, *ui.options_of_b]
        ui.endpoint.click(compare_records, both, ui.comparison, api_name="compare", **model)
        ui.compare.click(compare_both, both, [*ui.compared], api_visibility="private", **model)
        ui.code.expand(write_code, inputs, [ui.python, ui.curl], **quiet)
        examples = read_examples()
        page.load(None, js=NAMES % json.dumps([words for _, words in examples]))
        if examples:
            with ui.place_of_examples:
                chosen = gr.Examples(
                    examples,
                    [ui.picture, ui.expressions],
                    cache_examples=False,
                    visible_columns=[0],
                    label="Examples",
                    elem_id="examples",
                    api_visibility="private",
                )
            chosen.load_input_event.then(run, inputs, outputs, **shown)
    return page


def read_examples() -> list[list[str]]:
    """Picture and expressions of each example; none where the folder has no list of them."""
    listing = EXAMPLES / "examples.json"
    if not listing.exists():
        return []
    rows = json.loads(listing.read_text())
    return [[str(EXAMPLES / row["image"]), "\n".join(row["expressions"])] for row in rows]


def serve(page: gr.Blocks, **options: Any) -> Any:
    """Launches the page with its looks and limits; `options` go to `Blocks.launch`."""
    page.queue(max_size=QUEUE, default_concurrency_limit=4)
    return page.launch(
        theme=THEME,
        css=CSS,
        footer_links=["api", "settings"],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        state_session_capacity=SESSIONS,
        ssr_mode=False,
        **options,
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--models",
        metavar="SET",
        default=os.environ.get("SSC_MODELS", "mini"),
        help="mini, base or paper; default: $SSC_MODELS, else mini",
    )
    parser.add_argument(
        "--correct",
        metavar="FOLDER|off",
        help="checkpoint of the corrected model, or off; default: that of the model set",
    )
    args = parser.parse_args(argv)
    try:
        correct = {None: True, "off": False}.get(args.correct, args.correct)
        pipeline = ssc.load(args.models, correct)
        pipeline(np.zeros((32, 32, 3), np.uint8), ["dog"])  # loads what loads at its first use
        serve(build(pipeline), server_name=args.host, server_port=args.port)
    except (InputError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
