"""How sure an answer is: from lead and agreement alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssc.sure import GLIMPSED, LEAD, LIKELY, NOT_SURE, PLAIN, SEEN, SURE, how_sure

SCORES = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=6)
ORDER = (NOT_SURE, LIKELY, SURE)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_sure_takes_a_lead_and_both_stages():
    plain = scores(0.3, 0.3 - 2 * PLAIN)
    assert how_sure(plain, 0, True, SEEN) == SURE
    assert how_sure(plain, 0, True, GLIMPSED) == LIKELY
    assert how_sure(plain, 0, True, GLIMPSED / 2) == NOT_SURE
    assert how_sure(plain, 0, False, 1.0) == NOT_SURE
    assert how_sure(scores(0.3, 0.3), 0, True, SEEN) == LIKELY


def test_without_stage_3_nothing_is_sure():
    assert how_sure(scores(1.0, -1.0), 0) == LIKELY
    assert how_sure(scores(0.3, 0.3 - LEAD / 2), 0) == NOT_SURE
    assert how_sure(scores(0.1, 0.3), 0) == NOT_SURE  # matching gave the best to another object
    assert how_sure(scores(0.1), 0) == LIKELY


@given(SCORES, st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_more_agreement_is_never_less_sure(values, agree, one, two):
    row = np.array(values, np.float32)
    best, low, high = int(row.argmax()), min(one, two), max(one, two)
    less, more = how_sure(row, best, agree, low), how_sure(row, best, agree, high)
    assert ORDER.index(less) <= ORDER.index(more)
    assert ORDER.index(how_sure(row, best, False, high)) <= ORDER.index(more)
