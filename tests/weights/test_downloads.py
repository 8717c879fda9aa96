"""Downloads from a server of our own: resumed, verified, atomic, and clear where they fail."""

import threading

import pytest
from huggingface_hub import constants

from ssc.errors import InputError
from ssc.weights import downloads
from ssc.weights.downloads import Cancelled, download, download_watched
from ssc.weights.files import Weights
from tests.weights.server import DATA, SHA, SIZE, Bar, Server, bars, left, weights


def test_a_whole_file_in_its_place(server):
    bars.clear()
    file = weights(server)
    assert not file.present
    download([file], Bar)
    assert file.path.read_bytes() == DATA
    assert file.present
    assert left(file) == ["weights.bin"]
    assert [(bar.total, bar.n, bar.desc) for bar in bars] == [(len(DATA), len(DATA), "weights.bin")]
    download([file], Bar)
    assert len(Server.asked) == 1  # what is there is not asked for


def test_hub_files_land_where_the_hub_looks_for_them(server, monkeypatch):
    from huggingface_hub import try_to_load_from_cache

    monkeypatch.setattr(constants, "ENDPOINT", server)
    revision = "a" * 40
    file = weights("some/model", revision=revision)
    download([file], Bar)
    assert Server.asked == [(f"/some/model/resolve/{revision}/weights.bin", 0)]
    found = try_to_load_from_cache(
        "some/model", "weights.bin", constants.HF_HUB_CACHE, revision=revision
    )
    assert found == str(file.path)


def test_goes_on_where_it_stopped(server):
    file = weights(server)
    file.path.parent.mkdir(parents=True)
    partial = file.path.with_name("weights.bin.incomplete")
    partial.write_bytes(DATA[:1000])  # as kill -9 leaves it
    Server.cut = 3000  # and the connection breaks once more
    download([file], Bar)
    assert [start for _, start in Server.asked] == [1000, 4000]
    assert file.path.read_bytes() == DATA


def test_begins_again_where_the_server_cannot_resume(server):
    file = weights(server)
    file.path.parent.mkdir(parents=True)
    file.path.with_name("weights.bin.incomplete").write_bytes(b"x" * 1000)
    Server.ranges = False
    download([file], Bar)
    assert file.path.read_bytes() == DATA


def test_whole_but_not_yet_moved(server):
    for file in (weights(server), weights(server, size=None)):
        file.path.unlink(missing_ok=True)
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.with_name("weights.bin.incomplete").write_bytes(DATA)
        download([file], Bar)
        assert file.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sha256": "0" * 64}, f"got SHA-256 {SHA}"),
        ({"size": 5}, f"expected 5 bytes of SHA-256 {SHA}, got one of {len(DATA)} bytes"),
        ({"file": "other.bin"}, "got the answer 404 Not Found"),
    ],
)
def test_another_file_than_stated_is_not_kept(server, changed, message):
    file = weights(server, **changed)
    with pytest.raises(InputError, match=message):
        download([file], Bar)
    assert not file.path.exists()
    assert left(file) == []


def test_damaged_remains_are_thrown_away(server):
    file = weights(server)
    file.path.parent.mkdir(parents=True)
    file.path.with_name("weights.bin.incomplete").write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match="got SHA-256"):
        download([file], Bar)
    download([file], Bar)
    assert file.path.read_bytes() == DATA


def test_access_that_its_authors_grant(server, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", server)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    file = Weights("weights.bin", "some/model", "main", SIZE, SHA, "theirs", gated=True)
    Server.token = "mine"
    for token, code in (("", 401), ("another", 403)):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(InputError, match=f"some/model: expected access .* {code}") as told:
            download([file])
        assert f"ask for it on {server}/some/model, then run hf auth login" in str(told.value)
        assert "\n" not in str(told.value)
        assert left(file) == []
    monkeypatch.setenv("HF_TOKEN", "mine")
    download([file])
    assert file.path.read_bytes() == DATA
    open_to_all = weights("some/model", revision="b" * 40)
    with pytest.raises(InputError, match="got the answer 401"):  # no token is sent for others
        download([open_to_all])


def test_no_network(server, monkeypatch):
    file = weights("http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused.*copy .* here") as told:
        download([file], Bar)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        download([weights(server)], Bar)
    assert Server.asked == []


def test_two_at_once_download_once(server):
    file = weights(server)
    threads = [threading.Thread(target=download, args=([file], Bar)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Server.asked) == 1
    assert file.path.read_bytes() == DATA


def test_watched(server, monkeypatch):
    """Files of one name, as the two CLIPs of a set are, count as two."""
    monkeypatch.setattr(constants, "ENDPOINT", server)
    small, large = (weights(f"some/{name}", revision="a" * 40) for name in ("small", "large"))
    done = weights(server)
    download([done], Bar)
    seen = []
    download_watched([done, small, large], lambda *told: seen.append(told))
    assert small.path.read_bytes() == large.path.read_bytes() == DATA
    assert {name for name, _, _ in seen} == {"weights.bin"}
    counts = [count for _, count, _ in seen]
    assert (counts[0], counts[-1]) == (0, 2 * SIZE)
    assert counts == sorted(counts)
    assert all(count <= whole for _, count, whole in seen)
    download_watched([done, small, large], lambda *_: pytest.fail("all is here"))


def test_watched_stops_and_goes_on(server, monkeypatch):
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    file = weights(server)
    seen = []
    with pytest.raises(Cancelled, match="what has come is kept"):
        download_watched([file], lambda *told: seen.append(told), lambda: len(seen) > 3)
    assert not file.path.exists()
    assert seen[-1] == ("weights.bin", 3000, SIZE)
    download_watched([file], lambda *told: seen.append(told))
    assert [start for _, start in Server.asked] == [0, 3000]
    assert seen[4] == ("weights.bin", 3000, SIZE)
    assert file.path.read_bytes() == DATA


def test_switched_off(server, monkeypatch):
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    file = weights(server)
    for ask in (download, lambda files: download_watched(files, print)):
        with pytest.raises(InputError, match=r"switched off on this machine \(SSC_NO_DOWNLOADS"):
            ask([file])
    assert Server.asked == []
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "0")
    download([file], Bar)
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    download([file], Bar)  # it is here
