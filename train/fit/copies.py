"""A training's folder at a URL: its files are on the local disk, and sent there at each save."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path

from train.data.places import names_in, receive, send
from train.fit.checkpoint import STATE

FOLDER = Path("~/.cache/segment-select-correct/trainings")


class Copy:
    """The local folder of one at a URL.

    Args:
        url: a `UPath`.

    Attributes:
        folder: where its files are on this disk.
    """

    def __init__(self, url: Path) -> None:
        self.url = url
        name = blake2b(str(url).encode(), digest_size=8).hexdigest()
        self.folder = FOLDER.expanduser() / name
        self._sent: dict[Path, tuple[int, int]] = {}

    def bring(self) -> Path:
        """Makes the folder what is at the URL; a newer state that was never sent is lost.

        Raises:
            OSError: it cannot be read.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in sorted(names_in(self.url)):
            receive(self.url / name, self.folder / name)
        return self.folder

    def send(self) -> None:
        """Sends the files that are new or have changed, the state last: a run that goes on from it
        has the others.

        Raises:
            WriteError: one cannot be written.
        """
        files = [file for file in self.folder.iterdir() if file.is_file()]
        for file in sorted(files, key=lambda file: (file.name == STATE, file.name)):
            status = file.stat()
            now = status.st_mtime_ns, status.st_size
            if self._sent.get(file) != now and not file.name.startswith("."):
                send(file, self.url / file.name)
                self._sent[file] = now
