"""Scores of matching on a case with known answers; `test_matching_report.py` has the rest."""

import numpy as np
import torch

from train.match_accuracy import Scene, scores_of
from train.matching_report import measure


def two_objects():
    """The second expression of the first object is the one that knows."""
    iou = torch.tensor([[0.1, 0.6, 0.0], [0.8, 0.2, 0.0], [0.3, 0.5, 0.9]])
    allowed = torch.tensor([[True, True, False], [True, True, False]])
    return Scene(
        iou,
        torch.tensor([0, 0, 1]),
        allowed,
        right=torch.tensor([0, 1]),
        chosen=torch.tensor([1, 1]),
    )


def test_scores_pool_what_is_drawn_and_no_other_candidate():
    rng = np.random.default_rng(0)
    inf = torch.inf
    best = scores_of(two_objects(), None, "best", rng)
    assert torch.allclose(best, torch.tensor([[0.8, 0.6, -inf], [0.3, 0.5, -inf]]))
    mean = scores_of(two_objects(), None, "mean", rng)
    assert torch.allclose(mean, torch.tensor([[0.45, 0.4, -inf], [0.3, 0.5, -inf]]))
    drawn = {tuple(scores_of(two_objects(), 1, "best", rng)[0, :2].tolist()) for _ in range(20)}
    assert drawn == {tuple(row) for row in two_objects().iou[:2, :2].tolist()}


def test_a_prior_that_errs_does_harm_where_it_counts_for_much():
    figures = measure([two_objects()], objects=2)
    assert figures["S2"] == 0.5
    assert figures["rows"]["all"]["greedy"] == figures["mean"] == figures["priors"]["0.1"] == 1.0
    assert figures["priors"]["1.0"] == 0.0  # the first object takes the second one's mask
