"""What runs in one process leave to each other."""

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def _another_precision():
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
