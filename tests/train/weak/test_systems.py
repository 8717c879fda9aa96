"""The systems in the loop, checkpoints, rows and pseudo-masks that they share with stage 3."""

import json

import numpy as np
import pytest
import torch

from ssc.correct import Correct
from ssc.correct.predict import Corrector
from ssc.errors import InputError, WeightsError
from tests.train import toy as stage_3
from tests.train.squares import ASKED, Squares, picture, squares
from tests.train.weak.toy import train
from train.evaluate.checkpoints import checkpoint, of_stage_3
from train.evaluate.methods import Question
from train.fit.initial import open_checkpoint
from train.pseudo.store import Store
from train.weak.build import NETWORKS, SYSTEM, begin, load
from train.weak.maps import main as make_maps
from train.weak.names import SYSTEMS
from train.weak.system import belonging, classified, rectified


def test_each_name_has_a_network():
    assert NETWORKS.keys() == SYSTEMS.keys()


@pytest.mark.long
@pytest.mark.parametrize("method", SYSTEMS)
def test_the_loop_trains_it_without_masks_and_its_checkpoint_makes_rows(method, data, tmp_path):
    train(method, data, tmp_path, 2)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["matched"] for row in rows] == [0, 0]
    assert np.isfinite([row["loss"] for row in rows]).all()
    begun, trained = (open_checkpoint(folder)[0] for folder in (data / "begin", tmp_path))
    changed = {
        name
        for name, value in trained.state_dict().items()
        if name not in begun.state_dict() or not torch.equal(value, begun.state_dict()[name])
    }
    assert any("bert.encoder" in name for name in changed)
    assert any("levels." in name for name in changed)
    assert not any("lavt." in name for name in changed)

    # As it is trained, so it is loaded; each expression alone as among others.
    titles = [row.title for row in checkpoint(SYSTEMS[method], tmp_path)]
    further = [" snapped", " best entity"] if method == "gather" else [" snapped"]
    assert titles == [SYSTEMS[method] + end for end in ("", *further)]
    corrector, image = load(tmp_path), squares()[0]
    both = corrector.predict(image, ["red square", "the"])
    assert both.shape == (2, *image.shape[:2])
    alone = corrector.predict(image, ["red square"])
    # A map of two updates is nearly flat: stretched to its peak, its rounding is too.
    np.testing.assert_allclose(both[:1], alone, atol=1e-3)


def test_a_finished_training_is_not_done_again_and_another_system_does_not_take_it(data, tmp_path):
    train("tseg", data, tmp_path, 1)
    weights = (tmp_path / "model.safetensors").read_bytes()
    train("tseg", data, tmp_path, 1)
    assert (tmp_path / "model.safetensors").read_bytes() == weights
    model, _, config = open_checkpoint(tmp_path)
    assert begin("tseg", model, config, 0) == (model, config)
    for other in ("tris", "supervised"):
        with pytest.raises(InputError, match=f"expected a checkpoint for {other}, got one of TSEG"):
            begin(other, model, config, 0)


def test_a_checkpoint_of_an_unknown_system_is_told(data, tmp_path):
    model, config = stage_3.model()
    Corrector.save(tmp_path, model, stage_3.tokenizer(), config | {SYSTEM: "unheard of"})
    with pytest.raises(WeightsError, match="system: expected one of tseg, tris, gather"):
        load(tmp_path)


@pytest.mark.long
def test_the_maps_of_tris_are_a_store_that_a_segmenter_learns_from(data, tmp_path):
    train("tris", data, tmp_path / "tris", 1)
    words = [tmp_path / "tris", "--data", data / "data.jsonl", "--out", tmp_path / "maps"]
    make_maps([str(word) for word in words])
    store = Store.open(tmp_path / "maps")
    assert len(store) == 4
    for own in (store[k] for k in range(4)):
        assert [len(found.expressions) for found in own] == [2, 2]
        assert all(found.chosen == len(found.candidates) - 1 <= 0 for found in own)
    before = [path.read_bytes() for path in sorted((tmp_path / "maps").iterdir())]
    make_maps([str(word) for word in words])
    assert [path.read_bytes() for path in sorted((tmp_path / "maps").iterdir())] == before
    assert any(len(found.candidates) for k in range(4) for found in store[k])
    train("bootstrap", data, tmp_path / "segmenter", 1, more=("--store", tmp_path / "maps"))
    assert (tmp_path / "segmenter" / "model.safetensors").exists()


def test_only_tris_makes_maps(data, tmp_path, capsys):
    words = [str(data / "begin"), "--data", str(data / "data.jsonl"), "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        make_maps(words)
    assert "expected a checkpoint of `train.fit tris`" in capsys.readouterr().err


def test_a_sentence_of_several_pictures_belongs_to_all_of_them():
    same = torch.eye(3, dtype=torch.bool)
    same[0, 2] = same[2, 0] = True
    own = belonging(same, torch.tensor([0, 0, 1]), 3)
    assert own.tolist() == [[True, True, True], [True, False, True], [False] * 3]


def test_a_map_is_what_is_above_its_mean_in_shares_of_its_peak():
    response = torch.tensor([[[1.0, 3.0], [5.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]])
    assert rectified(response).tolist() == [
        [[0.0, 0.0], [pytest.approx(1 / 3), 1.0]],
        [[0.0, 0.0], [0.0, 0.0]],  # says nothing of any place
    ]


def test_positive_and_negative_pairs_count_half_each():
    scores = torch.tensor([[0.0, 2.0, 2.0, 2.0]])
    own = torch.tensor([[True, False, False, False]])
    expected = (torch.tensor(2.0).log() + torch.tensor(2.0).exp().log1p()) / 2
    assert torch.isclose(classified(scores, own), expected)
    assert classified(scores, torch.ones_like(own)).isfinite()


def test_a_row_snaps_to_the_candidate_that_its_map_agrees_with():
    masks = squares()[1]

    class Blurred:
        def predict(self, image, expressions):
            seen = 0.99 * masks[1].astype(np.float32)
            seen[:4] = 0.6
            return np.stack([seen for _ in expressions])

    asked = picture(*ASKED)
    results = tuple(Squares()(asked.image, [text]) for text in ("red one", "green one"))
    question = Question(asked, (0, 1), results)
    whole, snapped = of_stage_3("TSEG", Correct(Blurred()), snaps=True)
    assert all(mask[:4].all() for mask in whole.masks(question))
    assert all(np.array_equal(mask, masks[1]) for mask in snapped.masks(question))
