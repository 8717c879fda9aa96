"""The server that downloads are tried against."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from ssc.weights import downloads
from tests.weights.server import Server


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    monkeypatch.setattr(downloads, "SPARE", 0)
    monkeypatch.setattr(downloads.time, "sleep", lambda _: None)
    Server.cut, Server.ranges, Server.asked, Server.token = 0, True, [], ""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()
