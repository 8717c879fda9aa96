"""ZeroGPU's own package in its emulation of CUDA: what is moved where, and in which thread."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHILD = """
import sys
from threading import Thread
import ssc.page.gpu as gpu  # first, as ZeroGPU asks
assert gpu.spaces is not None
from pathlib import Path
from pytest import MonkeyPatch
import torch
from huggingface_hub import constants
constants.HF_HUB_CACHE = sys.argv[1]
from tests.models.tiny_base import bring_base
from tests.models.tiny_lite import bring_lite
from ssc.models.parts import WEIGHTS
from ssc.models.sets import _sets, keep_all, load
from ssc.page.choices import find_choices
from ssc.page.endpoints import asks
from ssc.page.request import defaults

patch = MonkeyPatch()
with torch.device("cpu"):
    bring_lite(patch)
    bring_base(patch)
choices = find_choices(only_named=True)
assert list(choices.sets) == ["base", "lite", "mini"], list(choices.sets)
keep_all(list(choices.sets))
for part in (load("lite").segment.detector, load("base").segment.detector.network):
    assert next(part.model.parameters()).device.type == "cuda"
answer = asks(choices)

def within(function):
    "What came of a call in a worker thread, where nothing is emulated."
    came = []
    def run():
        try:
            came.append(function())
        except Exception as error:
            came.append(error)
    thread = Thread(target=run)
    thread.start()
    thread.join()
    return came[0]

def options(name, words):
    return [*{**defaults(choices), "models": name, "vocabulary": words}.values()]

for name in choices.sets:
    words = "" if name == "mini" else "dog, cat"
    found = within(lambda: choices.with_options(options(name, words)))
    assert not isinstance(found, Exception), found
    print(name, len(found.segment.classes.vocabulary))
_sets._values.clear()  # as if it had not been loaded at start
late = within(lambda: choices.with_options(options("lite", "")))
print(type(late).__name__, "Low-level CUDA init" in str(late))
"""


@pytest.mark.long
@pytest.mark.process
@pytest.mark.skipif(find_spec("spaces") is None, reason="needs the package spaces")
def test_every_set_that_is_offered_can_be_chosen_in_a_worker_thread(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": "http://127.0.0.1:9",
        "SSC_MODELS": "base,lite,mini",
    }
    command = [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path / "hub")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert lines == ["base 2", "lite 2", "mini 80", "RuntimeError True"], done.stderr[-3000:]
