"""The calls of the page that starts trainings and watches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from ssc.errors import InputError
from train.run.steps import RECIPES
from train.workbench.drawings import SIDES, draw_curves, draw_matches, draw_sides

if TYPE_CHECKING:
    from train.workbench.trainings import Trainings

REPORT = "report.html"


class Form(BaseModel):
    """What `train run` is given: text as on its command line, empty for its defaults."""

    fields: dict[str, str] = Field(max_length=20)


def add_trainings(app: FastAPI, trainings: Trainings) -> None:
    """Adds them."""

    @app.get("/api/trainings")
    def every() -> dict[str, Any]:
        starts = [{"title": title, "init": init} for title, init in trainings.starts().items()]
        return {"runs": trainings.all(), "starts": starts, "recipes": list(RECIPES)}

    @app.post("/api/trainings/plan")
    def plan(form: Form) -> dict[str, str]:
        return {"plan": trainings.plan(form.fields)}

    @app.post("/api/trainings")
    def start(form: Form) -> dict[str, Any]:
        return trainings.of(trainings.start(form.fields))

    @app.post("/api/trainings/{name}/go-on")
    def go_on(name: str) -> dict[str, Any]:
        trainings.go_on(name)
        return trainings.of(name)

    @app.post("/api/trainings/{name}/stop")
    def stop(name: str) -> dict[str, Any]:
        trainings.stop(name)
        return trainings.of(name)

    @app.get("/api/trainings/{name}")
    def one(name: str) -> dict[str, Any]:
        return trainings.of(name)

    @app.get("/api/trainings/{name}/curves")
    def curves(name: str) -> Response:
        return Response(draw_curves(trainings.folder(name)), media_type="image/svg+xml")

    @app.get("/api/trainings/{name}/matches")
    def matches(name: str) -> Response:
        return Response(draw_matches(trainings.folder(name)), media_type="image/png")

    @app.get("/api/trainings/{name}/sides")
    def sides(name: str) -> dict[str, Any]:
        return {"sides": draw_sides(trainings.folder(name))}

    @app.get("/api/trainings/{name}/sides/{file}")
    def side(name: str, file: str) -> FileResponse:
        known = trainings.folder(name) / SIDES
        if file not in {path.name for path in known.glob("*.jpg")}:
            raise InputError("picture: expected one that is drawn")
        return FileResponse(known / file)

    @app.get("/api/trainings/{name}/report")
    def report(name: str) -> FileResponse:
        file = trainings.folder(name) / REPORT
        if not file.exists():
            raise InputError(f"{name}: expected a report, got none yet")
        return FileResponse(file, media_type="text/html")
