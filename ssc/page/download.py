"""Controls that bring another model set to the machine that the page runs on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Lock, Thread
from typing import Any

import gradio as gr

from ssc.errors import InputError
from ssc.page.choices import NEEDS
from ssc.page.texts import DOWNLOADS
from ssc.weights.downloads import Cancelled, downloads_are_off

EVERY = 0.5  # seconds between two looks at the progress


class Download:
    """A set on its way, in a thread of its own: it goes on when its visitor leaves.

    Attributes:
        words: how it stands, in a sentence.
        share: of its bytes that are here, in [0, 1].
        error: why it ended too early; empty where it did not.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.words, self.share, self.error = f"{name}: connecting …", 0.0, ""
        self._stop = Event()
        self._begun: tuple[float, int] | None = None  # when, and with how many bytes
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        from ssc.models.published import files_of
        from ssc.weights.downloads import download_watched

        try:
            download_watched(files_of(self.name), self._report, self._stop.is_set)
            self.words, self.share = f"{self.name} is here: choose it under Options.", 1.0
        except Cancelled as error:
            self.error = self.words = f"{self.name}: {error}."
        except (InputError, OSError) as error:
            self.error = self.words = f"The {self.name} set could not be downloaded. {error}."

    def _report(self, file: str, done: int, whole: int) -> None:
        self.share = done / whole if whole else 0.0
        self.words = f"{self.name}: {done / 1e6:,.0f} of {whole / 1e6:,.0f} MB ({file})"
        now = time.monotonic()
        began, had = self._begun = self._begun or (now, done)
        if done > had and now > began + EVERY:
            self.words += f", {time_left((whole - done) * (now - began) / (done - had))}"


def time_left(seconds: float) -> str:
    """As people say it: seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s left" if seconds < 120 else f"{seconds / 60:.0f} min left"


_running: dict[str, Download] = {}  # one per set, whoever asked first; others watch it
_lock = Lock()


def add_downloads() -> None:
    """Adds the controls, and what they do, inside an open `gr.Blocks`.

    None where downloads are off (SSC_NO_DOWNLOADS, for hosted pages), or where every set is here.
    """
    from ssc.models.published import as_size

    sizes = {} if downloads_are_off() else absent()
    if not sizes:
        return
    with gr.Accordion(DOWNLOADS, open=False, elem_id="downloads"):
        sets = gr.Radio(
            [(f"{name}, {as_size(size)}. {NEEDS[name]}", name) for name, size in sizes.items()],
            value=next(iter(sizes)),
            label="Model set to download to the page's machine",
        )
        with gr.Row():
            start = gr.Button("Download", elem_id="download")
            stop = gr.Button("Stop", interactive=False, elem_id="download-stop")
        state = gr.HTML(elem_classes="words", elem_id="download-state", padding=False)
    quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
    # Watching costs nothing, and stopping must not wait for those who watch.
    start.click(watch, sets, [state, start, stop], concurrency_limit=None, **quiet)
    stop.click(stop_download, sets, None, concurrency_limit=None, **quiet)


def absent() -> dict[str, int]:
    """Name → bytes still to come, of each set that is not wholly here."""
    from ssc.models.published import SETS, files_of

    missing = {name: [f for f in files_of(name) if not f.present] for name in SETS}
    return {name: sum(f.size or 0 for f in files) for name, files in missing.items() if files}


def watch(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Starts the download of a set, or joins it; yields its state and the two buttons'."""
    if name not in absent():  # another visitor had it brought, or no such set
        yield _bar(f"{name} is here: choose it under Options.", 1.0), gr.update(), gr.update()
        return
    with _lock:
        download = _running.get(name)
        if download is None or not download.running:
            download = _running[name] = Download(name)
    while download.running:
        yield (
            _bar(download.words, download.share),
            gr.update(interactive=False),
            gr.update(interactive=True),
        )
        time.sleep(EVERY)
    share = None if download.error else 1.0
    yield _bar(download.words, share), gr.update(interactive=True), gr.update(interactive=False)


def stop_download(name: str) -> None:
    """Stops a set's download at its next bytes; they are kept for another time."""
    with _lock:
        if name in _running:
            _running[name].stop()


def _bar(words: str, share: float | None) -> str:
    """HTML of the progress; None for a download that has failed."""
    from html import escape

    bar = "" if share is None else f'<progress value="{share:.4f}" style="width:100%"></progress>'
    return f"{bar}<p>{escape(words)}</p>"
