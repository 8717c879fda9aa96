"""A checkpoint by its folder or its id on the Hub, which is not asked here."""

from pathlib import Path

import pytest

import ssc
from ssc.errors import InputError
from ssc.models.bundled import ASSETS
from ssc.weights.checkpoints import find_checkpoint


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub that has one repository; the ids it was asked for."""
    asked = []

    def download(name, allow_patterns, local_files_only):
        if local_files_only:
            raise OSError("not in the cache")
        asked.append(name)
        assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in allow_patterns)
        if name != "someone/lavt":
            raise OSError("no such repository\nmore")
        return str(tmp_path / "hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return asked


def test_a_folder_comes_before_the_hub(hub, tmp_path, monkeypatch):
    (tmp_path / "someone" / "lavt").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("someone/lavt") == Path("someone/lavt")
    assert hub == []


def test_an_id_on_the_hub(hub, tmp_path):
    assert find_checkpoint("someone/lavt") == tmp_path / "hub"
    assert hub == ["someone/lavt"]


def test_an_id_that_the_hub_does_not_have(hub):
    with pytest.raises(InputError, match=r"no/one: expected .* the Hub says: no such repository$"):
        find_checkpoint("no/one")


@pytest.mark.parametrize("wrong", ["nowhere", "no/such/folder", "/nowhere", __file__])
def test_what_can_be_neither_is_not_asked_for(hub, wrong):
    with pytest.raises(InputError, match="expected the folder of a checkpoint or its id"):
        find_checkpoint(wrong)
    assert hub == []


def test_a_pipeline_takes_both(monkeypatch):
    bundled = ASSETS / "mini" / "lavt"
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(bundled))
    assert (
        ssc.load("mini", correct="someone/lavt").correct
        is ssc.load("mini", correct=bundled).correct
        is not None
    )
    with pytest.raises(InputError, match="expected the folder of a checkpoint"):
        ssc.load("mini", correct="nowhere")


def test_where_downloads_are_off_the_hub_is_not_asked(hub, monkeypatch):
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    with pytest.raises(InputError, match=r"no such folder, and downloads are switched off on this"):
        find_checkpoint("someone/lavt")
    assert not hub
