"""Locks between processes."""

import fcntl
import time
from threading import Timer

from train.data import locks
from train.data.locks import hold, is_held


def test_a_lock_is_seen_and_refused_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    file = tmp_path / "lock"
    assert not is_held(file)
    with file.open("w") as one, file.open("w") as other:
        assert hold(one)
        assert is_held(file)
        assert not hold(other)
    assert not is_held(file)


def test_who_looks_does_not_keep_another_from_it(tmp_path):
    file = tmp_path / "lock"
    with file.open("w") as looking, file.open("w") as own:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as `is_held` has it, for longer
        release = Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN))
        release.start()
        began = time.monotonic()
        assert hold(own)
        assert time.monotonic() - began >= 0.05
        release.join()
