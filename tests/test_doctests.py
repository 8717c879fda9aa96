"""The examples in docstrings run, and each public name has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import ssc

HOMES = ("ssc", "ssc.errors", *dict.fromkeys(ssc._HOMES.values()))


@pytest.mark.parametrize("home", dict.fromkeys(HOMES))
def test_examples_run(home, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])  # they name pictures of assets/
    results = doctest.testmod(import_module(home), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", ssc.__all__)
def test_each_public_name_has_an_example(name):
    assert ">>> " in getattr(ssc, name).__doc__
