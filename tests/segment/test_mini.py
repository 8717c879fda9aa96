"""The mini network: masks pasted exactly, batches equal singles, boxes in the picture's frame."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.segment.mini import CONFIG, MASK_CELLS, MiniFCOS, MiniNetwork, paste_masks

TINY = CONFIG | {
    "widths": [8, 8, 16, 16],
    "blocks": [0, 1, 1, 1],
    "pyramid": 32,
    "convolutions": 1,
    "classes": 3,
    "short_side": 48,
    "long_side": 64,
}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return MiniNetwork(MiniFCOS(TINY), ["cat", "dog", "car"])


def test_no_boxes_no_masks(network):
    masks, qualities = network.masks(np.zeros((20, 30, 3), np.uint8), np.zeros((0, 4), np.float32))
    assert masks.shape == (0, 20, 30)
    assert qualities.shape == (0,)
    assert paste_masks(torch.zeros(0, 4, 4), torch.zeros(0, 4), 5, 6).shape == (0, 5, 6)


@given(st.integers(0, 25), st.integers(0, 15), st.integers(1, 30), st.integers(1, 20))
def test_a_full_mask_fills_exactly_its_box(x, y, w, h):
    box = torch.tensor([[x, y, x + w, y + h]], dtype=torch.float32)
    mask = paste_masks(torch.ones(1, 28, 28), box, 20, 30)[0]
    expected = torch.zeros(20, 30, dtype=torch.bool)
    expected[y : y + h, x : x + w] = True
    assert torch.equal(mask, expected)


def test_a_mask_as_fine_as_the_picture_comes_back_unchanged():
    truth = torch.rand(28, 28, generator=torch.Generator().manual_seed(0)) > 0.5
    box = torch.tensor([[3.0, 5.0, 31.0, 33.0]])
    pasted = paste_masks(truth[None].float(), box, 40, 40)[0]
    assert torch.equal(pasted[5:33, 3:31], truth)
    assert pasted.sum() == truth.sum()


def test_a_box_outside_the_picture_gives_nothing():
    boxes = torch.tensor([[50.0, 5.0, 60.0, 9.0], [4.0, 4.0, 4.0, 4.0]])
    assert not paste_masks(torch.ones(2, 28, 28), boxes, 20, 30).any()


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 4), st.integers(0, 99))
def test_masks_of_many_boxes_equal_one_at_a_time(network, count, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    corner = rng.uniform(0, 15, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 15, (count, 2))], 1)
    boxes = boxes.astype(np.float32)
    masks, qualities = network.masks(image, boxes)
    for k in range(count):
        mask, quality = network.masks(image, boxes[k : k + 1])
        assert (mask[0] == masks[k]).all()
        assert np.allclose(quality, qualities[k], atol=1e-5)


def test_boxes_lie_in_the_pictures_own_frame(network):
    model = MiniFCOS(TINY)
    torch.nn.init.constant_(model.head.classification_head.cls_logits.bias, 2.0)  # all are sure
    torch.nn.init.constant_(model.head.regression_head.bbox_reg.bias, 1.0)
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    boxes, scores, labels = MiniNetwork(model, ["cat", "dog", "car"]).boxes(image)
    assert len(boxes) == len(scores) == len(labels) > 0
    assert boxes.min() >= 0
    assert boxes[:, [0, 2]].max() <= 128
    assert boxes[:, [1, 3]].max() <= 96
    assert boxes[:, [0, 2]].max() > 64  # not left in the network's 64 × 48 frame


def test_the_mask_of_a_box_has_28_cells_a_side():
    model = MiniFCOS(TINY).eval()
    features = model.backbone(torch.zeros(1, 3, 48, 64))
    logits = model.mask_logits(features, [torch.tensor([[2.0, 3.0, 20.0, 30.0]])])
    assert logits.shape == (1, 2 * MASK_CELLS, 2 * MASK_CELLS)
