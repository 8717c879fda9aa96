"""One thread for each process of tests, and their tiers, by what they use."""

import os
import subprocess
from collections import Counter
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from ssc.processors import share_processors

# Networks this small take longer on more threads. Processes of tests inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
share_processors()
# The default set, whatever sets are on this machine; tests of the default unset it.
os.environ.setdefault("SSC_MODELS", "mini")

# Of two processes of tests, one whose page ends would delete what the other's holds.
_uploads = TemporaryDirectory(prefix="gradio-tests-", ignore_cleanup_errors=True)
os.environ["GRADIO_TEMP_DIR"] = _uploads.name

# A first example may load a parser, and machines are shared.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

APART = {"browser", "process", "long", "slow"}


@pytest.hookimpl(tryfirst=True)  # before pytest heeds -m
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        if not APART & {mark.name for mark in item.iter_markers()}:
            item.add_marker("fast")
    # Files with long tests begin first: of several processes none is then left alone with one.
    apart = Counter(item.path for item in items if "fast" not in item.keywords)
    items.sort(key=lambda item: -apart[item.path])


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own: makes it of a size, or of another size later."""
    place = tmp_path / "disk"
    place.mkdir()

    def of(size):
        how = f"size={size}" + (",remount" if place.is_mount() else "")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("no file system can be mounted here")
        return place

    yield of
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)
