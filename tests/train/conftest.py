"""Fixtures of several rooms' tests."""

import sys

import pytest

from tests.train.refcoco import write_refcoco


@pytest.fixture
def root(tmp_path):
    """A folder with a tiny RefCOCO."""
    write_refcoco(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _another_precision():
    """Lets each training in this process have a precision of its own."""

    def reset():
        if state := sys.modules.get("accelerate.state"):
            state.AcceleratorState._reset_state(reset_partial_state=True)

    reset()
    yield
    reset()
