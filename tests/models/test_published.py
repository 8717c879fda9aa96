"""The base and paper sets: complete tables, one clear message without weights, built from files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.torch import save_file

from ssc import clip
from ssc.errors import InputError
from ssc.models import published as pretrained
from ssc.models.pocket import POCKET
from ssc.models.published import CLIPS, SAMS, SETS, WEIGHTS, build, files_of
from ssc.models.sets import default_set, load


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    caches = build, pretrained._clip, pretrained._detector, pretrained._segmenter
    for function in caches:
        function.cache_clear()
    yield tmp_path / "hub"
    for function in caches:
        function.cache_clear()


def test_table(cache):
    files = [file for group in WEIGHTS.values() for file in group]
    for file in files:
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert not file.revision or re.fullmatch("[0-9a-f]{40}", file.revision)
        assert file.package or file.url.startswith("https://")
        assert file.url.endswith(f"/{file.file}")
        assert file.path.is_relative_to(cache)
    assert len({file.path for file in files}) == len(files)
    for parts in SETS.values():
        assert set(parts) <= WEIGHTS.keys()
        if parts != POCKET:
            assert parts.projection in CLIPS
            assert parts.selection in CLIPS
            assert parts.segmenter in SAMS
        # What a set runs on is pinned by hash, and so is every large file by size.
        assert all(file.sha256 for part in parts for file in WEIGHTS[part])
        assert all(WEIGHTS[part][0].size for part in parts)
    assert set(CLIPS.values()) == set(clip.OPENAI)


@pytest.mark.parametrize("name", list(SETS))
def test_clean_cache_without_network(cache, name):
    with pytest.raises(InputError) as told:
        load(name)
    message = str(told.value)
    assert f"run python -m ssc models --download {name}" in message
    assert "GB" in message
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
    monkeypatch.setattr("socket.socket", None)  # nothing is asked of the network
    assert default_set() == "mini"
    bring("pocket")
    assert default_set() == "pocket"
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
    with pytest.raises(InputError, match=r"expected one of pocket, base, paper, .* got 'large'"):
        files_of("large")


@pytest.mark.long
def test_base_end_to_end_on_tiny_networks(cache, monkeypatch):
    """Files of tiny random networks in the cache; all else is what real weights go through."""
    import segment_anything
    import torch

    from ssc.segment import grounding
    from tests.segment.tiny_grounding import shake, tiny_tokenizer, tiny_transformers
    from tests.segment.tiny_sam import tiny_sam
    from tests.tiny_clip import TINY, tiny

    for name in SETS["base"]:
        for file in WEIGHTS[name]:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(b"")
        path = WEIGHTS[name][0].path
        if name in SAMS:
            torch.save(tiny_sam().state_dict(), path)
        elif name in CLIPS:
            save_file(tiny().state_dict(), path)
        else:
            shutil.rmtree(path.parent)
            shake(tiny_transformers()).save_pretrained(path.parent)
            tiny_tokenizer().save_pretrained(path.parent)
            words = tiny_tokenizer().get_vocab()
            (path.parent / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)))
    monkeypatch.setattr(
        type(files_of("sam-vit-b")[0]), "present", property(lambda f: f.path.exists())
    )
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", tiny_sam)
    monkeypatch.setattr("open_clip.get_model_config", lambda _: TINY)
    monkeypatch.setattr(grounding, "SHORT_SIDE", 64)
    monkeypatch.delenv("SSC_COMPILE", raising=False)
    pipeline = build("base")
    assert build("base") is pipeline
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
        assert set(result.candidates.labels) <= set(result.classes)


@pytest.mark.slow
def test_base_at_its_true_size(cache, monkeypatch):
    """Random networks of the published configurations: minutes on two cores, 4 GB of memory."""
    import open_clip
    import torch
    from segment_anything import sam_model_registry
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    from tests.segment.tiny_grounding import tiny_tokenizer

    torch.manual_seed(0)
    monkeypatch.setattr(pretrained, "_require", lambda _: None)
    monkeypatch.setattr(
        "ssc.weights.reading.load_weights",  # the CLIPs stay as they begin
        lambda model, _: [torch.nn.init.normal_(p, std=0.02) for p in model.parameters()],
    )
    monkeypatch.setattr("ssc.segment.sam.load_sam", lambda name, _: sam_model_registry[name]())
    monkeypatch.setattr(
        "ssc.segment.grounding.load_grounding_dino",
        lambda _: GroundingDinoForObjectDetection(GroundingDinoConfig()),
    )
    monkeypatch.setattr("ssc.segment.grounding.load_tokenizer", lambda _: tiny_tokenizer())
    pipeline = build("base")
    assert pipeline.select.clip.model.visual.image_size == (224, 224)
    assert open_clip.get_model_config(CLIPS["clip-vit-b-16"])["vision_cfg"]["patch_size"] == 16
    pipeline.segment.detector.threshold = 0.0  # whatever a random network's scores are
    pipeline.segment.detector.text_threshold = 0.0
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    boxes, scores, labels = pipeline.segment.detector.detect(image, ["person", "dog"])
    assert len(boxes) == len(scores) == len(labels) > 0
    masks, qualities = pipeline.segment.segmenter.segment(image, boxes[:5])
    assert masks.shape == (len(boxes[:5]), 480, 640)
    assert np.isfinite(qualities).all()
    rows = pipeline.select.clip.encode_images(np.stack([image, image[::-1]]))
    assert rows.shape == (2, 512)
    [match] = pipeline.segment.classes(["zebra"])
    assert match.name == "zebra"
