"""Stages 1 and 2 from and to a bucket, whose server drops and delays requests."""

import json
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssc.errors import ResourceError
from tests.forks import ended, fork
from tests.train.pseudo.toy_pseudo import make
from train.data import places
from train.data.__main__ import main as data
from train.data.places import names_in, place_of, read, write
from train.data.slice import SLICE, read_slice
from train.fit.initial import open_store
from train.pseudo import make as pseudo
from train.pseudo import store
from train.pseudo.__main__ import main
from train.pseudo.records import encode

KILLS = 3


@pytest.mark.process
@pytest.mark.filterwarnings("default")
def test_kills_lose_nothing_in_a_bucket_that_drops_requests(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD", 1)
    monkeypatch.setattr(pseudo, "SHARD", 1)
    alone, log, url = tmp_path / "alone", tmp_path / "log", f"{bucket.url}/pseudo"
    make(alone, os.devnull)
    chance, out = random.Random(0), place_of(url)
    for _ in range(KILLS):
        bucket.kill_at_work(fork(make, url, log), chance)
    assert ended(fork(make, url, log)) == 0
    names = {path.name for path in alone.iterdir()}
    assert names_in(out) == names
    assert all(read(out / name) == (alone / name).read_bytes() for name in names)
    there, here = store.Store.open(url), store.Store.open(alone)
    assert all(there._line(k) == here._line(k) for k in range(len(here)))
    assert len(log.read_text().splitlines()) <= len(here) + KILLS  # those in flight, and no more
    assert bucket.dropped
    assert bucket.cut


def test_the_commands_take_urls_wherever_paths_may_stand(tmp_path, monkeypatch, capsys):
    pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    monkeypatch.setattr(places, "FOLDER", tmp_path / "copies")
    scene = read_slice()[0]
    said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
    row = {"image": str(SLICE / f"{scene.name}.jpg"), "name": "a", "objects": said}
    table = tmp_path / "mine.jsonl"
    table.write_text(json.dumps(row) + "\n")
    data(["pack", str(table), "--out", "memory://own/packed"])
    text = capsys.readouterr().out.strip().removeprefix("--data '").removesuffix("'")
    main(["--data", text, "--out", "memory://own/pseudo"])
    main(["--data", str(table), "--out", str(tmp_path / "pseudo")])
    packed, local = place_of("memory://own/pseudo"), tmp_path / "pseudo"
    shard = "shard-00000.jsonl.gz"
    assert read(packed / shard) == (local / shard).read_bytes()
    manifests = [json.loads(read(folder / store.MANIFEST)) for folder in (packed, local)]
    for manifest in manifests:
        del manifest[store.SOURCE]
    assert manifests[0] == manifests[1]  # the same fingerprint, too
    opened = [open_store(folder)[0] for folder in (packed, local)]
    assert encode(opened[0].picture(0)) == encode(opened[1].picture(0))
    main(["--data", str(table), "--out", "memory://own/pseudo"])  # goes on, nothing is left


def test_copies_of_a_buckets_files_are_bounded_and_new_ones_are_seen(tmp_path, monkeypatch):
    pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    monkeypatch.setattr(places, "FOLDER", tmp_path / "copies")
    monkeypatch.setattr(places, "KEPT", 250)
    for k in range(4):
        write(place_of(f"memory://bounded/{k}"), bytes([k]) * 100)
        with places.opened(place_of(f"memory://bounded/{k}")) as file:
            assert file.read() == bytes([k]) * 100
    assert len([*(tmp_path / "copies").iterdir()]) == 2
    monkeypatch.setattr(places, "KEPT", 0)  # no room for a single one
    write(place_of("memory://bounded/4"), b"large")
    with places.opened(place_of("memory://bounded/4")) as file:
        assert file.read() == b"large"
    assert not [*(tmp_path / "copies").iterdir()]
    monkeypatch.setattr(places, "KEPT", 250)
    write(place_of("memory://bounded/3"), b"anew")
    with places.opened(place_of("memory://bounded/3")) as file:
        assert file.read() == b"anew"


def test_threads_that_want_one_file_copy_it_once(tmp_path, monkeypatch):
    pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    monkeypatch.setattr(places, "FOLDER", tmp_path / "copies")
    place, receive, received = place_of("memory://threads/a"), places.receive, []
    write(place, b"whole" * 1000)

    def slowly(place, copy):
        received.append(copy)
        time.sleep(0.1)
        receive(place, copy)

    def content(_):
        with places.opened(place) as file:
            return file.read()

    monkeypatch.setattr(places, "receive", slowly)
    with ThreadPoolExecutor(4) as threads:
        assert {*threads.map(content, range(4))} == {b"whole" * 1000}
    assert len(received) == 1


def test_what_fails_is_tried_again_and_what_is_not_there_is_not(monkeypatch):
    monkeypatch.setattr(places, "FIRST_WAIT", 0)
    tries = []

    def work(error, times):
        tries.append(1)
        if len(tries) <= times:
            raise error
        return "done"

    assert places._retried("x", lambda: work(ConnectionError("dropped"), 2)) == "done"
    tries.clear()
    with pytest.raises(OSError, match=r"x: tried 6 times, got: RuntimeError: again"):
        places._retried("x", lambda: work(RuntimeError("again"), 99))
    tries.clear()
    with pytest.raises(FileNotFoundError):
        places._retried("x", lambda: work(FileNotFoundError("x"), 99))
    assert len(tries) == 1


def test_what_reads_urls_is_named_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ResourceError, match=r"pip install 'segment-select-correct\[cluster\]'"):
        place_of("s3://bucket/a")
