"""Fixtures of several rooms' tests."""

import random
import sys
import threading
import time

import pytest

from tests.train.refcoco import write_refcoco
from train.data import places

SHARE = 0.05  # of requests that are dropped, and as many that are delayed


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


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """The URL of a bucket of moto's server, behind what drops a twentieth of the requests."""
    pytest.importorskip("moto", reason="moto is not installed: no test reads or writes s3://")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    moto, chance = DomainDispatcherApplication(create_backend_app), random.Random(0)
    dropped = []

    def flaky(environ, start_response):
        drawn = chance.random()
        if drawn < SHARE:
            dropped.append(environ["PATH_INFO"])
            environ["werkzeug.socket"].close()
            raise ConnectionAbortedError
        if drawn < 2 * SHARE:
            time.sleep(0.2)
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, flaky, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(places, "FOLDER", tmp_path / "copies")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    places._retried("bucket", lambda: fs.exists("own") or fs.mkdir("own"))
    yield "s3://own", dropped
    server.shutdown()
    s3fs.S3FileSystem.clear_instance_cache()
