"""S1 and S2 on disk: what is written comes back, and a killed run loses nothing."""

import gzip
import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.errors import InputError
from ssc.writing import BESIDE, beside_of, written
from tests.forks import ended, fork
from tests.train.pseudo.random_pictures import H, W, candidates, picture, thing
from tests.train.pseudo.toy_pseudo import make
from train.pseudo import store as files
from train.pseudo.records import PseudoPicture, decode, encode
from train.pseudo.store import (
    Store,
    begin,
    check_joined,
    missing_shards,
    shard_file,
    write_shard,
)


def same(a, b):
    assert (a.name, a.expressions, a.classes, a.chosen) == (
        b.name,
        b.expressions,
        b.classes,
        b.chosen,
    )
    assert (a.similarity == b.similarity).all()
    assert a.candidates.labels == b.candidates.labels
    for field in ("boxes", "scores", "masks", "qualities"):
        assert (getattr(a.candidates, field) == getattr(b.candidates, field)).all()
        assert getattr(a.candidates, field).dtype == getattr(b.candidates, field).dtype


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 4), max_size=3))
def test_a_picture_comes_back_bit_for_bit(seed, counts):
    before = picture(seed, counts)
    after = decode(json.loads(json.dumps(encode(before))))
    assert (after.name, after.size, after.error) == (before.name, before.size, None)
    assert len(after.objects) == len(counts)
    for a, b in zip(after.objects, before.objects):
        same(a, b)


def test_candidates_of_two_objects_are_held_once():
    rng = np.random.default_rng(0)
    shared = candidates(rng, 3)
    two = tuple(thing(rng, name, shared, ("x",)) for name in "ab")
    row = encode(PseudoPicture("p", (H, W), two))
    assert len(row["candidates"]) == 3
    assert row["objects"][0]["candidates"] == row["objects"][1]["candidates"] == [0, 1, 2]


def test_a_picture_that_could_not_be_read_keeps_its_place(tmp_path):
    begin(tmp_path, {"pictures": 2})
    write_shard(tmp_path, 0, [PseudoPicture("broken", (0, 0), (), "truncated"), picture(1)])
    store = Store.open(tmp_path)
    assert store[0] == ()
    assert store.picture(0).error == "truncated"
    assert (store.name(1), len(store[1])) == ("picture 1", 2)


def test_random_access_over_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SHARD", 4)
    monkeypatch.setattr(files, "KEPT_SHARDS", 1)
    begin(tmp_path, {"pictures": 10})
    for shard in range(3):
        write_shard(tmp_path, shard, [picture(k) for k in range(4 * shard, min(4 * shard + 4, 10))])
    store = Store.open(tmp_path)
    assert len(store) == 10
    for k in (9, 0, 5, 0, 3):
        same(store[k][0], picture(k).objects[0])
    with pytest.raises(IndexError):
        store[10]


def test_what_is_not_a_whole_store_is_named(tmp_path):
    with pytest.raises(InputError, match=r"found no manifest\.json"):
        Store.open(tmp_path)
    begin(tmp_path, {"pictures": 1})
    with pytest.raises(InputError, match="1 are missing, first shard-00000"):
        Store.open(tmp_path)
    (tmp_path / "shard-00000.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match=r"shard-00000\.jsonl\.gz: expected a shard"):
        Store.open(tmp_path)[0]
    (tmp_path / "shard-00000.jsonl.gz").unlink()
    write_shard(tmp_path, 0, [])
    with pytest.raises(InputError, match="expected 1 pictures, got 0"):
        Store.open(tmp_path)[0]
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match="expected format 1, got 99"):
        Store.open(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="expected the manifest of a store"):
        Store.open(tmp_path)


def test_another_setting_is_refused_and_another_revision_is_not(tmp_path):
    begin(tmp_path, {"pictures": 1, "sigma": 50.0, "revision": "a"})
    begin(tmp_path, {"pictures": 1, "sigma": 50.0, "revision": "b"})
    with pytest.raises(InputError, match=r"sigma = 50\.0, got 25\.0"):
        begin(tmp_path, {"pictures": 1, "sigma": 25.0, "revision": "a"})


def test_what_a_killed_process_was_writing_is_swept_away(tmp_path):
    begin(tmp_path, {"pictures": 1})
    with suppress(SystemError), written(shard_file(tmp_path, 0)) as beside:
        beside.write_bytes(b"half")
        child = subprocess.Popen(["true"])
        child.wait()
        beside_of(shard_file(tmp_path, 0), child.pid).write_bytes(b"half")  # as kill -9 leaves it
        raise SystemError
    assert missing_shards(tmp_path, 1) == [0]
    begin(tmp_path, {"pictures": 1})
    write_shard(tmp_path, 0, [picture(1)])
    assert {p.name for p in tmp_path.iterdir()} == {"manifest.json", "shard-00000.jsonl.gz"}
    same(Store.open(tmp_path)[0][0], picture(1).objects[0])


def test_what_another_command_writes_just_now_stays(tmp_path):
    begin(tmp_path, {"pictures": 1})
    elsewhere = tmp_path / BESIDE.format(name="0" * 12, machine="1" * 12, process=1)
    stranger = tmp_path / BESIDE.format(name="mine", machine="my", process="own")
    elsewhere.write_bytes(b"half")
    stranger.write_bytes(b"not ours")
    with written(shard_file(tmp_path, 0)) as beside:
        beside.write_bytes(b"half")
        begin(tmp_path, {"pictures": 1})
        assert beside.exists()
    begin(tmp_path, {"pictures": 1})
    assert elsewhere.exists()
    os.utime(elsewhere, (0, 0))
    os.utime(stranger, (0, 0))
    begin(tmp_path, {"pictures": 1})
    assert not elsewhere.exists()
    assert stranger.exists()


def test_a_machine_that_sees_another_folder_or_has_other_versions_is_refused(tmp_path):
    begin(tmp_path, {"pictures": 1, "files": "a", "versions": {"torch": "2"}})
    check_joined(tmp_path, {"pictures": 1, "versions": {"torch": "2"}, "revision": "b"})
    with pytest.raises(InputError, match=r"expected to go on with versions = .*got .*'3'"):
        check_joined(tmp_path, {"pictures": 1, "versions": {"torch": "3"}})
    with pytest.raises(InputError, match=r"expected a folder that all nodes share, found no mani"):
        check_joined(tmp_path / "other", {"pictures": 1})


# The rest runs `train.pseudo` with models and data that cost nothing.


def start(out, log=os.devnull):
    return fork(make, out, log)


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*.gz"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert ended(start(out)) == 0
    return content(out)


@pytest.mark.process
def test_the_run_is_complete(whole):
    assert len(whole) == 22
    for name, data in whole.items():
        [line] = gzip.decompress(data).splitlines()
        assert (json.loads(line)["error"] is not None) == (name == "shard-00013.jsonl.gz")


@pytest.mark.process
def test_ten_kills_leave_the_same_bytes(tmp_path, whole):
    rng = random.Random(0)
    for _ in range(10):
        process = start(tmp_path)
        before = len(content(tmp_path))
        while process.is_alive() and len(content(tmp_path)) == before:
            time.sleep(0.002)  # until it works, then for a random while
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        assert ended(process) == -signal.SIGKILL
    assert ended(start(tmp_path)) == 0
    assert content(tmp_path) == whole
    assert ended(start(tmp_path)) == 0  # nothing is left to do
    assert content(tmp_path) == whole
    assert len(list(tmp_path.iterdir())) == len(whole) + 1  # nor is anything left behind


@pytest.mark.process
def test_two_processes_at_once_leave_the_same_bytes(tmp_path, whole):
    out, log = tmp_path / "out", tmp_path / "log"
    processes = [start(out, log) for _ in range(2)]
    assert [ended(process) for process in processes] == [0, 0]
    assert content(out) == whole
