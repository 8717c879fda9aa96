"""The lite set, and parts that any set may take: from files in the Hub's layout to answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from ssc.cache import Cache
from ssc.errors import InputError
from ssc.models.parts import WEIGHTS
from ssc.models.sets import default_set, load
from tests.models.tiny_freesolo import bring_freesolo
from tests.models.tiny_lite import bring_lite


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("ssc.models.sets._sets", Cache(4))
    return tmp_path / "hub"


@pytest.mark.long
def test_lite_end_to_end_on_tiny_networks_without_a_network(cache, monkeypatch):
    """From files in the Hub's layout to answers, as the real weights go; nothing is asked."""
    bring_lite(monkeypatch)
    monkeypatch.setattr("socket.socket.connect", None)
    monkeypatch.delenv("SSC_MODELS", raising=False)
    assert default_set() == "lite"
    pipeline = load(correct=False)
    assert load("lite", correct=False).segment is pipeline.segment
    assert pipeline.segment.classes.clip is pipeline.select.clip  # one CLIP, loaded once
    pipeline.segment.detector.threshold = 0.0
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    [one, two] = pipeline(image, ["the person on the left", ["a dog", "the hot dog"]])
    assert len(one.candidates) > 1
    assert set(one.candidates.labels) == {"person"}
    assert set(two.candidates.labels) <= {"dog", "hot dog"}
    [single] = pipeline(image, ["the person on the left"])
    assert np.array_equal(single.candidates.masks, one.candidates.masks)
    np.testing.assert_allclose(single.selection.scores, one.selection.scores, atol=1e-5)


@pytest.mark.long
def test_parts_that_any_set_may_take(cache, monkeypatch):
    from ssc.segment.sam2 import Sam2Segmenter

    with pytest.raises(InputError, match=r"part sam2\.1-tiny: 2 of its 2 .* --download sam2.1-tin"):
        load("mini", segmenter="sam2.1-tiny")
    with pytest.raises(InputError, match=r"detector: expected one of .* got 'yolo'"):
        load("mini", detector="yolo")
    bring_lite(monkeypatch)
    mini = load("mini", correct=False)
    other = load("mini", correct=False, segmenter="sam2.1-tiny", clip="pe-core-s")
    assert other.segment.detector is mini.segment.detector
    assert isinstance(other.segment.segmenter, Sam2Segmenter)
    assert mini.segment.segmenter is not other.segment.segmenter
    assert load("lite", correct=False).segment.segmenter is other.segment.segmenter  # loaded once
    assert other.select.clip is not mini.select.clip
    picture = Path(__file__).parents[2] / "assets" / "examples" / "faces.jpg"
    [result] = other(picture, ["guy with a turban"])
    assert result.candidates.labels[0] == "person"


def test_freesolo_as_a_part_of_any_set(cache, monkeypatch):
    with pytest.raises(InputError, match=r"part freesolo: 1 of its 1 .* --download freesolo"):
        load("mini", segmenter="freesolo")
    model = bring_freesolo(monkeypatch)
    pipeline = load("mini", correct=False, segmenter="freesolo")
    network = pipeline.segment.segmenter.network
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), model.parameters()))
    picture = Path(__file__).parents[2] / "assets" / "examples" / "faces.jpg"
    [result] = pipeline(picture, ["guy with a turban"])
    assert len(result.candidates)
    assert set(result.candidates.labels) == {"person"}


@pytest.mark.slow
def test_lite_at_its_true_size(cache, monkeypatch):
    """Random networks of the published configurations from files in the Hub's layout, no network.

    SAM 2.1's file is of the network for video, as the published one is.
    """
    import json

    import open_clip
    from open_clip.model import CustomTextCLIP
    from transformers import OmDetTurboForObjectDetection, Sam2VideoConfig, Sam2VideoModel
    from transformers.models.omdet_turbo import OmDetTurboConfig

    torch.manual_seed(0)
    config = dict(open_clip.get_model_config("PE-Core-S-16-384"))
    config.pop("custom_text")
    networks = {
        "omdet-turbo-tiny": OmDetTurboForObjectDetection(OmDetTurboConfig()),
        "sam2.1-tiny": Sam2VideoModel(Sam2VideoConfig()),
    }
    for name, network in networks.items():
        network.save_pretrained(WEIGHTS[name][0].path.parent)
    del networks, network
    path = WEIGHTS["omdet-turbo-tiny"][1].path
    stated = json.loads(path.read_text())
    del stated["backbone_config"]
    stated["backbone"] = "swin_tiny_patch4_window7_224"
    stated["backbone_kwargs"] = {
        "always_partition": True,
        "img_size": 640,
        "out_indices": [1, 2, 3],
    }
    path.write_text(json.dumps(stated))
    path = WEIGHTS["pe-core-s"][0].path
    path.parent.mkdir(parents=True)
    save_file(CustomTextCLIP(**config).state_dict(), path)
    monkeypatch.setattr("socket.socket.connect", None)
    pipeline = load("lite", correct=False)
    pipeline.segment.detector.threshold = 0.0
    boxes, _, _ = pipeline.segment.detector.detect(np.zeros((48, 64, 3), np.uint8), ["dog"])
    assert len(boxes)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    masks, qualities = pipeline.segment.segmenter.segment(image, boxes[:5])
    assert masks.shape == (len(boxes[:5]), 480, 640)
    assert np.isfinite(qualities).all()
    assert pipeline.select.clip.encode_images(np.stack([image, image[::-1]])).shape == (2, 512)
