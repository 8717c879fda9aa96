"""The calls of the review page."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from train.export.items import pages_of
from train.export.packed import zip_pages
from train.workbench.prompted import POINTS
from train.workbench.shapes import colours

if TYPE_CHECKING:
    from train.workbench.bench import Bench


class Choice(BaseModel):
    """A decision of masks."""

    who: str = ""
    candidates: list[int] = Field(default=[], max_length=1000)
    drawn: list[str] = Field(default=[], max_length=20)
    order: str | None = None


class Words(BaseModel):
    """Corrected expressions, null for one struck out."""

    who: str = ""
    expressions: list[str | None] = Field(max_length=1000)


class Box(BaseModel):
    """x0, y0, x1, y1 in pixels of the picture."""

    box: tuple[float, float, float, float]


class Points(BaseModel):
    """x, y of each in pixels of the picture, and whether it is on the object."""

    points: list[tuple[float, float]] = Field(max_length=POINTS)
    on: list[bool] = Field(max_length=POINTS)


def add_review(app: FastAPI, bench: Bench) -> None:
    """Adds them."""

    @app.get("/api/order")
    def order(name: str = "doubtful", undecided: bool = True) -> dict[str, Any]:
        numbers, points = bench.order(name, undecided), bench.prompted.takes_points
        told = {"numbers": numbers, "colours": colours(), "points": points}
        return {**told, **bench.progress(1 << 60)}

    @app.get("/api/progress")
    def progress(since: int = 0) -> dict[str, Any]:
        return bench.progress(since)

    @app.get("/api/object/{number}")
    def entry(number: int) -> dict[str, Any]:
        return bench.entry(number)

    @app.get("/api/state/{number}")
    def state(number: int) -> dict[str, Any]:
        return bench.state(number)

    @app.get("/api/picture/{picture}")
    def picture(picture: int) -> Response:
        kept = {"Cache-Control": "private, max-age=3600"}
        return Response(bench.jpeg(picture), media_type="image/jpeg", headers=kept)

    @app.post("/api/object/{number}")
    def decide(number: int, choice: Choice) -> dict[str, Any]:
        return bench.decide(number, choice.who, choice.candidates, choice.drawn, choice.order)

    @app.post("/api/words/{number}")
    def say(number: int, words: Words) -> dict[str, Any]:
        return bench.say(number, words.who, words.expressions)

    @app.post("/api/box/{number}")
    def box(number: int, drawn: Box) -> dict[str, Any]:
        return bench.box(number, drawn.box)

    @app.post("/api/points/{number}")
    def points(number: int, clicked: Points) -> dict[str, Any]:
        return bench.points(number, clicked.points, clicked.on)

    @app.get("/api/export/{form}")
    def export(form: str, after: BackgroundTasks, alone: bool = False) -> FileResponse:
        bench.refresh()
        pages = pages_of(bench.opened, alone, allow_missing=True)
        folder = TemporaryDirectory(prefix="export-")
        try:
            archive = zip_pages(pages, form, Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise
        after.add_task(folder.cleanup)
        return FileResponse(archive, filename=archive.name)
