"""TSEG: patch assignment and scores by hand, and four pictures learnt."""

import math

import pytest
import torch

from tests.train.weak.toy import overfit
from train.weak.tseg import EPSILON, FLOOR, TSEG, assign_patches, pooled


def assigned(*own):
    """Two patches and three sentences; exp(s) is (2, 4, 1) and (1, 1, 1), and exp(b) is 3."""
    similarity = torch.tensor([[[2.0, 4.0, 1.0], [1.0, 1.0, 1.0]]]).log()
    return assign_patches(similarity, torch.tensor(3.0).log(), torch.tensor([own]))[0]


def test_the_sentences_of_a_picture_do_not_compete():
    m = assigned(True, True, False)
    # Background 3 and the other picture's sentence 1, and each own sentence alone.
    assert torch.allclose(m[0, :2], torch.tensor([2 / (3 + 1 + 2), 4 / (3 + 1 + 4)]))
    assert torch.allclose(m[1, :2], torch.tensor([1 / (3 + 1 + 1)] * 2))


def test_another_pictures_sentence_competes_with_all():
    m = assigned(True, True, False)
    assert torch.allclose(m[:, 2], torch.tensor([1 / (3 + 2 + 4 + 1), 1 / (3 + 1 + 1 + 1)]))


def test_without_own_sentences_it_is_the_softmax():
    m = assigned(False, False, False)
    assert torch.allclose(m[0], torch.tensor([2.0, 4.0, 1.0]) / 10)


def test_scores_of_a_sentence():
    similarity = torch.tensor([[[2.0], [-1.0]]])
    m = torch.tensor([[[0.1], [0.02]]])
    share = 0.06
    score = (0.1 * 2 - 0.02) / (EPSILON + 0.12) + 0.94**10 * math.log(FLOOR + share)
    assert pooled(similarity, m).item() == pytest.approx(score)


def test_it_learns_four_pictures():
    losses, iou = overfit(TSEG, 80)
    assert losses[0] > 0.5
    assert losses[-1] < 0.05
    assert iou.min() > 0.3  # the whole picture has 0.14
    assert iou.mean() > 0.5
