"""OmDet-Turbo behind the Detector protocol, on a tiny random network."""

import json

import numpy as np
import pytest
import torch
from open_clip import get_tokenizer

from ssc.bench.networks import random_omdet
from ssc.errors import InputError
from ssc.segment import omdet as module
from ssc.segment.omdet import OmDetDetector, load_omdet

NAMES = ["person", "dog", "hot dog"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return random_omdet(tiny=True).eval()


@pytest.fixture
def detector(model):
    return OmDetDetector(model, get_tokenizer("ViT-B-32"), threshold=0.0)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def test_equals_the_network_as_transformers_calls_it(detector, model, image, monkeypatch):
    """The parts that are called and kept one by one make what the whole network makes."""
    from PIL import Image
    from transformers import DetrImageProcessor, OmDetTurboProcessor

    monkeypatch.setattr(module, "NMS_IOU", 0.5)
    boxes, scores, labels = detector.detect(image, NAMES)
    pixels = np.array(Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR))
    normal = (pixels / 255 - np.array(module.MEAN)) / np.array(module.STD)
    tokens = get_tokenizer("ViT-B-32")
    task, classes = tokens([f"Detect {', '.join(NAMES)}."]), tokens(NAMES)
    with torch.inference_mode():
        whole = model(
            pixel_values=torch.from_numpy(normal).permute(2, 0, 1)[None].float(),
            classes_input_ids=classes,
            classes_attention_mask=(classes != 0).long(),
            tasks_input_ids=task,
            tasks_attention_mask=(task != 0).long(),
            classes_structure=torch.tensor([len(NAMES)]),
        )
    assert DetrImageProcessor  # the published preprocessing squashes as above
    [theirs] = OmDetTurboProcessor.post_process_grounded_object_detection(
        None, whole, target_sizes=[image.shape[:2]], threshold=0.0, nms_threshold=0.5
    )
    assert len(boxes) > 3
    assert set(labels) <= set(NAMES)
    assert (np.diff(scores) <= 0).all()
    # The best boxes are theirs; they also keep boxes for classes that are not a box's best.
    for box, score, label in list(zip(boxes, scores, labels))[:3]:
        same = np.isclose(theirs["scores"].numpy(), score, atol=1e-5)
        same &= (theirs["labels"] == NAMES.index(label)).numpy()
        assert same.any()
        assert np.abs(theirs["boxes"].numpy()[same] - box).max(1).min() < 1e-2


def test_an_image_is_encoded_once_and_a_name_too(detector, image, monkeypatch):
    calls = []
    for part in ("vision_backbone", "language_backbone"):
        forward = getattr(detector.model, part).forward
        monkeypatch.setattr(
            getattr(detector.model, part),
            "forward",
            lambda *a, part=part, forward=forward, **k: (calls.append(part), forward(*a, **k))[1],
        )
    first = detector.detect(image, NAMES)
    assert calls.count("vision_backbone") == 1
    assert calls.count("language_backbone") == len(NAMES) + 1  # and the task
    again = detector.detect(image.copy(), NAMES)
    assert calls.count("vision_backbone") == 1
    assert calls.count("language_backbone") == len(NAMES) + 2
    assert all(np.array_equal(a, b) for a, b in zip(first, again))


def test_nothing_asked_nothing_found_and_boxes_in_the_frame(detector, image):
    boxes, scores, labels = detector.detect(image, [])
    assert boxes.shape == (0, 4)
    assert (len(scores), labels) == (0, ())
    boxes, _, _ = detector.detect(image, NAMES)
    assert boxes.dtype == np.float32
    assert (boxes >= 0).all()
    assert (boxes <= [60, 40, 60, 40]).all()
    detector.threshold = 1.0
    assert len(detector.detect(image, NAMES)[0]) == 0
    with pytest.raises(InputError, match="box_threshold: expected a number, 0 to 1, got 2"):
        OmDetDetector(detector.model, None, threshold=2)


def test_published_files_load_without_asking_the_hub(tmp_path, monkeypatch):
    """The published configuration names timm's Swin-T; transformers would ask the Hub about it."""
    torch.manual_seed(0)
    model = random_omdet(tiny=True).eval()
    model.save_pretrained(tmp_path)
    monkeypatch.setattr("socket.socket", None)
    loaded = load_omdet(tmp_path).state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in model.state_dict().items())

    asked = []
    monkeypatch.setattr(module, "load_transformers", lambda *_, config: asked.append(config))
    config = json.loads((tmp_path / "config.json").read_text())
    del config["backbone_config"]
    old = {"out_indices": [1, 2, 3], "img_size": 64, "always_partition": True}
    config |= {"backbone": "swin_tiny_patch4_window7_224", "backbone_kwargs": old}
    (tmp_path / "config.json").write_text(json.dumps(config))
    load_omdet(tmp_path)
    assert asked[0].backbone_config.model_type == "timm_backbone"
    assert asked[0].timm_kwargs == {"img_size": 64, "always_partition": True}


def test_another_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"expected OmDet-Turbo's config.json, got"):
        load_omdet(tmp_path)
    random_omdet(tiny=True).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(InputError, match="expected OmDet-Turbo, got"):
        load_omdet(tmp_path)
