"""The ONNX SAM: resizing, prompts and enlarging, with sessions that draw the box they are given."""

import numpy as np
import pytest

from ssc.errors import WeightsError
from ssc.segment.onnx_sam import MEAN, STD, OnnxSamSegmenter, load_onnx
from tests.segment.onnx_sessions import Decoder, Encoder


@pytest.fixture
def segmenter():
    return OnnxSamSegmenter(Encoder(), Decoder())


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (64, 64), (1500, 900)])
def test_masks_in_the_pictures_frame(segmenter, size):
    h, w = size
    image = np.full((h, w, 3), 100, np.uint8)
    box = np.array([[0.5 * w, 0.4 * h, 0.9 * w, 0.8 * h]], np.float32)
    masks, qualities = segmenter.segment(image, box)
    assert masks.shape == (1, h, w)
    assert masks.dtype == np.bool_
    assert qualities.tolist() == [1]  # bounded
    truth = np.zeros(size, np.bool_)
    x0, y0, x1, y1 = box[0].round().astype(int)
    truth[y0:y1, x0:x1] = True
    assert (masks[0] & truth).sum() / (masks[0] | truth).sum() > 0.94
    assert not masks[0, : h // 8, : w // 8].any()  # far from the box


def test_the_encoder_sees_the_picture_at_the_top_left(segmenter):
    image = np.full((100, 200, 3), (10, 20, 30), np.uint8)
    box = np.array([[10, 10, 50, 50]], np.float32)
    segmenter.segment(image, box)
    segmenter.segment(image, box + 5)
    [seen] = segmenter.encoder.seen  # once per picture
    assert seen.shape == (1, 3, 1024, 1024)
    normal = (np.array([10, 20, 30]) - MEAN) / STD
    np.testing.assert_allclose(seen[0, :, :512].mean((1, 2)), normal, atol=1e-3)
    assert not seen[0, :, 512:].any()


def test_no_box(segmenter):
    masks, qualities = segmenter.segment(
        np.zeros((5, 7, 3), np.uint8), np.zeros((0, 4), np.float32)
    )
    assert masks.shape == (0, 5, 7)
    assert len(qualities) == 0
    assert segmenter.encoder.seen == []


def test_a_damaged_file(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"a\.onnx: expected an ONNX network"):
        load_onnx(tmp_path / "a.onnx")


class Spots:
    """Marks a square around each point on the object, and none around one that is off it."""

    def run(self, names, feeds):
        labels, points = feeds["point_labels"][0], feeds["point_coords"][0]
        assert labels[-1] == -1
        assert not points[-1].any()  # no box
        logits = np.full((1, 1, 256, 256), -8, np.float32)
        for label in (1, 0):
            for x, y in points[labels == label] / 4:
                square = slice(int(y) - 5, int(y) + 6), slice(int(x) - 5, int(x) + 6)
                logits[(0, 0, *square)] = 8 if label else -8
        return [np.array([[0.7]], np.float32), logits]


def test_points_on_the_object_and_off_it():
    segmenter = OnnxSamSegmenter(Encoder(), Spots())
    image = np.full((300, 400, 3), 100, np.uint8)
    points = np.array([[100, 100], [300, 200], [310, 200]], np.float32)
    mask, quality = segmenter.segment_points(image, points, np.array([True, True, False]))
    assert mask.shape == (300, 400)
    assert quality == pytest.approx(0.7)
    assert mask[100, 100]
    assert mask[200, 294]
    assert not mask[200, 305]
