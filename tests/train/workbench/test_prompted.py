"""Candidates by points: what is asked of the segmenter, and what is refused."""

import numpy as np
import pytest

from ssc.errors import InputError
from tests.train.toy_bench import Boxes
from train.workbench.prompted import Prompted

IMAGE = np.zeros((60, 80, 3), np.uint8)


def test_points_make_a_mask():
    mask = Prompted(Boxes, takes_points=True).points(IMAGE, [(20, 20), (60, 30)], [True, False])
    assert mask[20, 20]
    assert not mask[30, 60]


@pytest.mark.parametrize(
    ("points", "on"),
    [
        ([], []),
        ([(5, 5)], [False]),
        ([(5, 5)], [True, True]),
        ([(80, 5)], [True]),
        ([(-1, 5)], [True]),
        ([(5, float("nan"))], [True]),
    ],
)
def test_points_that_cannot_be_are_refused(points, on):
    with pytest.raises(InputError, match="points: expected"):
        Prompted(Boxes, takes_points=True).points(IMAGE, points, on)


def test_a_segmenter_of_boxes_takes_no_points_and_is_not_loaded():
    with pytest.raises(InputError, match="expected a box"):
        Prompted(lambda: 1 / 0).points(IMAGE, [(5, 5)], [True])
