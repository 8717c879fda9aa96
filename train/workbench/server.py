"""The workbench's pages and calls, as a FastAPI application that any server can mount."""

from __future__ import annotations

import os
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from ssc.errors import InputError, OptionError, WriteError
from train.export.formats import TITLES
from train.workbench.folder_calls import FolderCalls, add_folders
from train.workbench.review_calls import add_review
from train.workbench.training_calls import add_trainings

if TYPE_CHECKING:
    from train.workbench.bench import Bench
    from train.workbench.trainings import Trainings

PAGE = Path(__file__).with_name("page")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SPACE, ALLOWED = "SPACE_ID", "SSC_WORKBENCH"
"""Environment variables: which a Hugging Face Space has, and which allows the workbench there."""


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


def build(
    bench: Bench | None = None,
    auth: tuple[str, str] | None = None,
    folders: FolderCalls | None = None,
    trainings: Trainings | None = None,
) -> FastAPI:
    """The application; each page stands where its part is given.

    Args:
        bench: the store under review.
        auth: name and password that whoever comes must give; None for this machine alone.
        folders: what answers about many pictures.
        trainings: runs to start and watch.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    there = {"review": bench, "folder": folders, "train": trainings}
    pages = [name for name, part in there.items() if part is not None]

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
    def first() -> Response:
        return _file(f"{pages[0]}.html")

    @app.get("/api/pages")
    def offered() -> dict[str, Any]:
        return {"pages": pages, "forms": TITLES}

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        if (PAGE / name).suffix not in TYPES or not (PAGE / name).is_file():
            return Response("no such file", 404)
        return _file(name)

    @app.get("/{name}")
    def page(name: str) -> Response:
        return _file(f"{name}.html") if name in pages else Response("no such page", 404)

    if bench is not None:
        add_review(app, bench)
    if folders is not None:
        add_folders(app, folders)
    if trainings is not None:
        add_trainings(app, trainings)
    return app


def _file(name: str) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Frame-Options": "SAMEORIGIN"}
    kind = TYPES[Path(name).suffix]
    return Response((PAGE / name).read_bytes(), media_type=kind, headers=headers)


def _has_login(request: Request, auth: tuple[str, str]) -> bool:
    kind, _, code = request.headers.get("authorization", "").partition(" ")
    login = ""
    with suppress(ValueError):
        login = b64decode(code).decode() if kind.lower() == "basic" else ""
    return secrets.compare_digest(login.encode(), ":".join(auth).encode())
