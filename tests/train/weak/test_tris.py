"""TRIS: calibration and selection by hand, and four pictures learnt."""

import math

import pytest
import torch

from tests.train.weak.toy import overfit
from train.weak.tris import TRIS, calibration, pooled, select_map, told_apart

X, Y = [1.0, 0.0], [0.0, 1.0]


def loss(pixels, response):
    """Of one pair whose sentence is X, with γ = 2 and β = -1."""
    scale, shift = torch.tensor(2.0), torch.tensor(-1.0)
    args = torch.tensor([pixels]), torch.tensor([X]), torch.tensor([response]), scale, shift
    return calibration(*args).item()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_a_map_that_takes_in_all_of_the_object_and_nothing_else():
    # f = X, cosine 1; g = Y, cosine 0.
    least = -math.log(sigmoid(2 - 1)) - math.log(1 - sigmoid(-1))
    assert loss([X, X, Y], [20.0, 20.0, -20.0]) == pytest.approx(least, abs=1e-4)


def test_half_of_the_object_left_out():
    # g = (X + Y) / 2, cosine 1/√2.
    expected = -math.log(sigmoid(1)) - math.log(1 - sigmoid(2 * 0.5**0.5 - 1))
    assert loss([X, X, Y], [20.0, -20.0, -20.0]) == pytest.approx(expected, abs=1e-4)


def test_background_taken_in():
    # f = (2X + Y) / 3, cosine 2/√5; g is the other Y.
    expected = -math.log(sigmoid(2 * 2 / 5**0.5 - 1)) - math.log(1 - sigmoid(-1))
    assert loss([X, X, Y, Y], [20.0, 20.0, 20.0, -20.0]) == pytest.approx(expected, abs=1e-4)


def test_the_score_is_near_the_greatest_response():
    assert pooled(torch.tensor([[3.0, 3.0, 3.0]])).item() == pytest.approx(3)
    assert pooled(torch.tensor([[20.0, 0.0]])).item() == pytest.approx(20 - math.log(2), abs=1e-4)


def test_calibration_counts_once_sentences_are_told_apart():
    positive = torch.tensor([True, False])
    assert told_apart(torch.tensor([30.0, -30.0]), positive).item() == pytest.approx(1)
    nearly = torch.tensor(0.75).logit().item()
    assert told_apart(torch.tensor([nearly, -30.0]), positive).item() == pytest.approx(0.5)
    assert told_apart(torch.tensor([0.0, -30.0]), positive).item() == pytest.approx(0, abs=1e-6)
    assert told_apart(torch.tensor([-30.0, 30.0]), positive) == 0
    assert told_apart(torch.tensor([30.0, 30.0]), torch.ones(2, dtype=torch.bool)).item() == 0


def test_the_map_that_all_sentences_agree_with_is_kept():
    insides = torch.tensor([[0.0, 1.0], [3.0, 3.0], [1.0, 0.0]])
    sentences = torch.tensor([X, X, Y])
    # Mean cosines: 1/3, 1/√2, 2/3.
    assert select_map(insides, sentences) == 1
    assert select_map(insides[[0, 2]], sentences) == 1
    assert select_map(insides[:1], sentences[:1]) == 0


def test_it_learns_of_four_pictures():
    """Three of the four colours are found. The training rests where the fourth fires on others'
    squares: which colour that is, the weights at the start decide.
    """
    losses, iou = overfit(TRIS, 110)
    assert losses[0] > 1
    assert losses[-1] < 0.45
    assert (iou > 0.5).sum() >= 6  # the whole picture has 0.14
