"""The matching's laws, Algorithm 1 as a loop, brute force, and the golden assignments."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from ssc.correct.matching import (
    add_prior,
    greedy_match,
    match_images,
    matched_loss,
    object_scores,
    optimal_match,
    soft_iou,
)
from train.evaluate.matching_accuracy import loop_match

GOLDEN = load_file(Path(__file__).parents[1] / "data" / "golden" / "matching.safetensors")
CASES = sorted({name.split(".")[0] for name in GOLDEN})
PATIENT = settings(deadline=None)  # the first call imports scipy; machines are shared
BOTH = pytest.mark.parametrize("match", [greedy_match, optimal_match])


def total(scores, assignment):
    return sum(scores[j, c].item() for j, c in enumerate(assignment.tolist()) if c >= 0)


def brute_force(scores):
    """The greatest total of any assignment, unmatched objects counting 0."""
    objects, candidates = scores.shape
    slots = [*range(candidates), *[-1] * objects]
    options = {tuple(p) for p in permutations(slots, objects)}
    allowed = [
        p for p in options if all(c < 0 or scores[j, c] > -torch.inf for j, c in enumerate(p))
    ]
    return max(total(scores, torch.tensor(p)) for p in allowed)


@st.composite
def problems(draw, least=0.0, most_objects=5, most_candidates=6):
    """Soft IoU of expressions and candidates, their objects, and what is allowed."""
    objects = draw(st.integers(1, most_objects))
    candidates = draw(st.integers(0, most_candidates))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    object_of = torch.from_numpy(np.repeat(np.arange(objects), rng.integers(1, 4, objects)))
    iou = rng.uniform(least, 1, (len(object_of), candidates))
    if draw(st.booleans()):  # many ties
        iou = np.round(iou * 3) / 3
    allowed = rng.random((objects, candidates)) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    return torch.from_numpy(iou).float(), object_of, torch.from_numpy(allowed)


@BOTH
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0), (4, 0, 0), (0, 2, 3), (3, 0, 2)])
def test_nothing_to_match(match, shape):
    assignment = match(torch.zeros(shape))
    assert assignment.shape == shape[:-1]
    assert (assignment == -1).all()


@BOTH
@PATIENT
@given(problem=problems(least=-1.0))
def test_laws_of_every_matching(match, problem):
    scores = object_scores(*problem)
    assignment = match(scores)
    matched = assignment[assignment >= 0]
    assert assignment.dtype == torch.int64
    assert assignment.shape == scores.shape[:1]  # one mask for an object and all it is called
    assert len(set(matched.tolist())) == len(matched)  # no mask twice
    assert all(problem[2][j, c] for j, c in enumerate(assignment.tolist()) if c >= 0)
    for j in (assignment < 0).nonzero():  # nobody goes without while one of theirs is free
        free = [c for c in range(scores.shape[1]) if c not in matched]
        assert not problem[2][j.item(), free].any()


@PATIENT
@given(problem=problems(least=-1.0))
def test_greedy_is_algorithm_1(problem):
    assert torch.equal(greedy_match(object_scores(*problem)), loop_match(*problem))


@PATIENT
@given(problem=problems(most_objects=4, most_candidates=4))
def test_optimal_is_the_best_there_is(problem):
    scores = object_scores(*problem)
    assert total(scores, optimal_match(scores)) == pytest.approx(brute_force(scores), abs=1e-6)


@PATIENT
@given(problem=problems(most_objects=8, most_candidates=8))
def test_greedy_is_never_better_than_optimal(problem):
    scores = object_scores(*problem)
    best = total(scores, optimal_match(scores))
    assert total(scores, greedy_match(scores)) <= best + 1e-6


def test_where_greedy_is_not_optimal():
    scores = torch.tensor([[0.9, 0.8], [0.8, 0.1]])
    assert greedy_match(scores).tolist() == [0, 1]
    assert optimal_match(scores).tolist() == [1, 0]


def test_optimal_leaves_no_free_pair_for_a_low_score():
    scores = torch.tensor([[-0.3, -torch.inf], [-torch.inf, -0.2]])
    assert optimal_match(scores).tolist() == [0, 1]


@BOTH
def test_nan_is_never_matched(match):
    assert match(torch.tensor([[torch.nan, 0.2], [torch.nan, torch.nan]])).tolist() == [1, -1]


@pytest.mark.long
@BOTH
@PATIENT
@given(tables=st.lists(problems(), max_size=5))
def test_images_together_are_as_each_alone(match, tables):
    scores = [object_scores(*problem) for problem in tables]
    together = match_images(scores, match)
    assert [a.tolist() for a in together] == [match(table).tolist() for table in scores]


def test_a_prior_makes_nothing_possible_that_was_not():
    inf = torch.inf
    scores = torch.tensor([[0.5, 0.25, -inf], [0.5, 0.25, -inf], [0.5, -inf, -inf]])
    with_prior = add_prior(scores, torch.tensor([1, -1, 2]), 0.5)
    assert with_prior.tolist() == [[0.5, 0.75, -inf], [0.5, 0.25, -inf], [0.5, -inf, -inf]]
    assert greedy_match(with_prior).tolist() == [1, 0, -1]


def test_the_scores_are_left_as_they_were():
    scores = torch.tensor([[0.9, 0.8], [0.8, 0.1]])
    match_images([scores])
    greedy_match(scores)
    assert scores.tolist() == torch.tensor([[0.9, 0.8], [0.8, 0.1]]).tolist()


def test_an_object_without_expressions_stays_unmatched():
    iou, allowed = torch.tensor([[0.5, 0.4]]), torch.ones(2, 2, dtype=torch.bool)
    assert greedy_match(object_scores(iou, torch.tensor([1]), allowed)).tolist() == [-1, 0]


def test_soft_iou_of_hard_masks_is_iou():
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, :, :3] = masks[1, :, 1:4] = True
    iou = soft_iou(masks.float(), masks)
    torch.testing.assert_close(iou, torch.tensor([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0]]))


def test_soft_iou_of_a_batch_and_by_the_formula():
    p, m = torch.rand(2, 3, 5, 7), torch.rand(2, 4, 5, 7) > 0.5
    iou = soft_iou(p, m)
    pm = p[:, :, None] * m[:, None]
    union = (p[:, :, None] + m[:, None] - pm).sum((-1, -2))
    torch.testing.assert_close(iou, pm.sum((-1, -2)) / union)
    torch.testing.assert_close(iou[1], soft_iou(p[1], m[1]))
    assert soft_iou(p[0], m[0, :0]).shape == (3, 0)


def test_soft_iou_is_exact_under_autocast():
    p, m = torch.rand(3, 40, 50), torch.rand(2, 40, 50) > 0.5
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(soft_iou(p, m), soft_iou(p.double(), m))


def golden(case):
    return [GOLDEN[f"{case}.{x}"] for x in ("logits", "candidates", "object", "assignment", "loss")]


@pytest.mark.parametrize("case", CASES)
def test_golden_assignments_and_losses(case):
    logits, candidates, object_of, expected, loss = golden(case)
    object_of = object_of.long()
    allowed = torch.ones(int(object_of.max()) + 1, len(candidates), dtype=torch.bool)
    iou = soft_iou(logits.softmax(1)[:, 1], candidates)
    assignment = greedy_match(object_scores(iou, object_of, allowed))
    assert assignment[object_of].tolist() == expected.tolist()
    assert torch.equal(loop_match(iou, object_of, allowed), assignment)
    ours = matched_loss(logits, [candidates], [object_of], [assignment])
    torch.testing.assert_close(ours, loss[0], rtol=0, atol=1e-6)


def test_a_batch_has_the_mean_loss_of_its_images():
    images = []
    for case in CASES[:4]:
        logits, candidates, object_of, expected, _ = golden(case)
        assignment = torch.full((int(object_of.max()) + 1,), -1)
        assignment[object_of.long()] = expected.long()
        images.append((logits, candidates, object_of.long(), assignment))
    logits, *by_image = zip(*images)
    loss = matched_loss(torch.cat(logits), *by_image)
    sizes = torch.tensor([len(own) for own in logits])
    alone = torch.stack([golden(case)[4][0] for case in CASES[:4]])
    torch.testing.assert_close(loss, (alone * sizes).sum() / sizes.sum())


def test_unmatched_expressions_give_no_gradient():
    logits = torch.randn(2, 2, 4, 4, requires_grad=True)
    candidates = torch.rand(1, 4, 4) > 0.5
    matched_loss(logits, [candidates], [torch.tensor([0, 1])], [torch.tensor([-1, 0])]).backward()
    assert (logits.grad[0] == 0).all()
    assert (logits.grad[1] != 0).any()


def test_loss_of_nothing_is_zero():
    none = torch.zeros(0, dtype=torch.long)
    masks = torch.zeros(1, 4, 4)
    assert matched_loss(torch.zeros(0, 2, 4, 4), [masks], [none], [none]) == 0
    unmatched = torch.tensor([-1])
    first = torch.tensor([0])
    assert matched_loss(torch.zeros(1, 2, 4, 4), [masks[:0]], [first], [unmatched]) == 0


def test_nan_reaches_the_loss_though_unmatched():
    logits = torch.zeros(2, 2, 4, 4)
    logits[0, 0, 0, 0] = torch.nan
    masks, object_of, assignment = torch.ones(1, 4, 4), torch.tensor([0, 1]), torch.tensor([-1, 0])
    loss = matched_loss(logits, [masks], [object_of], [assignment])
    assert loss.isnan()
