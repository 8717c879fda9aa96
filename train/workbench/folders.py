"""The jobs over many pictures: one runs at a time, and a new server goes on with them."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from queue import Queue
from shutil import copyfileobj, disk_usage
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from ssc.errors import InputError
from ssc.images import suffixes
from ssc.writing import make_folder, safe_stem, written
from train.workbench.job import FILE, PICTURES, RUNNING, TABLES, WAITING, Job

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline

PLACE = "folders"  # below home
NOWHERE = {"/", ".", ".."}  # parts of a path that leave a folder, or stay
ZIP = ".zip"
DAMAGED = (BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a ZIP raises that is damaged, encrypted or packed in another way."""


class Folders:
    """All jobs in `home/folders`.

    Args:
        home: the folder of all that the workbench makes.
        pipeline: model set and stage 3 by name → what segments.
    """

    def __init__(self, home: Path, pipeline: Callable[[str, str], Pipeline]) -> None:
        self.place, self._pipeline = home / PLACE, pipeline
        self._lock = Lock()
        self._queue: Queue[Job] = Queue()
        files = sorted(self.place.glob(f"*/{FILE}"))
        self.jobs = {file.parent.name: Job(file.parent, pipeline) for file in files}
        Thread(target=self._work, daemon=True, name="folders").start()
        for job in self.jobs.values():
            if job.state in (WAITING, RUNNING):  # a killed server's
                self._queue.put(job)

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            if job.state in (WAITING, RUNNING):
                job.run()

    def of(self, name: str) -> Job:
        """Raises InputError for none."""
        if name not in self.jobs:
            raise InputError(f"job: expected one of {', '.join(self.jobs) or 'none'}, got {name!r}")
        return self.jobs[name]

    def begin(self, title: str, settings: dict[str, Any]) -> Job:
        """A new job, named by its title; with a number where there is one already."""
        stem = safe_stem(" ".join(title.split()).replace(" ", "-") or "pictures")
        with self._lock:
            names = (f"{stem}-{k}" if k > 1 else stem for k in range(1, len(self.jobs) + 2))
            name = next(n for n in names if n not in self.jobs)
            job = Job.begin(self.place / name, settings, self._pipeline)
            self.jobs[name] = job
        return job

    def start(self, name: str) -> None:
        """Has a job run, after those that run; also one that was stopped.

        Raises:
            InputError: no such job, or there is nothing to ask or no picture.
        """
        job = self.of(name)
        if job.state not in (WAITING, RUNNING):
            job.set(total=len(job.pictures()))
            job.wait()
            self._queue.put(job)

    def arrive(self, name: str, path: str, beside: Path) -> None:
        """Takes an uploaded file, a picture, a table or a ZIP of them, from where it was written;
        another kind of file is left out.

        Args:
            path: its name in what the person chose, with folders.

        Raises:
            InputError: a damaged ZIP, or no room for it.
        """
        folder = self.of(name).folder / PICTURES
        if path.lower().endswith(ZIP):
            _unpack(beside, folder)
        elif target := _place(folder, path):
            make_folder(target.parent)
            beside.replace(target)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with ZipFile(archive) as packed:
            members = [m for m in packed.infolist() if not m.is_dir()]
            if sum(m.file_size for m in members) > disk_usage(folder).free:
                raise InputError("ZIP: expected less than the disk has room for")
            for member in members:
                if target := _place(folder, member.filename):
                    make_folder(target.parent)
                    with (
                        packed.open(member) as source,
                        written(target) as beside,
                        beside.open("wb") as file,
                    ):
                        copyfileobj(source, file)
    except DAMAGED as error:
        raise InputError(f"ZIP: expected a whole one without a password, got: {error}") from error


def _place(folder: Path, path: str) -> Path | None:
    """Where a file of an upload goes, always inside of `folder`; None for what is no picture or
    table."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in NOWHERE]
    if not parts or any(part.startswith((".", "__MACOSX")) for part in parts):
        return None
    suffix = Path(parts[-1]).suffix.lower()
    if suffix not in (*suffixes(), *TABLES):
        return None
    return folder.joinpath(*map(_safe, parts))


def _safe(part: str) -> str:
    stem, dot, suffix = part.rpartition(".")
    return f"{safe_stem(stem)}.{suffix}" if dot and stem else safe_stem(part)
