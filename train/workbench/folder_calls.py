"""The calls of the page over many pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from ssc.cache import Cache
from ssc.formats import jpeg
from ssc.images import load_image
from ssc.page.choices import OFF, OWN
from train.workbench.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssc.page.choices import Choices
    from ssc.pipeline import Pipeline

ROWS = 50  # of the table at once
SMALL, KEPT = 240, 512  # pixels of a thumbnail's long side; thumbnails in memory
STAGE_3 = {OWN: "the model set's own", OFF: "off"}


@dataclass
class FolderCalls:
    """What the page needs: where jobs are, and what may answer; that is opened at first use."""

    home: Path
    open: Callable[[], Choices]

    @cached_property
    def choices(self) -> Choices:
        return self.open()

    @cached_property
    def folders(self) -> Folders:
        return Folders(self.home, self._pipeline)

    def _pipeline(self, models: str, correct: str) -> Pipeline:
        return self.choices.pipeline(models, correct)


class Begun(BaseModel):
    """A new job: where its pictures are (empty: they are uploaded), and what is asked of them."""

    title: str = Field(default="", max_length=100)
    source: str = Field(default="", max_length=4000)
    expressions: str = Field(default="", max_length=20_000)
    models: str
    correct: str


def add_folders(app: FastAPI, calls: FolderCalls) -> None:
    """Adds them; jobs that a killed server has left go on."""
    folders = calls.folders
    thumbnails: Cache[bytes] = Cache(KEPT)

    @app.get("/api/folders")
    def jobs() -> dict[str, Any]:
        return {"jobs": [job.summary() for job in folders.jobs.values()]}

    @app.get("/api/choices")
    def choices() -> dict[str, Any]:
        own = calls.choices
        corrects = [{"name": name, "title": STAGE_3.get(name, name)} for name in own.corrects]
        return {
            "models": [{"name": name, "title": title} for title, name in own.titles],
            "corrects": corrects,
            "chosen": {"models": own.models, "correct": own.correct},
        }

    @app.post("/api/folders")
    def begin(begun: Begun) -> dict[str, Any]:
        calls.choices.pipeline(begun.models, begun.correct)  # said before anything is uploaded
        settings = begun.model_dump()
        return folders.begin(settings.pop("title"), settings).summary()

    @app.put("/api/folders/{name}/file")
    async def upload(name: str, path: str, request: Request) -> dict[str, str]:
        folders.of(name)
        with TemporaryDirectory(prefix=".upload-", dir=folders.place / name) as beside:
            file = Path(beside) / "file"
            with file.open("wb") as target:
                async for part in request.stream():
                    target.write(part)
            await run_in_threadpool(folders.arrive, name, path, file)  # a ZIP takes time
        return {}

    @app.post("/api/folders/{name}/start")
    def start(name: str) -> dict[str, Any]:
        folders.start(name)
        return folders.of(name).summary()

    @app.post("/api/folders/{name}/stop")
    def stop(name: str) -> dict[str, Any]:
        folders.of(name).stop()
        return folders.of(name).summary()

    @app.get("/api/folders/{name}")
    def job(name: str, first: int = 0) -> dict[str, Any]:
        own = folders.of(name)
        rows = own.rows()
        first = max(0, first)
        return {**own.summary(), "rows": rows[first : first + ROWS], "of": len(rows)}

    @app.get("/api/folders/{name}/picture/{stem}/{number}")
    def picture(name: str, stem: str, number: int, small: bool = False) -> Response:
        file = folders.of(name).overlay(stem, number)
        if not small:
            return FileResponse(file)
        data = thumbnails.get((name, stem, number), lambda: _thumbnail(file))
        kept = {"Cache-Control": "private, max-age=3600"}
        return Response(data, media_type="image/jpeg", headers=kept)

    @app.get("/api/folders/{name}/export/{form}")
    def export(name: str, form: str, after: BackgroundTasks) -> FileResponse:
        folder, archive = folders.of(name).export(form)
        after.add_task(folder.cleanup)
        return FileResponse(archive, filename=f"{name}-{archive.name}")


def _thumbnail(file: Path) -> bytes:
    import cv2

    image = load_image(file)
    factor = min(1.0, SMALL / max(image.shape[:2]))
    size = [max(1, round(side * factor)) for side in (image.shape[1], image.shape[0])]
    return jpeg(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
