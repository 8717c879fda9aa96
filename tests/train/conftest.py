"""Fixtures of several rooms' tests."""

import sys

import pytest

from tests.train.bucket import Bucket
from tests.train.refcoco import write_refcoco


@pytest.fixture
def root(tmp_path):
    """A folder with a tiny RefCOCO."""
    write_refcoco(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _another_precision():
    """Lets each training in this process have a precision of its own."""

    def reset():
        if state := sys.modules.get("accelerate.state"):
            state.AcceleratorState._reset_state(reset_partial_state=True)

    reset()
    yield
    reset()


@pytest.fixture(scope="module")
def server():
    """A bucket behind what drops requests; processes that are started here find it."""
    pytest.importorskip("moto", reason="moto is not installed: no test reads or writes s3://")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    with Bucket() as bucket, pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield bucket
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """The same, empty, with a home of its own, where copies of its files are."""
    server.empty()
    monkeypatch.setenv("HOME", str(tmp_path))
    return server
