"""SAM 2's family behind the Segmenter protocol, on a tiny random network."""

import numpy as np
import pytest
import torch

from ssc.bench.networks import random_sam2
from ssc.errors import InputError
from ssc.segment.sam2 import Sam2Segmenter, load_sam2


def tiny():
    torch.manual_seed(0)
    model = random_sam2("sam2.1-tiny", tiny=True).eval()
    for parameter in model.parameters():  # far from the nearly constant first weights
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 47, 3), np.uint8)


@pytest.fixture(scope="module")
def boxes():
    rows = [[2, 3, 20, 25], [0, 0, 47, 30], [30, 5, 41, 28], [10, 10, 12.5, 29]]
    return np.array(rows, np.float32)


def test_equals_the_network_with_its_own_preparation(image, boxes):
    """Pixels, boxes and enlarged masks as transformers' processor makes them."""
    from transformers import Sam2ImageProcessor

    model = tiny()
    masks, qualities = Sam2Segmenter(model).segment(image, boxes)
    prepare = Sam2ImageProcessor(
        size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
    )
    pixels = prepare(image, return_tensors="pt")["pixel_values"]
    scale = torch.tensor([64 / 47, 64 / 30] * 2)
    with torch.inference_mode():
        outputs = model(pixel_values=pixels, input_boxes=(torch.from_numpy(boxes) * scale)[None])
    best = outputs.iou_scores[0].argmax(1)
    rows = torch.arange(len(boxes))
    theirs = prepare.post_process_masks(outputs.pred_masks, [image.shape[:2]])[0]
    expected = theirs[rows, best].numpy()
    assert masks.shape == (4, 30, 47)
    assert 0.01 < masks.mean() < 0.99
    assert (masks != expected).mean() < 0.02  # of pixels that PIL and torch scale differently
    found = outputs.iou_scores[0][rows, best].clamp(0, 1).numpy()
    np.testing.assert_allclose(qualities, found, atol=0.02)


def test_batch_equals_single_and_an_image_is_embedded_once(image, boxes):
    segmenter = Sam2Segmenter(tiny())
    calls = []
    segmenter.model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    masks, qualities = segmenter.segment(image, boxes)
    for k, box in enumerate(boxes):
        mask, quality = segmenter.segment(image.copy(), box[None])
        assert (mask[0] != masks[k]).mean() < 1e-3
        np.testing.assert_allclose(quality[0], qualities[k], atol=1e-5)
    assert len(calls) == 1
    masks, qualities = segmenter.segment(image, np.zeros((0, 4), np.float32))
    assert (masks.shape, qualities.shape) == ((0, 30, 47), (0,))


def test_published_files_are_of_the_network_for_video(tmp_path):
    """`facebook/sam2.1-hiera-tiny` is a `Sam2VideoModel`: its part for images loads."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    from ssc.bench.tiny import TINY_SAM2

    config = Sam2VideoConfig(
        **TINY_SAM2,
        image_size=64,
        memory_attention_hidden_size=32,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=48,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=16,
        mask_downsampler_embed_dim=32,
        memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=48,
        memory_fuser_num_layers=1,
    )
    torch.manual_seed(0)
    video = Sam2VideoModel(config)
    video.save_pretrained(tmp_path)
    loaded = load_sam2(tmp_path)
    own, theirs = loaded.state_dict(), video.state_dict()
    shared = own.keys() & theirs.keys()
    assert len(shared) > 0.95 * len(own)
    assert all(torch.equal(own[name], theirs[name]) for name in shared)


def test_another_network_is_told(tmp_path):
    with pytest.raises(InputError, match=r"expected SAM 2 or EdgeTAM's config.json, got"):
        load_sam2(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="expected SAM 2 or EdgeTAM, got a network of type bert"):
        load_sam2(tmp_path)
    random_sam2("sam2.1-tiny", tiny=True).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="expected SAM 2 or EdgeTAM, got"):
        load_sam2(tmp_path)


@pytest.mark.parametrize("count", [1, 3])
def test_points_equal_the_network_with_its_own_preparation(image, count):
    model = tiny()
    points = np.array([[5, 6], [40, 25], [20, 9]], np.float32)[:count]
    positive = np.array([True, False, True])[:count]
    mask, quality = Sam2Segmenter(model).segment_points(image, points, positive)
    assert mask.shape == image.shape[:2]
    from transformers import Sam2ImageProcessor

    prepare = Sam2ImageProcessor(
        size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
    )
    pixels = prepare(image, return_tensors="pt")["pixel_values"]
    scaled = torch.from_numpy(points * [64 / 47, 64 / 30]).float()
    with torch.no_grad():
        outputs = model(
            pixel_values=pixels,
            input_points=scaled[None, None],
            input_labels=torch.from_numpy(positive.astype(np.int32))[None, None],
            multimask_output=count == 1,
        )
    best = outputs.iou_scores[0, 0].argmax()
    logits = outputs.pred_masks[0, 0, best]
    whole = torch.nn.functional.interpolate(
        logits[None, None], image.shape[:2], mode="bilinear", align_corners=False
    )[0, 0]
    assert (mask != (whole > 0).numpy()).mean() < 0.02  # PIL and torch scale differently
    assert quality == pytest.approx(outputs.iou_scores[0, 0, best].clamp(0, 1).item(), abs=0.02)
