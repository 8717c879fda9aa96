"""Boxes and masks against true instances: the measure, and by hand on two pictures."""

import numpy as np
import pytest

from train.data import Picture
from train.data.instances import average_precision, claim, measure


def test_average_precision():
    assert average_precision([], 3) == 0
    assert average_precision([(0.9, True), (0.8, True)], 2) == 1
    assert average_precision([(0.9, False), (0.8, True)], 1) == 0.5
    assert average_precision([(0.9, True)], 2) == 0.5


def test_an_instance_is_claimed_once():
    assert claim(np.array([[0.9, 0.0], [0.8, 0.1], [0.2, 0.6], [0.4, 0.4]])) == [
        True,
        False,
        True,
        False,
    ]
    assert claim(np.zeros((2, 0))) == [False, False]


def mask(x0, x1):
    out = np.zeros((10, 40), np.bool_)
    out[2:8, x0:x1] = True
    return out


class Detector:
    """Finds rows of (class, x0, x1, score) in a picture, as its first pixel numbers it."""

    classes = ("dog", "cat")

    def __init__(self, *pictures, threshold=0.5):
        self.pictures, self.threshold = pictures, threshold

    def detect(self, image, class_names):
        rows = [
            (name, x0, x1, score)
            for name, x0, x1, score in self.pictures[image[0, 0, 0]]
            if name in class_names and score > self.threshold
        ]
        boxes = np.array([(x0, 2, x1, 8) for _, x0, x1, _ in rows], np.float32).reshape(-1, 4)
        return boxes, np.float32([row[3] for row in rows]), tuple(row[0] for row in rows)


class Halves:
    """Masks of the left half of each box."""

    def segment(self, image, boxes):
        masks = [mask(int(x0), int((x0 + x1) / 2)) for x0, _, x1, _ in boxes]
        return np.array(masks, np.bool_).reshape(-1, 10, 40), np.ones(len(boxes), np.float32)


class Data:
    name = "two"

    def __init__(self, *pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        image = np.full((10, 40, 3), index, np.uint8)
        names, masks = zip(*self.pictures[index])
        return Picture(str(index), image, (), np.array(masks), names)


def test_by_hand():
    data = Data([("dog", mask(0, 10)), ("dog", mask(20, 30))], [("cat", mask(5, 15))])
    detector = Detector(
        [("dog", 0, 10, 0.9), ("dog", 1, 11, 0.8), ("dog", 20, 30, 0.3)], [("dog", 5, 15, 0.95)]
    )
    figures = measure(detector, Halves(), data)
    # Dogs by score: wrong, right, twin, right: precision 1/2, 2/4; of the cat, nothing.
    assert figures["AP50"] == pytest.approx((0.5 + 0) / 2)
    assert figures["recall"] == pytest.approx(1 / 3)  # 0.3 is below the threshold
    assert figures["mask IoU in true boxes"] == pytest.approx(0.5)
    assert measure(detector, Halves(), data, 1)["AP50"] == pytest.approx((1 + 2 / 3) / 2)
