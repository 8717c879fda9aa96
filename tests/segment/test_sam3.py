"""SAM 3 with a tiny random network: boxes and masks at once, and masks for any box."""

import numpy as np
import pytest
import torch
from open_clip import get_tokenizer
from transformers import Sam3Config, Sam3Model

from ssc.errors import InputError
from ssc.segment.sam3 import TOKENS, Sam3, load_sam3

SMALL = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
CONFIG = {
    "vision_config": {
        "backbone_config": {
            "model_type": "sam3_vit_model",
            **SMALL,
            "num_hidden_layers": 2,
            "image_size": 56,
            "pretrain_image_size": 56,
            "patch_size": 14,
            "window_size": 2,
            "global_attn_indexes": [1],
        },
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    },
    "text_config": {
        "model_type": "clip_text_model",
        **SMALL,
        "num_hidden_layers": 2,
        "max_position_embeddings": 32,
        "projection_dim": 16,
    },
    "geometry_encoder_config": {**SMALL, "num_layers": 1, "roi_size": 3},
    "detr_encoder_config": {**SMALL, "num_layers": 1},
    "detr_decoder_config": {**SMALL, "num_layers": 2, "num_queries": 12},
    "mask_decoder_config": {"hidden_size": 32, "num_attention_heads": 2},
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Sam3Model(Sam3Config(**CONFIG))


def part(model, **options):
    return Sam3(model, get_tokenizer("ViT-B-32", context_length=TOKENS), **options)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)


def test_nothing_is_asked_and_nothing_found(model, image):
    for boxes, scores, labels in (
        part(model).detect(image, []),
        part(model, threshold=1.0).detect(image, ["dog"]),
    ):
        assert boxes.shape == (0, 4)
        assert boxes.dtype == scores.dtype == np.float32
        assert labels == ()
    masks, qualities = part(model).segment(image, np.zeros((0, 4), np.float32))
    assert masks.shape == (0, 30, 40)
    assert len(qualities) == 0


def test_all_of_each_class_with_its_mask(model, image):
    sam3 = part(model, threshold=0.0)
    boxes, scores, labels = sam3.detect(image, ["dog", "traffic light", "dog"])
    assert set(labels) == {"dog", "traffic light"}
    assert (np.diff(scores) <= 0).all()
    assert (boxes >= 0).all()
    assert (boxes <= [40, 30, 40, 30]).all()
    masks, qualities = sam3.segment(image, boxes)
    assert masks.shape == (len(boxes), 30, 40)
    assert ((qualities >= 0) & (qualities <= 1)).all()
    # As transformers has it, class by class.
    for name in ("dog", "traffic light"):
        _, theirs, logits = sam3._ask(image, [name])
        own = [k for k, label in enumerate(labels) if label == name]
        assert len(own) == len(theirs[0])
        for k in own:
            at = np.abs(theirs[0].numpy() * [40, 30, 40, 30] - boxes[k]).sum(1).argmin()
            large = torch.nn.functional.interpolate(
                logits[:, at : at + 1], (30, 40), mode="bilinear", align_corners=False
            )
            np.testing.assert_array_equal(masks[k], large[0, 0].numpy() > 0)


def test_scores_boxes_and_masks_are_transformers_own(model, image):
    from transformers import Sam3ImageProcessor

    sam3 = part(model)
    processor = Sam3ImageProcessor(size={"height": 56, "width": 56})
    pixels = processor(image, return_tensors="pt")["pixel_values"]
    words = sam3.tokenizer(["dog"])
    read = (words != 0).long()
    with torch.inference_mode():
        outputs = model.eval()(pixel_values=pixels, input_ids=words, attention_mask=read)
    [theirs] = processor.post_process_instance_segmentation(
        outputs, threshold=0.0, target_sizes=[(30, 40)]
    )
    scores, boxes, _ = sam3._ask(image, ["dog"])
    np.testing.assert_allclose(scores[0].numpy(), theirs["scores"].numpy(), atol=0.02)
    far = np.abs(boxes[0].numpy() * [40, 30, 40, 30] - theirs["boxes"].numpy())
    assert far.mean() < 0.5  # pixels are resized by PIL here, by torchvision there


def test_a_box_of_another_detector_is_an_example(model, image):
    sam3 = part(model)
    boxes = np.float32([[2, 3, 20, 25], [10, 5, 39, 29], [2, 3, 20, 25]])
    masks, qualities = sam3.segment(image, boxes)
    assert masks.shape == (3, 30, 40)
    assert ((qualities >= 0) & (qualities <= 1)).all()
    assert np.array_equal(masks[0], masks[2])
    again, _ = part(model).segment(image, boxes[1:2])
    np.testing.assert_array_equal(again[0], masks[1])


def test_features_are_computed_once_for_a_picture(model, image):
    ran = []
    hook = model.vision_encoder.register_forward_hook(lambda *_: ran.append(1))
    sam3 = part(model)
    sam3.detect(image, ["dog"])
    sam3.detect(image, ["cat"])
    sam3.segment(image, np.float32([[2, 3, 20, 25]]))
    hook.remove()
    assert ran == [1]
    assert sam3.costly


def test_it_is_loaded_from_its_files(model, image, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = part(load_sam3(tmp_path), threshold=0.0).detect(image, ["dog"])
    for one, other in zip(loaded, part(model, threshold=0.0).detect(image, ["dog"])):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="expected SAM 3"):
        load_sam3(tmp_path / "none")
