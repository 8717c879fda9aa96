"""From scores to choices: each object for itself, and together."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.correction import Correction
from ssc.result import Result
from ssc.select.choose import argmax_choice, match_joint, matching_choice
from ssc.types import Candidates, ClassMatch, Selection


def test_argmax_is_each_object_for_itself():
    none, some = np.zeros(0, np.float32), np.array([0.1, 0.3, 0.3], np.float32)
    assert argmax_choice([none, some, some], [[], ["a", "b", "c"], ["a", "b", "c"]]) == [-1, 1, 1]
    assert argmax_choice([], []) == []


def test_matching_by_hand():
    """The best pair first: object 1 gets a, so object 0 has to take its second best."""
    scores = [np.array([0.30, 0.28], np.float32), np.array([0.20, 0.35], np.float32)]
    assert matching_choice(scores, [["a", "b"], ["b", "a"]]) == [1, 1]
    assert matching_choice(scores, [["a", "b"], ["c", "d"]]) == [0, 1]  # nothing shared
    assert matching_choice([], []) == []
    assert matching_choice([np.zeros(0, np.float32)], [[]]) == [-1]


@st.composite
def choices(draw):
    """Scores and keys of up to 5 objects, out of up to 6 candidates of the image."""
    pool = [f"c{i}" for i in range(draw(st.integers(1, 6)))]
    keys = draw(st.lists(st.lists(st.sampled_from(pool), unique=True), min_size=1, max_size=5))
    number = st.floats(-1, 1, width=32)
    scores = [
        np.array(draw(st.lists(number, min_size=len(k), max_size=len(k))), np.float32) for k in keys
    ]
    return scores, keys


@given(choices())
def test_laws_of_matching(case):
    scores, keys = case
    matched = matching_choice(scores, keys)
    taken = [own[i] for own, i in zip(keys, matched) if i >= 0]
    assert len(taken) == len(set(taken))  # no candidate twice
    for own, i in zip(keys, matched):
        assert -1 <= i < len(own)
        assert i >= 0 or set(own) <= set(taken)  # none goes without while one of its own is free
    alone = argmax_choice(scores, keys)
    wanted = [own[i] for own, i in zip(keys, alone) if i >= 0]
    if len(set(wanted)) == len(wanted) and all(
        len(set(row.tolist())) == len(row) for row in scores
    ):
        assert matched == alone  # where nobody contends, nothing changes


@given(choices(), st.data())
@settings(deadline=None)
def test_laws_of_joint_answers_by_matching(case, data):
    """No candidate is the joint answer of two objects, and none goes without while one is free."""
    scores, keys = case
    frame = np.eye(6, dtype=bool)[:, None]  # candidate c is pixel c of a picture of 1×6
    objects = []
    for own, row in zip(keys, scores):
        n = len(own)
        masks = frame[[int(key[1]) for key in own]].reshape(n, 1, 6)
        ones = np.ones(n, np.float32)
        boxes = np.zeros((n, 4), np.float32)
        stage_1 = Candidates(boxes, ones, ("dog",) * n, masks, ones)
        agreement = st.lists(st.floats(0, 1, width=32), min_size=n, max_size=n)
        agreement = np.array(data.draw(agreement), np.float32)
        seen = np.zeros((1, 6), np.float32)
        selection = Selection(np.zeros((n, 1, 1, 3), np.uint8), row, -1, "crop", "matching")
        correction = Correction(seen, 0.5, seen > 0.5, agreement, agreement, -1)
        asked = Result(("dog",), (ClassMatch("dog", "dog", 1.0),), stage_1)
        objects.append(asked.with_selection(selection, {}).with_correction(correction, {}))
    joint = [out.joint for out in match_joint(objects)]
    taken = np.sum([answer.mask for answer in joint], axis=0)
    assert taken.max() <= 1
    for own, answer in zip(objects, joint):
        free = ~(own.candidates.masks & (taken > 0)).any(axis=(1, 2))
        assert not answer.empty or not free.any()
    alone = [own.joint.index for own in objects]
    wanted = [own[i] for own, i in zip(keys, alone) if i >= 0]
    ties = any(len(set(own.joint_scores.tolist())) < len(own.candidates) for own in objects)
    if len(set(wanted)) == len(wanted) and not ties:
        assert [answer.index for answer in joint] == alone
