"""The base and paper sets: complete tables, one clear message without weights, built from files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from ssc import clip
from ssc.cache import Cache
from ssc.errors import InputError
from ssc.models import published as pretrained
from ssc.models.loaders import CLIPS, DETECTORS, SEGMENTERS
from ssc.models.parts import WEIGHTS
from ssc.models.pocket import POCKET
from ssc.models.published import SETS, build, files_of
from ssc.models.sets import default_set, load
from tests.models.tiny_base import bring_base, fill_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("ssc.models.sets._sets", Cache(2))
    return tmp_path / "hub"


def test_table(cache):
    files = [file for group in WEIGHTS.values() for file in group]
    for file in files:
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert re.fullmatch("[0-9a-f]{40}|main|", file.revision)
        assert file.package or file.url.startswith("https://")
        assert file.url.endswith(f"/{file.file}")
        assert file.path.is_relative_to(cache)
    assert len({file.path for file in files}) == len(files)
    for parts in SETS.values():
        assert set(parts) <= WEIGHTS.keys()
        if parts != POCKET:
            assert parts.projection in CLIPS
            assert parts.selection in CLIPS
            assert parts.segmenter in SEGMENTERS
            assert parts.detector in DETECTORS
        # What a revision is stated of is pinned by hash, and so is every large file by size.
        pinned = [part for part in parts if WEIGHTS[part][0].revision != "main"]
        assert all(file.sha256 for part in pinned for file in WEIGHTS[part])
        assert all(WEIGHTS[part][0].size for part in pinned)
    assert set(CLIPS.values()) == {*clip.OPENAI, *clip.PE}


@pytest.mark.parametrize("name", list(SETS))
def test_clean_cache_without_network(cache, name):
    with pytest.raises(InputError) as told:
        load(name)
    message = str(told.value)
    assert f"run python -m ssc models --download {name}" in message
    assert re.search(r"\(\d.* ([GM]B|files)\)", message)
    assert str(cache) in message
    assert "\n" not in message
    assert not cache.exists()  # and nothing was begun


def test_offline_is_told_too(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="--download base with HF_HUB_OFFLINE unset"):
        build("base")


def test_the_default_is_the_best_set_that_is_here(cache, monkeypatch):
    def bring(name):
        for file in files_of(name):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            with file.path.open("wb") as sparse:
                sparse.truncate(file.size or 1)

    monkeypatch.delenv("SSC_MODELS", raising=False)
    monkeypatch.setattr(pretrained, "find_spec", lambda _: object())  # of onnxruntime
    monkeypatch.setattr("socket.socket", None)  # nothing is asked of the network
    assert default_set() == "mini"
    bring("pocket")
    assert default_set() == "pocket"
    monkeypatch.setattr(pretrained, "find_spec", lambda _: None)
    assert default_set() == "mini"
    bring("lite")
    assert default_set() == "lite"
    bring("base")
    assert default_set() == "base"
    bring("paper")
    assert default_set() == "paper"
    WEIGHTS["sam-vit-h"][0].path.unlink()  # all of it, or none
    assert default_set() == "base"
    monkeypatch.setenv("SSC_MODELS", "mini")
    assert default_set() == "mini"
    assert load(None).segment is load("mini").segment
    monkeypatch.setenv("SSC_MODELS", "huge")
    with pytest.raises(InputError, match=r"SSC_MODELS: expected one of mini, .* got 'huge'"):
        load()


@pytest.mark.process
@pytest.mark.parametrize("offline", ["0", "1"])
def test_clean_cache_in_a_process_of_its_own(tmp_path, offline):
    """The default is found, and `base` refused in one line, before anything heavy is loaded."""
    code = """
import sys, socket
socket.socket.connect = None
from ssc.models.sets import default_set
from ssc.__main__ import main
print(default_set())
code = main([sys.argv[1], "the dog", "--models", "base"])
print(code, [name for name in ("torch", "transformers", "open_clip") if name in sys.modules])
"""
    picture = str(Path(__file__).parents[2] / "assets" / "examples" / "people.jpg")
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": offline}
    for name in ("SSC_MODELS", "HF_HUB_CACHE"):
        environment.pop(name, None)
    command = [sys.executable, "-c", code, picture]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["mini", "2 []"], done.stderr
    assert done.stderr.count("\n") == 1
    assert "run python -m ssc models --download base" in done.stderr
    assert ("HF_HUB_OFFLINE" in done.stderr) == (offline == "1")


def test_names(cache):
    assert {file.file for file in files_of("sam-vit-l")} == {"sam_vit_l_0b3195.pth"}
    with pytest.raises(InputError, match=r"one of pocket, lite, base, paper, .* got 'large'"):
        files_of("large")


@pytest.mark.long
def test_base_end_to_end_on_tiny_networks(cache, monkeypatch):
    bring_base(monkeypatch)
    monkeypatch.setattr("socket.socket.connect", None)  # the network is cut off
    pipeline = build("base")
    again = build("base")  # while one is there, its networks are shared
    assert again.segment.segmenter is pipeline.segment.segmenter
    assert again.select.clip is pipeline.select.clip
    encoders = pipeline.segment.segmenter.model.image_encoder, pipeline.select.clip.model.visual
    assert not any(encoder._compiled_call_impl for encoder in encoders)
    pipeline.segment.detector.threshold = 0.5
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    objects = ["the person on the left", ["a dog", "the hot dog"]]
    together = pipeline(image, objects)
    assert any(len(result.candidates) for result in together)
    for item, result in zip(objects, together):
        [single] = pipeline(image, [item])
        assert single.candidates.labels == result.candidates.labels
        assert np.array_equal(single.candidates.masks, result.candidates.masks)
        np.testing.assert_allclose(single.selection.scores, result.selection.scores, atol=1e-5)
        assert set(result.candidates.labels) <= {*result.classes, *result.taken}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "paper"])
def test_true_to_size(cache, monkeypatch, name):
    """Random networks of the published sizes from a cache: minutes, 8 GB of memory and of disk."""
    import open_clip
    import torch
    from segment_anything import sam_model_registry
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(0)
    fill_cache(
        name,
        monkeypatch,
        lambda: GroundingDinoForObjectDetection(GroundingDinoConfig()),
        lambda architecture: sam_model_registry[architecture](),
        lambda part: open_clip.model.CLIP(**open_clip.get_model_config(CLIPS[part])),
    )
    monkeypatch.setattr("socket.socket.connect", None)
    pipeline = load(name)
    segment, clip_model = pipeline.segment, pipeline.select.clip.model
    assert clip_model.visual.image_size == ((224, 224) if name == "base" else (336, 336))
    blocks = len(segment.segmenter.model.image_encoder.blocks)
    assert blocks == (12 if name == "base" else 32)
    segment.detector.threshold = segment.detector.text_threshold = 0.0  # random scores
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    boxes, scores, labels = segment.detector.detect(image, ["person", "dog"])
    assert len(boxes) == len(scores) == len(labels) > 0
    segment.detector.detect = lambda *_: (boxes[:3], scores[:3], labels[:3])
    [result] = pipeline(image, ["the zebra on the left"])
    assert result.classes == ("zebra",)
    assert result.candidates.masks.shape[1:] == (240, 320)
    assert len(result.selection.scores) == len(result.candidates)
    assert np.isfinite(result.selection.scores).all()
