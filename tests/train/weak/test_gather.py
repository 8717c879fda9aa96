"""Shatter & Gather: slots, masks and loss by hand, and four pictures learnt."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.train.weak.toy import overfit
from train.weak.gather import (
    SHARPNESS,
    TEMPERATURE,
    Gather,
    Shatter,
    cycle_loss,
    entities,
    farthest,
    gathered,
    share_out,
)


def test_slots_compete_for_each_pixel():
    slots = torch.tensor([[[4.0, 0], [0, 2.0]]])
    pixels = torch.tensor([[[1.0, 0], [0, 3.0], [0.72, 0.69], [-5.0, -5.0]]])
    shares = share_out(slots, pixels)[0]
    cosines = torch.tensor([[1, 0, 0.72, -1], [0, 1, 0.69, -1]])
    cosines /= torch.tensor([1, 1, math.hypot(0.72, 0.69), 1])
    margins = (cosines[0] - cosines[1]) / SHARPNESS
    assert torch.allclose(shares[0], 1 / (1 + (-margins).exp()), atol=1e-5)
    assert torch.allclose(shares.sum(0), torch.ones(4))


def test_slots_begin_far_apart():
    east, north, west = [2.0, 0.1], [0.0, 5.0], [-1.0, 0.0]
    pixels = torch.tensor([[east, east, north, west, east]])
    # The first of the most common, what is opposite to it, and what is between them.
    assert farthest(pixels, 3).tolist() == [[0, 3, 2]]


def test_slots_become_the_means_of_what_is_alike():
    shatter = Shatter(4, slots=2, turns=2)
    torch.nn.init.eye_(shatter.k.weight)
    one, other = torch.tensor([[4.0, 1, 0, 0], [0, 0, 1, 4.0]])
    pixels = torch.stack([one, other, one * 2, other * 3, one])[None]
    entities, shares = shatter(pixels)
    alike = torch.tensor([1.0, 0, 1, 0, 1])
    assert torch.allclose(shares[0], torch.stack([alike, 1 - alike]), atol=1e-5)
    values = shatter.v(shatter.norm_pixels(torch.stack([one, other])))
    expected = values + shatter.mlp(shatter.norm_mlp(values))
    assert torch.allclose(entities[0], expected[1:], atol=1e-4)  # the first is the ground


def test_a_mask_is_its_entities_by_weight():
    shares = torch.tensor([[[1.0, 0, 0.5], [0, 1.0, 0.25], [0, 0, 0.25]]])
    mask = gathered(torch.tensor([[0.5, 0.25, 0.25]]), shares)
    assert torch.allclose(mask, torch.tensor([[0.5, 0.25, 0.375]]))


def test_slots_do_not_depend_on_the_order_of_pixels():
    torch.manual_seed(0)
    shatter, pixels = Shatter(8, 3, 2), torch.randn(2, 5, 8)
    slots, shares = shatter(pixels)
    turned, turned_shares = shatter(pixels.flip(1))
    assert torch.allclose(slots, turned, atol=1e-5)
    assert torch.allclose(shares, turned_shares.flip(2), atol=1e-5)


class Thirds(Gather):
    """Its pixels are the picture's: its left third is the ground, and the rest two entities."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def embed(self, image):
        return image.permute(0, 2, 3, 1)  # B×3×h×w → B×h×w×3

    def shatter(self, pixels):
        shares = torch.eye(3).repeat(1, 2)[None]  # 3 slots, 2×3 cells
        return None, shares


def test_entities_share_out_what_is_not_the_ground():
    corrector = SimpleNamespace(model=Thirds(), size=(2, 3))
    middle, right = entities(corrector, np.zeros((5, 9, 3), np.uint8))
    assert not middle[:, [0, 1, 7, 8]].any()
    assert middle[:, 4].all()
    assert not right[:, :4].any()
    assert right[:, 7:].all()
    assert not (middle & right).any()


def test_the_loss_of_two_pictures():
    x, y = [1.0, 0.0], [0.0, 1.0]
    # Picture 0 gives x whatever is asked, picture 1 gives y; sentence 0 is x, sentence 1 is y.
    embeddings = torch.tensor([[x, x], [y, y]])
    sentences, index = torch.tensor([x, y]), torch.tensor([0, 1])
    least = 2 * math.log(1 + math.exp(-1 / TEMPERATURE))
    right = cycle_loss(embeddings, sentences, index, torch.eye(2, dtype=torch.bool))
    assert right.item() == pytest.approx(least, abs=1e-6)
    wrong = cycle_loss(embeddings, sentences, index.flip(0), torch.eye(2, dtype=torch.bool))
    assert wrong.item() == pytest.approx(least + 2 / TEMPERATURE, rel=1e-5)


def test_the_same_sentence_is_not_held_against_another_picture():
    torch.manual_seed(0)
    embeddings, sentence = torch.randn(2, 2, 4), torch.randn(4).expand(2, 4)
    same = torch.ones(2, 2, dtype=torch.bool)
    assert cycle_loss(embeddings, sentence, torch.tensor([0, 1]), same).item() == 0


def test_it_learns_four_pictures():
    losses, iou = overfit(Gather, 200, 1e-3)
    assert losses[0] > 1
    assert losses[-1] < 0.05
    assert (iou > 0.8).all()
