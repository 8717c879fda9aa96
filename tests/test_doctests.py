"""The examples in docstrings and of errors run, and each public name has one."""

import doctest
import sys
from importlib import import_module
from pathlib import Path

import pytest
from huggingface_hub import constants

import ssc
from ssc import errors

ROOT = Path(__file__).parents[1]
HOMES = ("ssc", "ssc.errors", *dict.fromkeys(ssc._HOMES.values()))


@pytest.mark.parametrize("home", dict.fromkeys(HOMES))
def test_examples_run(home, monkeypatch):
    monkeypatch.chdir(ROOT)  # they name pictures of assets/
    results = doctest.testmod(import_module(home), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


def test_the_page_of_errors_is_true(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    monkeypatch.setitem(sys.modules, "supervision", None)
    page = ROOT / "docs" / "errors.md"
    results = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0
    kinds = [errors.InputError, *errors.InputError.__subclasses__()]
    kinds = [kind for kind in kinds if kind.__module__ == errors.__name__]
    assert [kind for kind in kinds if f"`{kind.__name__}`" not in page.read_text()] == []


@pytest.mark.parametrize("name", ssc.__all__)
def test_each_public_name_has_an_example(name):
    assert ">>> " in getattr(ssc, name).__doc__
