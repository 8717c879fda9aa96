"""Who may come to the workbench, and what it refuses."""

import pytest
from starlette.testclient import TestClient

from ssc.errors import OptionError
from tests.train.toy_bench import bench_of, write
from train.workbench.server import ALLOWED, SPACE, build, check_access

HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return bench_of(write(tmp_path_factory.mktemp("store")))


def test_loopback_needs_no_password_and_others_do(monkeypatch):
    monkeypatch.delenv(SPACE, raising=False)
    assert check_access("127.0.0.1", None) is None
    with pytest.raises(OptionError, match=r"expected --auth user:password with --host 0\.0\.0\.0"):
        check_access("0.0.0.0", None)
    assert check_access("0.0.0.0", "ann:a:b") == ("ann", "a:b")
    with pytest.raises(OptionError, match="expected user:password"):
        check_access("0.0.0.0", "ann")
    monkeypatch.setenv(SPACE, "me/space")
    with pytest.raises(OptionError, match="SSC_WORKBENCH=1"):
        check_access("127.0.0.1", "ann:secret")
    monkeypatch.setenv(ALLOWED, "1")
    with pytest.raises(OptionError, match="expected --auth"):
        check_access("127.0.0.1", None)


def test_a_password_guards_every_page(bench):
    client = TestClient(build(bench, ("ann", "geheim ü")), base_url="http://example.org")
    for path in ("/", "/page/bench.js", "/api/order", "/api/picture/0"):
        assert client.get(path).status_code == 401
        assert client.get(path, auth=("ann", "x")).status_code == 401
        assert client.get(path, headers={"Authorization": b"Basic \xa7"}).status_code == 401
        assert client.get(path, auth=("ann", "geheim ü")).status_code == 200


def test_without_one_other_names_and_other_sites_are_refused(bench):
    client = TestClient(build(bench), base_url=HERE)
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    form = {"Content-Type": "text/plain"}
    assert client.post("/api/object/0", content="{}", headers=form).status_code == 415
    assert client.get("/page/../bench.py").status_code == 404
    assert client.get("/page/server.py").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/object/999", {"candidates": [0]}),
        ("/api/object/-1", {"candidates": [0]}),
        ("/api/object/5", {"candidates": [7]}),
        ("/api/object/5", {"drawn": ["x"]}),
        ("/api/object/5", {"candidates": "all"}),
        ("/api/words/5", {"expressions": []}),
        ("/api/words/5", {"expressions": ["", "", ""]}),
        ("/api/box/5", {"box": [5, 5, 5, 9]}),
        ("/api/box/5", {"box": [-9, -9, -1, -1]}),
    ],
)
def test_what_cannot_be_is_refused_and_not_written(bench, path, body):
    client = TestClient(build(bench), base_url=HERE)
    assert client.post(path, json=body).status_code == 422
    assert not bench.opened.reviews.path.exists()


def test_unknown_orders_and_pictures(bench):
    client = TestClient(build(bench), base_url=HERE)
    answer = client.get("/api/order?name=best")
    assert answer.status_code == 422
    assert answer.json()["error"] == "order: expected one of doubtful, picture, random, got 'best'"
    assert client.get("/api/picture/99").status_code == 422
