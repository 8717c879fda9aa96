"""Stage 3 in the pipeline: what it makes of probabilities, and what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc.cache import Cache
from ssc.correct import SNAP_IOU, Correct, correct_at, pool
from ssc.correction import Correction
from ssc.errors import InputError
from ssc.explain import explain
from ssc.metrics import mask_iou
from ssc.result import Result
from ssc.types import Candidates, ClassMatch, Selection
from tests.fake_pipeline import FakeCorrector, fake_pipeline, scene_candidates, scene_image


@pytest.fixture(scope="module")
def image():
    return scene_image()


def test_no_objects(image):
    assert Correct(FakeCorrector())(image, []) == []


def test_without_candidates_there_is_a_correction_too(image):
    [result] = fake_pipeline()(image, ["a unicorn"])
    assert result.correction.ious.shape == (0,)
    assert result.correction.snapped_index == -1
    assert not result.disagrees  # both found nothing
    assert explain(result) == (
        'No horse found for "a unicorn"; S+S+C found nothing either. Found instead: laptop.'
    )
    [marked] = fake_pipeline()(image, ["all unicorns"])
    assert marked.correction.mask.all()
    assert marked.disagrees
    assert "which needs no candidates, marked a region" in explain(marked)


def test_stages_arrive_in_order(image):
    stages = [results[0] for results in fake_pipeline().stream(image, ["left laptop"])]
    assert [(r.selection is None, r.correction is None) for r in stages] == [
        (True, True),
        (False, True),
        (False, False),
    ]
    assert stages[-1].timings["correct"] >= 0
    assert len(list(fake_pipeline(correct=False).stream(image, ["left laptop"]))) == 2


def test_all_expressions_of_all_objects_in_one_call(image):
    corrector = FakeCorrector()
    pipeline = fake_pipeline()
    pipeline.correct = Correct(corrector)
    results = pipeline(image, [["left laptop", "laptop at the left"], "a unicorn", "right laptop"])
    texts = ["left laptop", "laptop at the left", "a unicorn", "right laptop"]
    assert corrector.calls == [texts]
    for result, own in zip(results, ([0, 1], [2], [3])):
        expected = pool(FakeCorrector().predict(image, texts)[own])
        np.testing.assert_array_equal(result.correction.probability, expected)


def test_snapped_is_the_candidate_meant_and_words_say_so(image):
    candidates = scene_candidates(*image.shape[:2])
    leftmost = int(candidates.boxes[:, 0].argmin())
    [result] = fake_pipeline()(image, ["left laptop"])
    assert result.correction.snapped_index == leftmost
    assert result.disagrees == (result.selection.index != leftmost)
    assert np.array_equal(result.snapped.mask, candidates.masks[leftmost])
    expected = [mask_iou(result.correction.mask, mask) for mask in candidates.masks]
    assert result.correction.ious == pytest.approx(expected)
    said = "agrees" if not result.disagrees else f"chose candidate {leftmost + 1} instead"
    assert explain(result).endswith(f"; S+S+C {said}.")
    favoured = ", which S+S and S+S+C favour together" * result.disagrees
    start = f"The answer ({result.sure}) is candidate {result.joint.number} of 3{favoured}. S+S"
    assert explain(result).startswith(start)


@pytest.mark.parametrize(
    ("scores", "agreement", "joint"),
    [((0.3, 0.2), (0.1, 0.25), 0), ((0.3, 0.2), (0.1, 0.3), 1), ((0.2, 0.2), (0.0, 0.1), 1)],
)
def test_both_stages_choose_together(scores, agreement, joint):
    scores, agreement = np.array(scores, np.float32), np.array(agreement, np.float32)
    masks = np.zeros((2, 4, 6), bool)
    masks[0, :, :3], masks[1, :, 3:] = True, True
    boxes = np.array([[0, 0, 3, 4], [3, 0, 6, 4]], np.float32)
    candidates = Candidates(
        boxes, np.ones(2, np.float32), ("x", "x"), masks, np.ones(2, np.float32)
    )
    match = ClassMatch("x", "x", 1.0, ())
    result = Result(("x",), (match,), candidates)
    assert (result.joint, result.answer.by) == (None, "nothing yet")
    assert not result.mask.any()
    prompts = np.zeros((2, 4, 6, 3), np.uint8)
    result = result.with_selection(Selection(prompts, scores, int(scores.argmax()), "none"), {})
    own = np.zeros((4, 6), np.float32)
    snapped = int(agreement.argmax())
    correction = Correction(own, 0.1, own > 0.1, agreement, agreement, snapped)
    result = result.with_correction(correction, {})
    assert (result.joint.index, result.joint.number) == (joint, joint + 1)
    assert np.array_equal(result.mask, masks[joint])
    assert result.answer == result.joint
    favoured = ", which S+S and S+S+C favour together" * (result.selection.index != snapped)
    start = f"The answer ({result.sure}) is candidate {joint + 1} of 2{favoured}. "
    assert explain(result).startswith(start)


def test_where_no_candidate_agrees_its_own_mask_stays(image):
    [result] = fake_pipeline()(image, ["all of it"])
    assert result.correction.agreement.max() < SNAP_IOU
    assert result.correction.snapped_index == -1
    assert result.disagrees
    assert np.array_equal(result.snapped.mask, result.correction.mask)
    assert "a region that is none of the candidates" in explain(result)


def test_a_torn_model_still_prefers_a_candidate():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, :, :3], masks[1, :, 3:] = True, True
    one = np.ones(2, np.float32)
    boxes = np.array([[0, 0, 3, 4], [3, 0, 6, 4]], np.float32)
    candidates = Candidates(boxes, one, ("x", "x"), masks, one)
    correction = correct_at(
        np.where(masks[0], 0.4, 0.3).astype(np.float32), candidates, threshold=0.5
    )
    assert not correction.mask.any()
    assert correction.agreement == pytest.approx([4.8 / (8.4 + 12 - 4.8), 3.6 / (8.4 + 12 - 3.6)])
    assert correction.snapped_index == 0


def test_an_empty_prediction_snaps_to_nothing():
    """Nor to an empty candidate, whose IoU with it is 1 by definition."""
    masks = np.zeros((1, 4, 5), bool)
    one = np.ones(1, np.float32)
    candidates = Candidates(np.array([[0, 0, 5, 4]], np.float32), one, ("x",), masks, one)
    assert correct_at(np.zeros((4, 5), np.float32), candidates).snapped_index == -1


@pytest.mark.parametrize(("peak", "threshold"), [(1, 0.5), (0.6, 0.3), (0.15, 0.1), (0, 0.1)])
def test_the_mask_is_what_is_above_half_of_the_peak(peak, threshold):
    probability = np.linspace(0, peak, 20, dtype=np.float32).reshape(4, 5)
    none = np.zeros((0, 4), np.float32)
    masks, scores = np.zeros((0, 4, 5), bool), np.zeros(0, np.float32)
    correction = correct_at(probability, Candidates(none, scores, (), masks, scores))
    assert correction.threshold == pytest.approx(threshold)
    assert np.array_equal(correction.mask, probability > correction.threshold)
    assert correction.mask.any() == (peak > 0.1)


def test_threshold_moves_the_mask(image):
    probability = FakeCorrector().predict(image, ["left laptop"])[0]
    candidates = scene_candidates(*image.shape[:2])
    areas = [
        correct_at(probability, candidates, threshold=t).mask.sum() for t in (0, 0.2, 0.5, 0.9, 1)
    ]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] == probability.size
    assert areas[-1] == 0


def test_an_expression_alone_is_not_touched():
    p = np.random.default_rng(0).random((1, 3, 4), np.float32)
    assert np.array_equal(pool(p), p[0])


def test_unsure_expressions_give_way_to_a_sure_one():
    assert pool(np.array([[[0.4]], [[0.4]], [[0.97]]], np.float32)) > 0.6


def test_certain_expressions_stay_finite():
    assert pool(np.array([[[0.0]], [[1.0]]], np.float32)) == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.floats(0.015625, 0.984375, width=32), min_size=1, max_size=6))
def test_laws_of_pooling(values):
    p = np.array(values, np.float32)[:, None, None]
    mean = pool(p)
    assert mean.shape == (1, 1)
    assert mean.dtype == np.float32
    assert p.min() - 1e-5 <= mean[0, 0] <= p.max() + 1e-5
    assert pool(p[::-1]) == pytest.approx(mean, abs=1e-5)  # in any order
    assert pool(1 - p) == pytest.approx(1 - mean, abs=1e-4)  # object and background alike


def test_an_override_is_the_answer_and_can_be_taken_back(image):
    [result] = fake_pipeline()(image, ["left laptop"])
    other = (result.index + 1) % 3
    changed = result.with_override(other)
    assert np.array_equal(changed.mask, result.candidates.masks[other])
    assert changed.answer.by == "your choice"
    assert explain(changed).startswith(f"The answer is candidate {other + 1} of 3, your choice. ")
    assert changed.selected == result.selected
    assert changed.disagrees == result.disagrees  # it is about S+S and S+S+C
    assert np.array_equal(changed.with_override(None).mask, result.mask)
    with pytest.raises(ValueError, match="override: expected an index below 3, got 3"):
        result.with_override(3)


def test_values_check_themselves():
    p = np.zeros((2, 3), np.float32)
    none = np.zeros(0, np.float32)
    with pytest.raises(ValueError, match="one frame"):
        Correction(p, 0.5, np.zeros((3, 2), bool), none, none, -1)
    with pytest.raises(ValueError, match="snapped"):
        Correction(p, 0.5, p > 0, none, none, 0)
    assert Result(("x",), (), Candidates.empty(2, 3)).snapped is None


@pytest.fixture
def checkpoint(tmp_path):
    """A network that nobody has trained, as small as can be; written as every checkpoint is."""
    import torch
    from transformers import BertTokenizerFast

    from ssc.correct.predict import Corrector, ReferringModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "left", "laptop"]
    config = {
        "lavt": {
            "embed_dim": 8,
            "depths": (1, 1, 1, 1),
            "num_heads": (1, 1, 2, 2),
            "window_size": 3,
            "num_heads_fusion": (1, 1, 1, 1),
            "language_dim": 16,
        },
        "bert": {
            "vocab_size": len(words),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
        },
        "size": (24, 32),
        "words": 6,
    }
    torch.manual_seed(0)
    model = ReferringModel(config["lavt"], config["bert"])
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    folder = tmp_path / "mini" / "lavt"
    Corrector.save(folder, model, tokenizer, config)
    return folder


def test_load_takes_the_sets_own_model_none_or_a_folder(checkpoint, tmp_path, monkeypatch, image):
    from ssc.models import sets as models

    bare = fake_pipeline(correct=False)
    monkeypatch.setattr(models, "MODEL_SETS", {"mini": lambda: bare})
    monkeypatch.setattr(models, "_sets", Cache(1))  # lest others get it as their mini
    monkeypatch.setattr(models, "ASSETS", tmp_path / "nowhere")
    assert models.load("mini").correct is None  # it has none
    named = models.load("mini", correct=checkpoint)
    assert models.load("mini", correct=str(checkpoint)).correct is named.correct  # loaded once
    monkeypatch.setattr(models, "ASSETS", tmp_path)
    assert models.load("mini").correct is named.correct
    assert models.load("mini", correct=False).correct is None
    [result] = named(image, [["left laptop", "laptop"]])
    assert result.correction.probability.shape == image.shape[:2]
    with pytest.raises(InputError, match="expected the folder of a checkpoint or its id"):
        models.load("mini", correct=tmp_path / "other")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"config\.json: expected the configuration"):
        models.load("mini", correct=tmp_path / "other")
