"""The SSD's looks put together, with a network that finds what a test paints."""

import numpy as np
import pytest

from ssc.errors import OptionError, WeightsError
from ssc.segment.ssd import SsdDetector, load_ssd


class Painted:
    """A `cv2.dnn.Net` that finds the red rectangle of what it sees, if it is large enough."""

    def __init__(self, least=0.0, score=0.9, category=18):
        self.least, self.score, self.category, self.looks = least, score, category, 0

    def setInput(self, blob):
        assert blob.shape == (1, 3, 300, 300)
        self.red = blob[0, 0] > 128  # RGB: channel 0
        self.looks += 1

    def forward(self):
        ys, xs = np.flatnonzero(self.red.any(1)), np.flatnonzero(self.red.any(0))
        if self.red.mean() <= self.least or not len(xs):
            return np.zeros((1, 1, 0, 7), np.float32)
        box = np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]) / 300
        rows = [[0, self.category, self.score, *box], [0, 12, 0.9, *box]]  # 12 is no class
        return np.array([[rows]], np.float32)


def picture(x0, y0, x1, y1, size=(200, 300)):
    image = np.zeros((*size, 3), np.uint8)
    image[y0:y1, x0:x1, 0] = 255
    return image


def test_a_box_in_the_pictures_frame_once():
    boxes, scores, labels = SsdDetector(Painted()).detect(picture(30, 40, 90, 100), ["dog", "cat"])
    assert labels == ("dog",)
    np.testing.assert_allclose(boxes, [[30, 40, 90, 100]], atol=1.5)
    assert boxes.dtype == scores.dtype == np.float32


def test_tiles_find_what_is_small():
    image = picture(30, 40, 50, 60)
    least = 400 / (200 * 300) * 1.5
    assert len(SsdDetector(Painted(least), tiles=False).detect(image, ["dog"])[0]) == 0
    boxes, _, _ = SsdDetector(Painted(least)).detect(image, ["dog"])
    np.testing.assert_allclose(boxes, [[30, 40, 50, 60]], atol=1.5)


def test_a_box_that_a_tile_cuts_is_dropped():
    image = picture(100, 20, 260, 120)  # beyond the borders of every tile but one side
    boxes, _, _ = SsdDetector(Painted()).detect(image, ["dog"])
    np.testing.assert_allclose(boxes, [[100, 20, 260, 120]], atol=1.5)


def test_the_pictures_own_border_cuts_nothing():
    boxes, _, _ = SsdDetector(Painted()).detect(picture(0, 0, 60, 80), ["dog"])
    np.testing.assert_allclose(boxes, [[0, 0, 60, 80]], atol=1.5)


def test_less_sure_boxes_only_where_there_is_none_over_the_threshold():
    image = picture(30, 40, 90, 100)
    assert len(SsdDetector(Painted(score=0.2)).detect(image, ["dog"])[0]) == 1
    assert len(SsdDetector(Painted(score=0.07)).detect(image, ["dog"])[0]) == 0
    assert len(SsdDetector(Painted(score=0.2)).detect(image, ["cat"])[0]) == 0


def test_a_picture_is_looked_at_once():
    detector = SsdDetector(Painted())
    image = picture(30, 40, 90, 100)
    detector.detect(image, ["dog"])
    looks = detector.network.looks
    detector.detect(image, ["cat"])
    assert detector.network.looks == looks == 5
    assert SsdDetector(Painted()).detect(np.zeros((1, 1, 3), np.uint8), ["dog"])[2] == ()


def test_what_cannot_be(tmp_path):
    with pytest.raises(OptionError, match="got corgi"):
        SsdDetector(Painted()).detect(picture(0, 0, 9, 9), ["corgi"])
    with pytest.raises(OptionError, match="box_threshold"):
        SsdDetector(Painted(), threshold=2)
    (tmp_path / "a.pb").write_bytes(b"no graph")
    (tmp_path / "a.pbtxt").write_text("neither")
    with pytest.raises(WeightsError, match="expected a frozen graph of an SSD"):
        load_ssd(tmp_path / "a.pb", tmp_path / "a.pbtxt")
