"""What the page does at each click: sessions in, contents of components out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ssc.errors import InputError
from ssc.export import zip_result
from ssc.models.published import as_size
from ssc.page.away import FILES
from ssc.page.choices import OFF, OPTIONS, REAL, Choices
from ssc.page.clicks import candidate_at, clicked
from ssc.page.download import absent, watch
from ssc.page.endpoints import Ask, compared
from ssc.page.layout import Parts
from ssc.page.parked import Parked, park
from ssc.page.session import Session, compare
from ssc.page.snippets import as_curl, as_python
from ssc.page.texts import about_correct, about_select, photo_note
from ssc.page.views import describe, iou_bars, overlaps, score_bars
from ssc.weights.downloads import downloads_are_off
from ssc.writing import explained, safe_stem, write_whole


class Handlers:
    """Each method is wired to an event, in `demo_app.build`; all state is the visitor's session.

    Args:
        ui: the components.
        choices: what is offered.
        ask: answers; see `endpoints.asks`.
        export: a session in a form of the page's list, as a ZIP.
    """

    def __init__(
        self, ui: Parts, choices: Choices, ask: Ask, export: Callable[[Session, str], bytes]
    ) -> None:
        self.ui = ui
        self.export = export
        self.choices = choices
        self.ask = ask

    def run(
        self, picture: Any, expressions: Any, options: Sequence[Any], progress: Any
    ) -> Iterator[dict]:
        """The page's outputs after each stage."""
        try:
            for session in self.ask(picture, expressions, options, progress):
                yield self.show(session, clear=session.results[0].selection is None)
        except InputError as error:
            gr.Warning(escape(str(error)))
            yield self.nothing(str(error))

    def show(self, session: Session, clear: bool = False) -> dict:
        """All outputs of a session; `clear` also empties those of stages that have not run."""
        ui = self.ui
        titles = [" | ".join(r.expressions) for r in session.results]
        choices = [(f"{n} · {title}", n - 1) for n, title in enumerate(titles, 1)]
        outputs = {
            ui.state: park(session),
            **self.note(session),
            ui.objects: gr.Radio(choices, value=session.active, visible=len(choices) > 1),
            **self.show_answer(session),
        }
        result, corrects = session.result, session.corrects
        for panel in (ui.both, ui.third):
            outputs[panel] = gr.Column(visible=corrects)
        outputs[ui.about_correct] = about_correct(self.choices.corrects != [OFF], corrects)
        if clear or result.selection is not None:
            outputs |= {ui.prompts: session.prompts(), ui.scores: score_bars(result)}
        if result.selection is not None:
            outputs[ui.about_select] = about_select(result.selection.by_words)
        if clear or result.correction is not None:
            outputs |= self.show_correction(session)
            threshold = result.correction.threshold if result.correction else 0.5
            outputs[ui.threshold] = round(threshold, 2)
        return outputs

    def show_answer(self, session: Session) -> dict:
        ui = self.ui
        return {
            ui.answers: session.answers(),
            ui.sides: session.sides(),
            ui.slider: session.pair(),
            ui.words: describe(session.results, session.active),
            ui.candidates: session.candidates(),
            ui.undo: gr.Button(visible=session.result.override is not None),
            ui.record: session.record(),
            ui.take: gr.Button(interactive=session.result.selection is not None),
        }

    def show_correction(self, session: Session) -> dict:
        return {self.ui.heat: session.heat(), self.ui.ious: iou_bars(session.result)}

    def note(self, session: Session | None) -> dict:
        """The note on a picture that the models can't know, and the ways on from here."""
        unknown = session is not None and session.unknown
        looks_on = session is not None and session.could_look_on
        note = photo_note(any(self.offers(name) for name in REAL)) if unknown else ""
        buttons = {
            button: gr.Button(self.offers(name), visible=unknown and bool(self.offers(name)))
            for name, button in self.ui.get.items()
        }
        return {
            self.ui.note: gr.HTML(note, visible=unknown),
            self.ui.getting: gr.HTML("", visible=False),
            self.ui.ways: gr.Row(visible=unknown or looks_on),
            self.ui.look_on: gr.Button(visible=looks_on),
            **buttons,
        }

    def offers(self, name: str) -> str:
        """What a button says that answers with another set; empty where it cannot be got here, or
        takes long to get."""
        model_set = self.choices.sets.get(name)
        if model_set is None:
            return ""
        if not model_set.missing():
            return f"Answer with {name}"
        size = 0 if name == "paper" else absent().get(name, 0)
        return "" if downloads_are_off() or not size else f"Get {name} ({as_size(size)})"

    def get(self, name: str) -> Iterator[dict]:
        """Brings a set, shows how far it is, and chooses it once it is here."""
        ui, state = self.ui, ""
        for state, *_ in watch(name):
            yield {
                ui.getting: gr.HTML(state, visible=True),
                ui.arrived: "",
                **{button: gr.Button(interactive=False) for button in ui.get.values()},
            }
        here = not self.choices.sets[name].missing()
        yield {
            ui.getting: gr.HTML(state, visible=True),  # again: a browser may pass over quick ones
            ui.arrived: name if here else "",
            **{button: gr.Button(interactive=True) for button in ui.get.values()},
            **({ui.models: gr.Radio(self.choices.titles, value=name)} if here else {}),
        }

    def run_again(self, arrived: str, *question: Any) -> Iterator[dict]:
        """As `run`, where a set has arrived that is to answer."""
        if arrived:
            yield from self.run(*question)
        else:
            yield {self.ui.arrived: ""}

    def nothing(self, message: str) -> dict:
        ui = self.ui
        return {
            ui.state: None,
            **self.note(None),
            ui.objects: gr.Radio([], value=None, visible=False),
            **{component: [] for component in (ui.answers, ui.sides, ui.prompts)},
            **dict.fromkeys((ui.slider, ui.candidates, ui.heat)),
            **dict.fromkeys((ui.words, ui.scores, ui.ious), ""),
            ui.undo: gr.Button(visible=False),
            ui.record: {"error": message},
            ui.take: gr.Button(interactive=False),
        }

    def look_at(self, parked: Parked | None, active: int) -> dict:
        session = parked.open() if parked else None
        if not session or not 0 <= active < len(session.results):
            return self.gone(parked)
        return self.show(session.looking_at(active), clear=True)

    def click_picture(self, parked: Parked | None, event: gr.SelectData) -> dict:
        if not parked:
            return self.gone(parked)
        session = parked.open()
        candidate = candidate_at(session.result.candidates, *session.to_image(*event.index))
        if candidate < 0:
            gr.Info("There is no candidate at that place.")
            return {self.ui.state: parked}
        return self.choose(session, candidate)

    def click_prompt(self, parked: Parked | None, event: gr.SelectData) -> dict:
        session = parked.open() if parked else None
        if not session or session.result.selection is None:
            return self.gone(parked)
        return self.choose(session, int(session.result.selection.order[event.index]))

    def undo(self, parked: Parked | None) -> dict:
        return self.choose(parked.open(), None) if parked else self.gone(parked)

    def choose(self, session: Session, index: int | None) -> dict:
        """A person's choice of candidate; that of the stages themselves is none. Of a set that is
        asked for, a candidate is taken out or added. None takes the choice back."""
        if session.result.selection is None:
            return self.gone(park(session))
        session = session.with_result(clicked(session.result, index))
        scores = {self.ui.scores: score_bars(session.result)}
        return {self.ui.state: park(session), **scores, **self.show_answer(session)}

    def move_threshold(self, parked: Parked | None, threshold: float) -> dict:
        if not parked:
            return self.gone(parked)
        session = parked.open().at_threshold(threshold)
        shown = self.show_answer(session) | self.show_correction(session)
        return {self.ui.state: park(session), **shown}

    def gone(self, parked: Parked | None) -> dict:
        if not parked:
            gr.Info("No result is kept for this page. Press Segment.")
        return {self.ui.state: parked}

    def pack(self, parked: Parked | None, form: str) -> dict:
        if not parked:
            return self.gone(parked)
        session = parked.open()
        stem = safe_stem(Path(session.name).stem)
        try:
            if form == FILES:
                packed = zip_result(stem, session.image, session.results, session.name)
            else:
                packed = self.export(session, form)
                stem += f"-{form}"
            with explained(Path(tempfile.gettempdir()), len(packed)):
                target = Path(tempfile.mkdtemp(prefix="ssc-"), f"{stem}.zip")
            write_whole(target, packed)
        except InputError as error:
            gr.Warning(escape(str(error)))
            return {self.ui.state: parked}
        return {self.ui.package: str(target)}

    def compare(self, picture: Any, expressions: Any, *options: Any) -> tuple:
        try:
            a, b = compared(self.ask, picture, expressions, options)
        except InputError as error:
            gr.Warning(escape(str(error)))
            hidden = gr.Gallery([], visible=False)
            return hidden, "", hidden, "", ""
        shown = (
            (
                gr.Gallery(session.answers() + session.sides(), visible=True),
                describe(session.results, -1),
            )
            for session in (a, b)
        )
        return *next(shown), *next(shown), overlaps(compare(a, b))

    def write_code(self, picture: str | None, request: gr.Request, *settings: Any) -> dict:
        name = Path(picture).name if picture else "picture.jpg"
        named = dict(zip(("expressions", *OPTIONS), settings))
        assert request.request is not None  # it comes from a browser
        call = str(request.request.base_url), name, named
        return {self.ui.python: as_python(*call), self.ui.curl: as_curl(*call)}
