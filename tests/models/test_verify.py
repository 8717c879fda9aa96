"""`python -m ssc verify`."""

from copy import copy

import numpy as np
import pytest

from ssc.__main__ import main
from ssc.models import verify as module
from ssc.models.sets import load
from ssc.pipeline import Pipeline

pytestmark = pytest.mark.long


def test_mini_passes_and_says_what_a_maintainer_needs(capsys):
    assert main(["verify", "--models", "mini"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "model set mini"
    assert "torch" in lines[1]
    assert lines[-1] == "all checks passed"
    checks = [line for line in lines if line.startswith("ok")]
    assert len(checks) == 2 + len(module.PICTURES)
    [people] = [line for line in checks if "people.jpg" in line]
    assert "person" in people
    assert "answer" in people


def test_what_is_wrong_is_told_and_the_rest_still_runs(tmp_path, monkeypatch, capsys):
    class File:
        file, source, sha256, path = "a.bin", "somewhere", "0" * 64, tmp_path / "a.bin"

    File.path.write_bytes(b"damaged")
    own = load("mini")

    class Nowhere:
        def segment(self, image, boxes):
            masks = np.zeros((len(boxes), *image.shape[:2]), bool)
            return masks, np.ones(len(boxes), np.float32)

    segment = copy(own.segment)  # a loaded set is kept for others
    segment.segmenter = Nowhere()
    broken = Pipeline(segment, own.select)
    monkeypatch.setattr(module, "SETS", {"mini": ("a part",)})
    monkeypatch.setattr(module, "files_of", lambda _: [File])
    monkeypatch.setattr(module, "load", lambda _: broken)
    assert main(["verify", "--models", "mini"]) == 1
    out = capsys.readouterr().out
    assert "FAILED file a.bin of somewhere: expected SHA-256 000" in out
    assert "FAILED masks of two squares: expected IoU of 0.7 or more, got 0.00" in out
    assert out.endswith("2 checks FAILED: please report all this\n")
    assert "ok     people.jpg, S+S" in out
