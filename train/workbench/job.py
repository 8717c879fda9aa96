"""Many pictures as one job: what is asked of them, how far it is, and what came of each.

A job's folder has `job.json`, what was uploaded in `pictures/`, and `results/`, as the command line
writes them for a folder. What is done is what `results/` has, so a killed server loses nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from ssc.batch import RESULT, PictureFailure, Query, ask_all, is_done, segment_each
from ssc.errors import ExpressionError, InputError, PictureError, told
from ssc.images import find_pictures, suffixes
from ssc.pipeline import check_objects
from ssc.writing import make_folder, unique_stems, write_whole
from train.data import open_dataset
from train.data.usable import LeftOut
from train.export.items import Page, Pages, page_of_results, read_results
from train.export.packed import zip_folder, zip_pages
from train.workbench.doubts import rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline

NEW, WAITING, RUNNING = "new", "waiting", "running"
STOPPED, DONE, FAILED = "stopped", "done", "failed"
FILE, PICTURES, RESULTS = "job.json", "pictures", "results"
TABLES = (".jsonl", ".json", ".csv")  # of pictures with expressions of their own
Row = dict[str, Any]


class Job:
    """A job in its folder.

    Args:
        folder: with a `job.json`; see `begin`.
        pipeline: model set and stage 3 by name → what segments.
    """

    def __init__(self, folder: Path, pipeline: Callable[[str, str], Pipeline]) -> None:
        self.folder, self.name = folder, folder.name
        self.results = folder / RESULTS
        self.settings: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
        self._pipeline = pipeline
        self._rows: dict[str, list[Row]] | None = None
        self._stop, self._lock = Event(), Lock()
        self._began, self._did = 0.0, 0  # when it last began, and how many pictures since

    @classmethod
    def begin(
        cls, folder: Path, settings: dict[str, Any], pipeline: Callable[[str, str], Pipeline]
    ) -> Job:
        """A new one. `settings` are "source" (a path, or empty for what is uploaded),
        "expressions" (lines; a table has its own), "models" and "correct"."""
        make_folder(folder / PICTURES)
        whole = {**settings, "state": NEW, "total": 0, "error": "", "failed": {}}
        write_whole(folder / FILE, json.dumps(whole, ensure_ascii=False).encode())
        return cls(folder, pipeline)

    @property
    def state(self) -> str:
        return self.settings["state"]

    def set(self, **changes: Any) -> None:
        """Changes settings, on the disk too."""
        with self._lock:
            self.settings |= changes
            text = json.dumps(self.settings, ensure_ascii=False)
            write_whole(self.folder / FILE, text.encode("utf-8", "backslashreplace"))

    def pictures(self) -> list[Query]:
        """All of them, in order.

        Raises:
            InputError: there are none, or nothing is asked of them.
        """
        source = self.settings["source"].strip()
        place = Path(source).expanduser() if source else self.folder / PICTURES
        inside = [] if source else sorted(p for p in place.rglob("*") if p.is_file())
        tables = [p for p in inside if p.suffix.lower() in TABLES]
        if place.suffix.lower() in TABLES or len(tables) == 1:
            return _of_table(str(tables[0] if tables else place))
        lines = [line for line in self.settings["expressions"].splitlines() if line.strip()]
        if not lines:
            raise ExpressionError("Write what to look for, one object per line.")
        objects = check_objects([line.split(" | ") for line in lines])
        if source and not place.exists() and not any(sign in source for sign in "*?["):
            raise PictureError(f"{place}: expected a folder, a picture or a table, got none")
        if source:
            return ask_all(find_pictures(str(place))[0], objects)
        found = [path for path in inside if path.suffix.lower() in suffixes()]
        if not found:
            raise PictureError("expected pictures, a ZIP of them or a table, got none")
        return ask_all(found, objects)

    def run(self) -> None:
        """Does what is left, until `stop`; what ends it too early is in its settings."""
        try:
            queries = self.pictures()
            self.set(state=RUNNING, total=len(queries), error="", failed={})
            pipeline = self._pipeline(self.settings["models"], self.settings["correct"])
            left = [one for one in queries if not is_done(one, self.results)]
            self._began, self._did = time.monotonic(), 0
            for outcome in segment_each(pipeline, self._until_stopped(left), self.results):
                self._did += 1
                if isinstance(outcome, PictureFailure):
                    name = outcome.query.name
                    text = told(outcome.error)
                    text = text.partition(f"{name}: ")[2] or text  # without the server's path
                    why = {"picture": name, "error": text}
                    self.set(failed=self.settings["failed"] | {outcome.query.stem: why})
                else:
                    self._read(outcome.query.stem)
            self.set(state=STOPPED if self._stop.is_set() else DONE)
        except Exception as error:  # of any kind: the page says it
            self.set(state=FAILED, error=told(error))

    def stop(self) -> None:
        """Has it end after the picture that it is at."""
        self._stop.set()
        if self.state == WAITING:
            self.set(state=STOPPED)

    def wait(self) -> None:
        """Notes that it is to run."""
        self._stop.clear()
        self.set(state=WAITING)

    def _until_stopped(self, queries: list[Query]) -> Iterator[Query]:
        for one in queries:
            if self._stop.is_set():
                return
            yield one

    def summary(self) -> dict[str, Any]:
        """Settings, pictures done, and seconds left while it runs."""
        done = len(self.by_picture()) + len(self.settings["failed"])
        left = self.settings["total"] - done
        seconds = None
        if self.state == RUNNING and self._did:
            seconds = left * (time.monotonic() - self._began) / self._did
        return {**self.settings, "name": self.name, "done": done, "left": seconds}

    def rows(self) -> list[Row]:
        """One for each object, the least sure first, after the pictures that failed."""
        failed = [
            {"stem": stem, "object": 0, **why} for stem, why in self.settings["failed"].items()
        ]
        own = [row for rows in list(self.by_picture().values()) for row in rows]
        return failed + sorted(own, key=lambda row: (row["rank"], row["lead"]))

    def by_picture(self) -> dict[str, list[Row]]:
        """Stem → its rows, of the pictures that are done."""
        if self._rows is None:
            self._rows = {}
            for file in sorted(self.results.glob(f"*/{RESULT}")):
                self._read(file.parent.name)
        return self._rows

    def _read(self, stem: str) -> None:
        self.by_picture()[stem] = rows_of(stem, read_results(self.results / stem / RESULT))

    def overlay(self, stem: str, number: int) -> Path:
        """The drawn answer of an object of a picture that is done.

        Raises:
            InputError: no such picture or object.
        """
        rows = self.by_picture().get(stem, [])
        if not 0 <= number < len(rows):
            raise InputError("picture: expected one that is done")
        start = stem if len(rows) == 1 else f"{stem}.{number + 1}"
        return self.results / stem / f"{start}.overlay.jpg"

    def export(self, form: str) -> tuple[TemporaryDirectory[str], Path]:
        """What is done as a ZIP, in a folder to clean up: "results" for the files of the command
        line, else a form of `train export`.

        Raises:
            InputError: no such form, or nothing is done.
        """
        folder = TemporaryDirectory(prefix=".export-", dir=self.folder)
        try:
            if not self.by_picture():
                raise InputError("export: no picture is done yet")
            if form == RESULTS:
                return folder, zip_folder(self.results, Path(folder.name) / "results.zip")
            return folder, zip_pages(self._pages(), form, Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise

    def _pages(self) -> Pages:
        done = [query for query in self.pictures() if is_done(query, self.results)]
        reads = [(query.name, partial(self._page, query)) for query in done]
        return Pages(reads, LeftOut(self.name, len(done), allowed=True))

    def _page(self, query: Query) -> Page:
        rows = read_results(self.results / query.stem / RESULT)
        return page_of_results(query.stem, query.open()[0], rows)


def _of_table(file: str) -> list[Query]:
    """The pictures of a data set, each with its own expressions."""
    data = open_dataset(file)
    names = [data.picture_name(index) for index in range(len(data))]
    stems = unique_stems([Path(name) for name in names])

    def read(index: int) -> tuple[NDArray[np.uint8], list[tuple[str, ...]]]:
        picture = data[index]
        return picture.image, [thing.expressions for thing in picture.objects]

    return [Query(n, s, partial(read, k)) for k, (n, s) in enumerate(zip(names, stems))]
