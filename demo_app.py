"""The page: a picture, what to look for in it, and how the answer was found.

python demo_app.py                              # http://127.0.0.1:7860
python demo_app.py --host 0.0.0.0 --port 8000
python demo_app.py --models base                # or SSC_MODELS=base in the environment
python demo_app.py --correct my/checkpoint      # your own stage 3, a folder or an id on the Hub
python demo_app.py --correct runs/a --correct runs/b   # several, or SSC_CORRECT=runs/a,runs/b
python demo_app.py --correct off                # S+S alone
python demo_app.py --workbench                  # also /workbench/: many pictures, and training
python demo_app.py --workbench runs/my          # and to put S1 and S2 of this run right
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
import numpy as np
from fastapi import FastAPI

import ssc.page.gpu as gpu
from ssc.entry import command
from ssc.models.bundled import ASSETS
from ssc.models.sets import MODEL_SETS, keep_all
from ssc.page.choices import OPTIONS, Choices, find_choices
from ssc.page.download import add_downloads
from ssc.page.endpoints import asks, endpoints, signed
from ssc.page.full import tell_full
from ssc.page.handlers import Handlers
from ssc.page.layout import lay_out
from ssc.page.options import offer_corrects
from ssc.page.request import defaults
from ssc.page.session import Session
from ssc.page.style import CSS, NAMES, THEME
from ssc.pipeline import Pipeline
from train.export.formats import TITLES

EXAMPLES = ASSETS / "examples"
QUEUE = 32  # requests waiting; whoever comes then is told that the queue is full
AT_ONCE = 2  # requests that run models at the same time
SESSIONS = 64  # visitors whose last result is kept
KEPT = 30 * 60  # seconds that a result is kept
MAX_UPLOAD = "40mb"
UPLOADS = "GRADIO_TEMP_DIR"  # Gradio's variable: the folder of what is uploaded
WORKBENCH = '<p>Many pictures, review, training: <a href="workbench/">the workbench</a>.</p>'


def build(choices: Choices) -> gr.Blocks:
    """The page over what it offers; `serve` launches it."""
    with gr.Blocks(
        title="Segment, Select, Correct", analytics_enabled=False, delete_cache=(600, 2 * KEPT)
    ) as page:
        ui = lay_out(choices, KEPT, TITLES)
        with ui.below_options:
            add_downloads()
    ask = asks(choices)
    options = defaults(choices)
    segment, compare = endpoints(ask, options)
    on = Handlers(ui, choices, ask, zip_session)

    @signed(options)
    def run(*inputs: Any) -> Iterator[dict]:
        picture, expressions, *options, progress = inputs
        yield from on.run(picture, expressions, options, progress)

    @signed({**options, "arrived": ""})
    def run_again(*inputs: Any) -> Iterator[dict]:
        picture, expressions, *options, arrived, progress = inputs
        yield from on.run_again(arrived, picture, expressions, options, progress)

    inputs = [ui.picture, ui.expressions, *ui.options]
    both = [*inputs, *ui.options_of_b]
    notes = [ui.note, ui.ways, *ui.get.values(), ui.look_on, ui.getting]
    outputs = [ui.state, *notes, ui.objects, ui.answers, ui.both, ui.sides, ui.slider, ui.words]
    outputs += [
        ui.about_select,
        ui.about_correct,
        ui.third,
        ui.candidates,
        ui.undo,
        ui.prompts,
        ui.scores,
        ui.heat,
        ui.threshold,
        ui.ious,
        ui.record,
        ui.take,
    ]
    model: Any = {"concurrency_id": "model", "concurrency_limit": AT_ONCE}
    shown: Any = {"show_progress_on": [ui.answers], "api_visibility": "private", **model}
    quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
    # A click while another is answered counts, after that one: each changes what the last one left.
    in_turn: Any = {"concurrency_id": "clicks", "concurrency_limit": 1, **quiet}
    every: Any = {"trigger_mode": "multiple", **in_turn}
    with page:
        # Of JSON, since the page's own components refuse values before the endpoints can say why.
        sent = [gr.JSON(visible=False) for _ in both]
        for part, value in zip(sent[2:], [*options.values()] * 2):
            part.value = value  # Gradio's clients take it where the option is left out
        ui.endpoint.click(segment, sent[: len(inputs)], ui.record, api_name="segment", **model)
        ui.endpoint.click(compare, sent, ui.comparison, api_name="compare", **model)
        gr.on([ui.run.click, ui.expressions.submit], run, inputs, outputs, **shown)
        for name, button in ui.get.items():
            panel = [ui.getting, ui.arrived, *ui.get.values(), ui.models]
            came = button.click(partial(on.get, name), None, panel, concurrency_limit=None, **quiet)
            came.then(run_again, [*inputs, ui.arrived], [ui.arrived, *outputs], **shown)
        looks = ui.options[OPTIONS.index("nearest")]
        ui.look_on.click(lambda: True, None, looks, **quiet).then(run, inputs, outputs, **shown)
        ui.objects.input(on.look_at, [ui.state, ui.objects], outputs, **every)
        ui.candidates.select(on.click_picture, ui.state, outputs, **every)
        ui.prompts.select(on.click_prompt, ui.state, outputs, **every)
        ui.undo.click(on.undo, ui.state, outputs, **every)
        moved = [ui.state, ui.threshold]
        ui.threshold.input(on.move_threshold, moved, outputs, trigger_mode="always_last", **in_turn)
        ui.take.click(
            on.pack, [ui.state, ui.form], [ui.package, ui.state], api_visibility="private"
        ).then(None, js="() => setTimeout(() => document.querySelector('#package').click(), 100)")
        ui.compare.click(on.compare, both, [*ui.compared], api_visibility="private", **model)
        ui.code.expand(on.write_code, inputs, [ui.python, ui.curl], **quiet)
        examples = read_examples()
        if choices.found is not dict:  # beside a workbench, whose trainings are in the list
            lists = [side[OPTIONS.index("correct")] for side in (ui.options, ui.options_of_b)]
            with ui.below_options:
                gr.HTML(WORKBENCH, elem_classes="stage", padding=False)
            page.load(lambda: [offer_corrects(choices)] * 2, None, lists, **quiet)
        page.load(None, js=NAMES % json.dumps([words for _, words in examples]))
        if examples:
            with ui.below_options:
                chosen = gr.Examples(
                    examples,
                    [ui.picture, ui.expressions],
                    # Gradio's cache keeps what is shown, not the session behind it: a click on a
                    # cached answer would find none. The models keep an example's features instead.
                    cache_examples=False,
                    visible_columns=[0],
                    label="Examples",
                    elem_id="examples",
                    api_visibility="private",
                )
            chosen.load_input_event.then(run, inputs, outputs, **shown)
    return page


def zip_session(session: Session, form: str) -> bytes:
    """A session's answers in a form of `train export`; raises InputError where there is no mask."""
    from train.export.items import page_of_results
    from train.export.packed import zip_pages

    page = page_of_results(session.name, session.image, session.record()["results"])
    with TemporaryDirectory(prefix="export-") as folder:
        return zip_pages([page], form, Path(folder)).read_bytes()


def read_examples() -> list[list[str]]:
    """Picture and expressions of each example; none where the folder has no list of them."""
    listing = EXAMPLES / "examples.json"
    if not listing.exists():
        return []
    rows = json.loads(listing.read_text())
    return [[str(EXAMPLES / row["image"]), "\n".join(row["expressions"])] for row in rows]


def serve(page: gr.Blocks, workbench: FastAPI | None = None, **options: Any) -> Any:
    """Launches the page with its looks and limits; `options` go to `Blocks.launch`.

    Args:
        workbench: of `train.workbench`, shown at /workbench/ of the same server.
    """
    if workbench is not None:
        waits = not options.pop("prevent_thread_lock", False)
        app, *_ = launched = serve(page, **options, prevent_thread_lock=True)
        app.mount("/workbench", workbench)
        # Before the page's own routes, one of which takes any path.
        app.router.routes.insert(0, app.router.routes.pop())
        if waits:
            page.block_thread()
        return launched
    page.queue(max_size=QUEUE, default_concurrency_limit=4)
    return page.launch(
        theme=THEME,
        css=CSS,
        footer_links=["api", "settings"],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        state_session_capacity=SESSIONS,
        ssr_mode=False,
        app_kwargs={"exception_handlers": {OSError: tell_full}},
        **options,
    )


@contextmanager
def own_uploads() -> Iterator[None]:
    """A folder of this page's own for what is uploaded, unless `UPLOADS` names one.

    Gradio names a file by its contents, and a page that ends deletes those it took: of two pages on
    a machine, the other's too.
    """
    if os.environ.get(UPLOADS):
        yield
        return
    with TemporaryDirectory(prefix="gradio-", ignore_cleanup_errors=True) as folder:
        os.environ[UPLOADS] = folder
        try:
            yield
        finally:
            del os.environ[UPLOADS]


def warm_up(pipeline: Pipeline) -> None:
    """Loads what loads at its first use; of networks that take long, none is run."""
    if getattr(pipeline.segment.detector, "costly", False):
        pipeline.segment.classes([pipeline.segment.nouns("the dog")])
    else:
        pipeline(np.zeros((32, 32, 3), np.uint8), ["dog"])


@command()
def main(argv: Sequence[str] | None = None) -> None:
    # Gradio's own variables, which a Hugging Face Space sets.
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default=host, help="address to listen on; default: %(default)s")
    parser.add_argument("--port", type=int, default=port, help="default: %(default)s")
    parser.add_argument(
        "--models",
        metavar="SET",
        help="model set chosen when the page opens: mini, pocket, lite, base or paper; default: "
        "$SSC_MODELS, else the best set that is present; where that is pocket, it or mini by the "
        "picture",
    )
    parser.add_argument(
        "--correct",
        metavar="CHECKPOINT|off",
        action="append",
        help="folder or Hub id of a checkpoint for stage 3 that visitors may choose; may be "
        "repeated, the first is the default; off: no stage 3. "
        "Default: $SSC_CORRECT (separated by commas), else the model set's own",
    )
    parser.add_argument(
        "--workbench",
        metavar="PLACE",
        nargs="?",
        const="runs",
        help="also /workbench/, for many pictures and for training, whose folders are in PLACE, by "
        "default runs; of a run or a store it also reviews S1 and S2",
    )
    parser.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="asked of whoever comes; --workbench needs it with --host",
    )
    args = parser.parse_args(argv)
    if args.workbench:
        from train.workbench.__main__ import open_workbench
        from train.workbench.server import check_access

        login = check_access(args.host, args.auth)  # before the models
    corrects = args.correct or os.environ.get("SSC_CORRECT", "").split(",")
    lent = gpu.spaces is not None
    named = [name.strip() for name in corrects if name.strip()]
    choices = find_choices(args.models, named, only_named=lent)
    workbench = open_workbench(args.workbench, login, choices) if args.workbench else None
    if lent:  # networks are put on the GPU that is lent later here, in the main thread, or never
        here = (name for name, offered in choices.sets.items() if not offered.missing())
        keep_all([name for name in here if name in MODEL_SETS])
    else:
        warm_up(choices.pipeline(choices.models, choices.correct))
    auth = tuple(args.auth.split(":", 1)) if args.auth else None
    with own_uploads():
        page = build(choices)
        serve(page, workbench, server_name=args.host, server_port=args.port, auth=auth)


if __name__ == "__main__":
    main()
