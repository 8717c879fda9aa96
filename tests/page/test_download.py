"""The page's downloads, with a download that comes in three steps."""

from threading import Event

import gradio as gr
import pytest
from huggingface_hub import constants

import demo_app
from ssc.errors import InputError
from ssc.models.published import files_of
from ssc.page import download as module
from ssc.page.choices import Choices, ModelSet
from ssc.page.download import stop_download, watch
from ssc.weights.downloads import Cancelled
from tests.fake_pipeline import fake_pipeline

LABEL = "Model set to download to the page's machine"


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Events that let each of three steps go by; what was asked for."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    monkeypatch.setattr(module, "_running", {})
    monkeypatch.setattr(module, "EVERY", 0.01)
    gates, asked = [Event() for _ in range(3)], []

    def download(files, report, cancelled):
        asked.append(files)
        for number, gate in enumerate(gates, 1):
            gate.wait(20)
            report(f"file-{number}.bin", number * 10**9, 3 * 10**9)
            if cancelled():
                raise Cancelled("stopped; what has come is kept")

    monkeypatch.setattr("ssc.weights.downloads.download_watched", download)
    return gates, asked


def until(states, words):
    return next(state for state in states if words in state[0])


def test_progress_and_end(steps):
    gates, asked = steps
    states = watch("base")
    text, start, stop = next(states)
    assert "base: connecting" in text
    assert (start["interactive"], stop["interactive"]) == (False, True)
    gates[0].set()
    assert 'value="0.3333"' in until(states, "base: 1,000 of 3,000 MB (file-1.bin)")[0]
    others = watch("base")  # another visitor sees the same download
    assert "1,000 of 3,000" in next(others)[0]
    gates[1].set()
    gates[2].set()
    for seen in (states, others):
        text, start, stop = list(seen)[-1]
        assert "base is here" in text
        assert (start["interactive"], stop["interactive"]) == (True, False)
    assert asked == [files_of("base")]


def test_stop_and_again(steps):
    gates, asked = steps
    states = watch("paper")
    next(states)
    stop_download("paper")
    stop_download("base")  # which nobody asked for
    gates[0].set()
    text, start, _ = list(states)[-1]
    assert "what has come is kept" in text
    assert "<progress" not in text
    assert start["interactive"]
    for gate in gates:
        gate.set()
    assert "paper is here" in list(watch("paper"))[-1][0]
    assert len(asked) == 2


def test_why_it_failed_is_said(steps, monkeypatch):
    def fail(*_):
        raise InputError("cannot be reached <offline>")

    monkeypatch.setattr("ssc.weights.downloads.download_watched", fail)
    assert (
        "The base set could not be downloaded. cannot be reached &lt;offline&gt;."
        in list(watch("base"))[-1][0]
    )


def test_what_is_here_or_unknown_is_not_asked_for(steps):
    _, asked = steps
    assert len(list(watch("mini"))) == 1
    assert asked == []


@pytest.mark.parametrize("case", ["some absent", "all here", "switched off"])
def test_controls(steps, monkeypatch, case):
    if case == "all here":
        monkeypatch.setattr("ssc.weights.files.Weights.present", True)
    if case == "switched off":
        monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    page = demo_app.build(Choices([ModelSet("mini", fake_pipeline)]))
    titles = [block.label for block in page.blocks.values() if isinstance(block, gr.Accordion)]
    assert ("Networks for photographs" in titles) == (case == "some absent")
    radios = [b for b in page.blocks.values() if getattr(b, "label", None) == LABEL]
    assert len(radios) == (case == "some absent")
    if radios:
        assert [value for _, value in radios[0].choices] == ["pocket", "lite", "base", "paper"]
        assert radios[0].choices[2][0].startswith("base, 2.3 GB. ")
