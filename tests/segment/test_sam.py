"""SAM behind the Segmenter protocol, on a tiny random network."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything import SamPredictor

from ssc.errors import InputError
from ssc.segment import sam as module
from ssc.segment.sam import SamSegmenter, load_sam
from tests.segment.tiny_sam import tiny_sam


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 47, 3), np.uint8)


@pytest.fixture(scope="module")
def boxes():
    rows = [[2, 3, 20, 25], [0, 0, 47, 30], [30, 5, 41, 28], [10, 10, 12.5, 29]]
    return np.array(rows, np.float32)


def test_no_boxes_no_masks_and_no_encoding(image):
    segmenter = SamSegmenter(tiny_sam())
    segmenter.model.image_encoder.forward = None
    masks, qualities = segmenter.segment(image, np.zeros((0, 4), np.float32))
    assert masks.shape == (0, 30, 47)
    assert masks.dtype == np.bool_
    assert qualities.shape == (0,)


@pytest.mark.parametrize("winner", range(3))
def test_equals_the_published_predictor(image, boxes, winner):
    model = tiny_sam()
    with torch.no_grad():  # the first of four masks is for several prompts
        model.mask_decoder.iou_prediction_head.layers[-1].bias[1 + winner] += 20
    masks, qualities = SamSegmenter(model).segment(image, boxes)
    predictor = SamPredictor(model)
    predictor.set_image(image)
    prompts = torch.from_numpy(predictor.transform.apply_boxes(boxes, image.shape[:2])).float()
    theirs, scores, _ = predictor.predict_torch(None, None, prompts, multimask_output=True)
    best = scores.argmax(1)
    rows = torch.arange(len(boxes))
    assert (theirs[rows, best].numpy() == masks).all()
    assert (best == winner).all()
    assert 0.01 < masks.mean() < 0.99
    np.testing.assert_allclose(qualities, scores[rows, best].clamp(0, 1), atol=1e-6)


def test_batch_equals_single(image, boxes):
    segmenter = SamSegmenter(tiny_sam())
    masks, qualities = segmenter.segment(image, boxes)
    for k, box in enumerate(boxes):
        mask, quality = segmenter.segment(image, box[None])
        assert (mask[0] != masks[k]).mean() < 1e-3
        np.testing.assert_allclose(quality[0], qualities[k], atol=1e-5)


def test_an_image_is_embedded_once_and_boxes_are_decoded_together(image, boxes, monkeypatch):
    segmenter = SamSegmenter(tiny_sam())
    calls = []
    for name in ("image_encoder", "mask_decoder"):
        part = getattr(segmenter.model, name)
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    first = segmenter.segment(image, boxes)
    again = segmenter.segment(image.copy(), boxes)
    assert calls == ["image_encoder", "mask_decoder", "mask_decoder"]
    assert all((a == b).all() for a, b in zip(first, again))
    monkeypatch.setattr(module, "BOXES", 3)
    monkeypatch.setattr(module, "ENLARGED", 1)
    calls.clear()
    split = segmenter.segment(image, boxes)
    assert calls == ["mask_decoder", "mask_decoder"]
    assert (split[0] != first[0]).mean() < 1e-3
    segmenter.segment(255 - image, boxes[:1])
    assert calls.count("image_encoder") == 1


@given(st.integers(0, 10**6), st.floats(0.05, 0.6), st.tuples(*[st.integers(1, 90)] * 2))
def test_only_what_is_needed_is_enlarged_and_nothing_else_changes(seed, share, frame):
    """The mask is that of the whole enlarged, wherever values are over the threshold."""
    from ssc.segment.sam import threshold_enlarged

    values = np.random.default_rng(seed).normal(size=(23, 31)).astype(np.float32)
    values[:, int(31 * share) :] = -1
    values[: int(23 * share)] -= 9
    mask = np.zeros(frame, np.bool_)
    with patch.object(module, "ROWS", 7):
        threshold_enlarged(values, mask)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], frame, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    near = np.abs(whole) < 1e-4  # where rounding decides
    assert (mask == (whole > 0))[~near].all()


def test_out_of_memory_falls_back_to_fewer_boxes(image, boxes):
    segmenter = SamSegmenter(tiny_sam())
    expected = segmenter.segment(image, boxes)
    sizes = []

    def full(_module, args, kwargs):
        sizes.append(len(kwargs["boxes"]))
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    segmenter.model.prompt_encoder.register_forward_pre_hook(full, with_kwargs=True)
    with pytest.warns(UserWarning, match=r"going on with [12] boxes at once"):
        masks, _ = segmenter.segment(image, boxes)
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert (masks != expected[0]).mean() < 1e-3


def test_bfloat16_is_close_to_float32(image, boxes):
    exact, _ = SamSegmenter(tiny_sam()).segment(image, boxes)
    half = SamSegmenter(tiny_sam(), dtype=torch.bfloat16)
    masks, qualities = half.segment(image, boxes)
    assert half.model.mask_decoder.mask_tokens.weight.dtype == torch.float32
    assert qualities.dtype == np.float32
    assert (masks != exact).mean() < 0.1


def test_weights_of_another_network_are_told_at_once(tmp_path):
    path = tmp_path / "sam.pth"
    torch.save(tiny_sam().state_dict(), path)
    with pytest.raises(InputError, match="expected one of vit_b, vit_l, vit_h, got 'vit_x'"):
        load_sam("vit_x", path)
    with pytest.raises(InputError, match=r"no.pth: expected a \.pth file"):
        load_sam("vit_b", tmp_path / "no.pth")
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(InputError, match=r"sam.pth: expected a \.pth file"):
        load_sam("vit_b", path)


def test_published_files_fill_the_network_by_name(tmp_path, monkeypatch):
    import segment_anything

    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", tiny_sam)
    path = tmp_path / "sam.pth"
    weights = {name: value + 1 for name, value in tiny_sam().state_dict().items()}
    torch.save(weights, path)
    loaded = load_sam("vit_b", path).state_dict()
    assert all((loaded[name] == value).all() for name, value in weights.items())
    weights.popitem()
    torch.save(weights, path)
    with pytest.raises(InputError, match="1 missing"):
        load_sam("vit_b", path)


@pytest.mark.parametrize("count", [1, 3])
def test_points_equal_the_published_predictor(image, count):
    model = tiny_sam()
    points = np.array([[5, 6], [40, 25], [20, 9]], np.float32)[:count]
    positive = np.array([True, False, True])[:count]
    mask, quality = SamSegmenter(model).segment_points(image, points, positive)
    predictor = SamPredictor(model)
    predictor.set_image(image)
    theirs, scores, _ = predictor.predict(points, positive.astype(int), multimask_output=count == 1)
    assert (theirs[scores.argmax()] == mask).all()
    assert quality == pytest.approx(min(1, max(0, scores.max())), abs=1e-6)
