"""SOLOv2: shapes, what does not depend on what, instances and Matrix NMS by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.segment import solo_instances
from ssc.segment.solo import Seen, Solo, with_coordinates
from ssc.segment.solo_instances import instances, matrix_nms, peaks
from tests.segment.tiny_solo import TINY, tiny_solo


@pytest.fixture(scope="module")
def network():
    return tiny_solo()


def pixels(count=1, h=64, w=96):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(count, 3, h, w))).float()


@torch.inference_mode()
def test_shapes_of_the_tiny_network(network):
    seen = network(pixels(2))
    cells = sum(grid * grid for grid in TINY.grids)
    assert seen.categories.shape == (2, cells, 2)
    assert seen.kernels.shape == (2, cells, 32)
    assert seen.features.shape == (2, 32, 16, 24)
    assert seen.strides.tolist() == [8] * (36 + 25) + [16] * 16 + [32] * (9 + 4)


def test_shapes_of_the_true_network():
    with torch.device("meta"):
        network = Solo().eval()
        seen = network(torch.zeros(1, 3, 800, 1088))
    resnet = 42_394_816 + 4 * 52_672  # torchvision's ResNet-101 without its classifier
    pyramid = 3840 * 256 + 4 * 256 * 256 * 9 + 2 * 4 * 256
    towers = (2 * 256 + 2 + 6 * 512) * 512 * 9 + 8 * 2 * 512 + 258 * (512 * 9 + 1)
    masks = (4 * 256 + 2 + 3 * 128) * 128 * 9 + 7 * 2 * 128 + 128 * 256 + 2 * 256
    held = sum(own.numel() for own in network.state_dict().values())
    assert held == resnet + pyramid + towers + masks
    assert seen.categories.shape == (1, 3872, 2)
    assert seen.kernels.shape == (1, 3872, 256)
    assert seen.features.shape == (1, 256, 200, 272)


@torch.inference_mode()
def test_a_picture_is_seen_alike_alone_and_among_others(network):
    batch = pixels(3)
    together, again = network(batch), network(batch)
    for one, other in zip(together, again):
        assert torch.equal(one, other)
    alone = network(batch[1:2])
    for name in ("categories", "kernels", "features"):
        one, other = getattr(alone, name)[0], getattr(together, name)[1]
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert alone.features.std() > 0.01


@torch.inference_mode()
def test_kernels_and_mask_features_know_where_they_are(network):
    """On a plain picture what is computed differs by place alone, and through coordinates."""
    row = with_coordinates(torch.zeros(1, 0, 3, 5))[0]
    assert row[0, 1].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert row[1, :, 2].tolist() == [-1, 0, 1]
    level = torch.ones(1, 32, 12, 12)
    _, kernels, _ = network.cells([level, level, level, level, level])
    grid = kernels[0, 36 : 36 + 25].view(5, 5, -1)  # of P3
    assert not torch.allclose(grid[2, 1], grid[2, 2])
    pyramid = [torch.ones(1, 32, side, side) for side in (32, 16, 8, 4)]
    features = network.masks(pyramid)
    assert features.shape == (1, 32, 32, 32)
    assert not torch.allclose(features[0, :, 12, 12], features[0, :, 20, 20], atol=1e-3)


def seen_by_hand(scores, kernels, features, stride=1.0):
    """A picture of one grid of two cells a side."""
    logits = torch.logit(torch.tensor(scores).float())
    return Seen(
        torch.stack([logits, torch.full((4,), -9.0)], 1)[None],  # 1×4×2
        torch.tensor(kernels).float()[None],
        torch.full((4,), stride),
        torch.tensor(features).float()[None],
    )


def test_kernels_by_hand_give_masks_by_hand():
    """Two features: left from right, and above from below; a kernel is a line between them."""
    x, y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 4))
    kernels = [[-9, 0], [9, 0], [0, 9], [0, -9]]
    seen = seen_by_hand([0.9, 0.5, 0.05, 0.3], kernels, np.stack([x, y]))
    seen = seen._replace(strides=torch.tensor([1.0, 1.0, 1.0, 99.0]))
    [found] = instances(seen, (2,))
    assert len(found.scores) == 1  # neighbours of the first, not likely, too small
    assert torch.equal(found.probabilities[0] > 0.5, torch.from_numpy(x < 0))
    inside = 1 / (1 + np.exp(9 * x[x < 0]))
    assert found.maskness[0] == pytest.approx(inside.mean(), abs=1e-6)
    assert found.scores[0] == pytest.approx(0.9 * inside.mean(), abs=1e-6)


def test_only_peaks_are_kept():
    scores = torch.tensor([0.2, 0.3, 0.4, 0.1, 0.5])
    assert peaks(scores, (2, 1)).tolist() == pytest.approx([0.2, 0.3, 0.4, 0, 0.5])


def test_nothing_likely_is_nothing():
    seen = seen_by_hand([0.05] * 4, [[1, 1]] * 4, np.ones((2, 4, 4)))
    [found] = instances(seen, (2,))
    assert found.probabilities.shape == (0, 4, 4)
    assert found.scores.shape == found.maskness.shape == (0,)


def test_no_more_than_the_limits(monkeypatch):
    monkeypatch.setattr(solo_instances, "BEFORE", 3)
    monkeypatch.setattr(solo_instances, "AFTER", 2)
    features = np.eye(4).reshape(4, 2, 2) * 18 - 9  # four masks of a pixel each
    seen = seen_by_hand([0.3, 0.3, 0.4, 0.9], np.eye(4), features, stride=0.5)
    [found] = instances(seen, (2,))
    assert found.scores.tolist() == pytest.approx([0.9, 0.4], abs=1e-3)


def test_matrix_nms_by_hand():
    """Pixels 1 to 4, 1 to 3, and 3 to 6: IoU 3/4, 2/6, 1/6."""
    masks = torch.zeros(3, 1, 6, dtype=torch.bool)
    masks[0, 0, :4] = masks[1, 0, :3] = masks[2, 0, 2:] = True
    scores = torch.tensor([0.9, 0.8, 0.6])
    second = np.exp(-((3 / 4) ** 2) / 0.5)
    by_first = np.exp(-((2 / 6) ** 2) / 0.5)
    by_second = np.exp(((3 / 4) ** 2 - (1 / 6) ** 2) / 0.5)  # over 1: itself a duplicate
    expected = [0.9, 0.8 * second, 0.6 * min(by_first, by_second)]
    assert matrix_nms(masks, scores).tolist() == pytest.approx(expected, abs=1e-6)
    assert matrix_nms(masks[:0], scores[:0]).tolist() == []


@given(st.lists(st.integers(1, 2**12 - 1), min_size=1, max_size=6), st.data())
@settings(max_examples=30, deadline=None)
def test_matrix_nms_equals_its_equations_in_loops(bits, data):
    masks = torch.tensor([[[number >> k & 1 for k in range(12)]] for number in bits]).bool()
    drawn = st.lists(st.floats(0.01, 1), min_size=len(bits), max_size=len(bits))
    scores = torch.tensor(sorted(data.draw(drawn), reverse=True), dtype=torch.float64)

    def iou(i, j):
        return float((masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum())

    def decay(overlap):
        return np.exp(-(overlap**2) / solo_instances.SIGMA)

    expected = []
    for j in range(len(bits)):
        most = [max((iou(k, i) for k in range(i)), default=0.0) for i in range(j)]
        by = [decay(iou(i, j)) / decay(most[i]) for i in range(j)]
        expected.append(float(scores[j]) * min(by, default=1.0))
    np.testing.assert_allclose(matrix_nms(masks, scores).numpy(), expected, rtol=1e-6)
