"""Duplicate suppression and the stage with fakes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc.explain import explain
from ssc.metrics import pairwise_iou
from ssc.segment import Segment
from ssc.segment.masks import DUPLICATE_IOU, suppress_duplicates
from ssc.types import ANY_CLASS, Candidates, ClassMatch
from tests.segment.toy_stage import Classes, Detector, H, Segmenter, W, block


def candidates(masks, scores):
    n = len(masks)
    return Candidates(
        np.zeros((n, 4), np.float32),
        np.asarray(scores, np.float32),
        ("dog",) * n,
        np.asarray(masks, bool).reshape(n, H, W),
        np.ones(n, np.float32),
    )


def test_nothing_stays_nothing():
    assert suppress_duplicates(Candidates.empty(H, W)) == []


def test_the_better_of_two_equal_masks_stays():
    assert suppress_duplicates(candidates([block(0, 8), block(0, 8)], [0.4, 0.9])) == [1]


def test_neighbours_stay_best_first_and_empty_masks_go():
    masks = [block(0, 6), block(4, 10), np.zeros((H, W), bool)]
    assert suppress_duplicates(candidates(masks, [0.5, 0.9, 0.99])) == [1, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 14), st.integers(1, 15), st.floats(0.1, 1)), min_size=1, max_size=6
    )
)
def test_kept_ones_differ_and_each_dropped_one_has_a_better_double(rows):
    masks = [block(min(a, b), max(a, b) + 1) for a, b, _ in rows]
    found = candidates(masks, [s for *_, s in rows])
    kept = suppress_duplicates(found)
    overlap = pairwise_iou(found.masks, found.masks)
    for i in kept:
        assert all(i == j or overlap[i, j] <= DUPLICATE_IOU for j in kept)
    for i in set(range(len(rows))) - set(kept):
        assert any(
            overlap[i, j] > DUPLICATE_IOU and found.scores[j] >= found.scores[i] for j in kept
        )


def run(*expressions):
    detector = Detector()
    words = {"dog", "cat", "bus"}
    stage = Segment(
        lambda text: next((w for w in text.split() if w in words), ""),
        Classes(),
        detector,
        Segmenter(),
    )
    return stage(np.zeros((H, W, 3), np.uint8), expressions), detector


def test_one_class_is_looked_for():
    result, detector = run("the left dog")
    assert detector.asked == [["dog"]]
    assert result.candidates.labels == ("dog",)
    assert set(result.timings) == {"nouns", "classes", "boxes", "masks"}


def test_expressions_of_one_object_ask_for_all_their_classes():
    result, detector = run("the dog", "that cat")
    assert detector.asked == [["dog", "cat"]]
    assert result.candidates.labels == ("dog", "cat")


def test_without_a_noun_every_class_is_a_candidate():
    result, detector = run("left")
    assert detector.asked == [["dog", "cat", "bus"]]
    assert result.classes == (ANY_CLASS,)
    assert len(result.candidates) == 2


def test_an_expression_without_noun_adds_nothing_to_one_with():
    _, detector = run("left", "the dog")
    assert detector.asked == [["dog"]]


def test_without_projection_the_noun_is_looked_for():
    class Elsewhere(Classes):
        def __call__(self, nouns):
            return tuple(ClassMatch(noun, "bus", 0.5) for noun in nouns)

    detector = Detector()
    stage = Segment(lambda text: text.split()[-1], Elsewhere(), detector, Segmenter())
    picture = np.zeros((H, W, 3), np.uint8)
    stage(picture, ["left dog"])
    stage.with_options(project=False)(picture, ["left dog"])
    everything = list(Classes.vocabulary)  # looked for where nothing of the class was found
    assert detector.asked == [["bus"], everything, ["dog"]]


@pytest.mark.parametrize(
    ("costly", "options", "looks_on"),
    [
        (False, {}, True),
        (True, {}, False),
        (True, {"nearest": True}, True),
        (False, {"nearest": False}, False),
    ],
)
def test_it_is_looked_on_only_where_it_is_wanted(costly, options, looks_on):
    detector = AsksTwice(costly)
    stage = Segment(lambda text: "bus", Classes(), detector, Segmenter()).with_options(**options)
    result = stage(np.zeros((H, W, 3), np.uint8), ["the bus"])
    everything = list(Classes.vocabulary)
    assert detector.asked == [["bus"]] * looks_on  # which asks as "all …s" too
    assert detector.plainly == ([everything] if looks_on else [["bus"]])
    assert [name for name, _ in result.nearest] == ["cat"] * looks_on
    assert stage.could_look_on(result) != looks_on
    assert not stage.could_look_on(run("the left dog")[0])


def test_by_the_papers_rule_the_detector_asks_as_often_as_it_likes():
    detector = AsksTwice(costly=True)
    stage = Segment(lambda text: "bus", Classes(), detector, Segmenter(), paper=True)
    stage(np.zeros((H, W, 3), np.uint8), ["the bus"])
    assert (detector.asked, detector.plainly) == ([["bus"]], [])


class AsksTwice(Detector):
    def __init__(self, costly):
        super().__init__()
        self.costly, self.plainly = costly, []

    def detect_once(self, image, class_names):
        self.plainly.append(list(class_names))
        found = int(len(class_names) > 1)
        return np.zeros((found, 4), np.float32), np.ones(found, np.float32), ("cat",) * found


def test_what_is_there_instead_is_offered():
    result, _ = run("the bus")
    assert not result.found
    assert result.mask.shape == (H, W)
    assert not result.mask.any()
    assert [name for name, _ in result.nearest] == ["dog", "cat"]
    assert explain(result) == 'No bus found for "the bus". Found instead: dog, cat.'
