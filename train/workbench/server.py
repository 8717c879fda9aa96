"""The workbench's pages and calls, as a FastAPI application that any server can mount."""

from __future__ import annotations

import os
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, Field

from ssc.errors import InputError, OptionError, WriteError

if TYPE_CHECKING:
    from train.workbench.bench import Bench

PAGE = Path(__file__).with_name("page")
TYPES = {"index.html": "text/html", "bench.css": "text/css", "bench.js": "text/javascript"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SPACE, ALLOWED = "SPACE_ID", "SSC_WORKBENCH"
"""Environment variables: which a Hugging Face Space has, and which allows the workbench there."""


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


def check_access(host: str, auth: str | None) -> tuple[str, str] | None:
    """Who may come: the name and password of `--auth`.

    Raises:
        OptionError: others could reach it without a password, or it is a Space that does not allow
            it.
    """
    if os.environ.get(SPACE) and os.environ.get(ALLOWED) != "1":
        raise OptionError(f"workbench: expected {ALLOWED}=1 to open it on a Space, got none")
    public = host not in LOOPBACK or bool(os.environ.get(SPACE))
    if auth is None:
        if public:
            raise OptionError(
                f"workbench: expected --auth user:password with --host {host}, got none; without "
                "it the workbench is for this machine alone"
            )
        return None
    name, colon, password = auth.partition(":")
    if not (name and colon and password):
        raise OptionError("--auth: expected user:password, got another text")
    return name, password


def build(bench: Bench, auth: tuple[str, str] | None = None) -> FastAPI:
    """The application over a bench.

    Args:
        auth: name and password that whoever comes must give; None for this machine alone.
    """
    from train.workbench.shapes import colours
    from train.workbench.take import zip_export

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
        if auth is not None and not _has_login(request, auth):
            ask = {"WWW-Authenticate": 'Basic realm="workbench", charset="UTF-8"'}
            return Response("a name and a password, please", 401, ask)
        if auth is None and (request.url.hostname or "") not in LOOPBACK:
            return Response("for this machine alone", 403)  # a name that leads here by its DNS
        if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
            return Response("expected JSON", 415)  # what other sites' forms cannot send
        return await handle(request)

    @app.exception_handler(InputError)
    async def refuse(request: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 507 if isinstance(error, WriteError) else 422)

    @app.get("/")
    def page() -> Response:
        return _file("index.html")

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        if name not in TYPES:
            return Response("no such file", 404)
        return _file(name)

    @app.get("/api/order")
    def order(name: str = "doubtful", undecided: bool = True) -> dict[str, Any]:
        numbers = bench.order(name, undecided)
        return {"numbers": numbers, "colours": colours(), **bench.progress(1 << 60)}

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
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(bench.jpeg(picture), media_type="image/jpeg", headers=headers)

    @app.post("/api/object/{number}")
    def decide(number: int, choice: Choice) -> dict[str, Any]:
        return bench.decide(number, choice.who, choice.candidates, choice.drawn, choice.order)

    @app.post("/api/words/{number}")
    def say(number: int, words: Words) -> dict[str, Any]:
        return bench.say(number, words.who, words.expressions)

    @app.post("/api/box/{number}")
    def box(number: int, drawn: Box) -> dict[str, Any]:
        return bench.box(number, drawn.box)

    @app.get("/api/export/{form}")
    def export(form: str, after: BackgroundTasks, alone: bool = False) -> FileResponse:
        bench.refresh()
        folder = TemporaryDirectory(prefix="export-")
        try:
            archive = zip_export(bench.opened, form, alone, Path(folder.name))
        except BaseException:
            folder.cleanup()
            raise
        after.add_task(folder.cleanup)
        return FileResponse(archive, filename=archive.name)

    return app


def _file(name: str) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Frame-Options": "SAMEORIGIN"}
    return Response((PAGE / name).read_bytes(), media_type=TYPES[name], headers=headers)


def _has_login(request: Request, auth: tuple[str, str]) -> bool:
    kind, _, code = request.headers.get("authorization", "").partition(" ")
    login = ""
    with suppress(ValueError):
        login = b64decode(code).decode() if kind.lower() == "basic" else ""
    return secrets.compare_digest(login.encode(), ":".join(auth).encode())
