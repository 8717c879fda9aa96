"""The report on greedy and optimal matching: its reference, and what counts as a choice."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.correct.matching import greedy_match
from train.matching import _choice, loop_match


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 10**6))
def test_the_loop_is_greedy_matching(objects, candidates, seed):
    rng = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 6, (objects, candidates), generator=rng).float()  # ties
    scores[torch.rand(scores.shape, generator=rng) < 0.3] = -torch.inf
    assert torch.equal(loop_match(scores), greedy_match(scores))


def test_objects_compete_where_one_of_several_has_a_choice():
    no = -torch.inf
    assert not _choice(torch.tensor([[0.5, 0.2]]))
    assert not _choice(torch.tensor([[0.5, no], [no, 0.2]]))
    assert not _choice(torch.tensor([[0.5, 0.4], [no, no]]))
    assert _choice(torch.tensor([[0.5, 0.4], [no, 0.3]]))
