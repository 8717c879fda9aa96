"""The ablation of matching on cases with known answers, and over a few pictures."""

import json

import numpy as np
import pytest
import torch

from ssc.models import ASSETS
from train import match_accuracy, pseudo
from train.match_accuracy import Scene, measure, scores_of
from train.scenes.sprites import FONT


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


def test_shares_are_of_the_objects_that_can_be_right():
    hopeless = Scene(
        torch.tensor([[0.02], [0.4]]),
        torch.tensor([0, 1]),
        torch.tensor([[True], [False]]),
        right=torch.tensor([-1, -1]),
        chosen=torch.tensor([0, -1]),
    )
    figures = measure([two_objects(), hopeless])
    assert (figures["objects"], figures["matchable"]) == (3, 2)
    assert figures["rows"]["S2's choice"] == 0.5
    assert figures["rows"]["all, best score, greedy"] == 1.0
    assert figures["rows"]["all, best score, optimal"] == 1.0
    assert figures["rows"]["all, best score, greedy, S2's choice + 0.1"] == 1.0
    assert figures["rows"]["all, best score, greedy, S2's choice + 1.0"] == 0.0
    assert figures["without"] == pytest.approx(2 / 3)
    assert figures["none"]["0.05"] == {"left": 1, "left rightly": 1.0, "kept rightly": 1.0}
    assert "| all, best score, greedy | 100.0 |" in match_accuracy.markdown(figures)


@pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
def test_the_command(tmp_path, capsys):
    pseudo.generate("refsprites:val:3", "mini", tmp_path / "store")
    command = ["--data", "refsprites:val:3", "--store", str(tmp_path / "store")]
    command += ["--checkpoint", str(ASSETS / "mini" / "lavt"), "--json", str(tmp_path / "f.json")]
    match_accuracy.main(command)
    figures = json.loads((tmp_path / "f.json").read_text())
    assert 0 < figures["matchable"] <= figures["objects"]
    assert all(0 <= share <= 1 for share in figures["rows"].values())
    assert f"{figures['objects']} objects have a candidate" in capsys.readouterr().out
    command[1] = "refsprites:testA:3"
    with pytest.raises(SystemExit, match="expected S1 and S2 of refsprites:testA:3"):
        match_accuracy.main(command)
