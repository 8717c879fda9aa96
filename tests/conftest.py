"""The tiers of tests, by what they use."""

import pytest

APART = {"browser", "process", "long", "slow"}


@pytest.hookimpl(tryfirst=True)  # before pytest heeds -m
def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        if not APART & {mark.name for mark in item.iter_markers()}:
            item.add_marker("fast")
