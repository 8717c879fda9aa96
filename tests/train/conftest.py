"""Fixtures of several rooms' tests."""

import pytest

from tests.train.refcoco import write_refcoco


@pytest.fixture
def root(tmp_path):
    """A folder with a tiny RefCOCO."""
    write_refcoco(tmp_path)
    return tmp_path
