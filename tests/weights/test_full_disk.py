"""Downloads to a disk that is or becomes full."""

import shutil
from collections import namedtuple

import pytest
from huggingface_hub import constants

from ssc.errors import DownloadError, InputError, WriteError
from ssc.weights import downloads
from ssc.weights.downloads import download
from ssc.writing import make_folder
from tests.weights.server import DATA, SIZE, Bar, Server, left, weights


def test_no_space(server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    file = weights(server)
    with pytest.raises(InputError, match=r"expected 0.00 GB of free space.*HF_HOME"):
        download([file], Bar)
    assert Server.asked == []
    monkeypatch.undo()


def test_disk_that_fills_up(server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Bar, "update", full)
    with pytest.raises(InputError, match="no space left"):
        download([weights(server)], Bar)


@pytest.mark.parametrize("size", ["4k", "8k"])
@pytest.mark.parametrize("known", [False, True])
def test_a_download_goes_on_to_the_same_bytes(disk, server, monkeypatch, size, known):
    place = disk(size)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    monkeypatch.setattr(downloads, "CHUNK", 1000)
    file = weights(server, size=SIZE if known else None)
    says = (
        r"expected .* of free space .* got|weights\.bin: no space left .* needs more, .* are free;"
    )
    with pytest.raises(DownloadError, match=says) as full:
        download([file], Bar)
    assert "HF_HOME" in str(full.value)
    assert str(place) in str(full.value)
    assert not file.present
    asked = Server.asked
    assert bool(asked) != known  # told before it begins, where the size is known
    disk("1m")
    download([file], Bar)
    assert file.path.read_bytes() == DATA
    assert left(file) == ["weights.bin"]
    if not known:
        assert asked[-1][1] > 0  # it went on


def test_a_disk_without_room_for_a_name(disk, server, monkeypatch):
    """Where files are many it is full of names before it is of bytes."""
    place = disk("1m,nr_inodes=2")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place / "hub"))
    with pytest.raises(DownloadError, match="no space left on the disk"):
        download([weights(server)], Bar)
    with pytest.raises(WriteError, match="No space left on the disk"):
        make_folder(place / "a" / "b")
