"""The report on greedy and optimal matching: its reference, its shares, and the command."""

import json

import numpy as np
import pytest
import torch

from ssc.models.bundled import ASSETS
from train.data.slice import SLICE, read_slice
from train.evaluate import matching_accuracy as matching
from train.evaluate.matching_accuracy import _choice, agreement
from train.evaluate.matching_measures import Scene, markdown, measure, pooled, scores_of
from train.pseudo import make as pseudo


def test_objects_compete_where_one_of_several_has_a_choice():
    no = -torch.inf
    assert not _choice(torch.tensor([[0.5, 0.2]]))
    assert not _choice(torch.tensor([[0.5, no], [no, 0.2]]))
    assert not _choice(torch.tensor([[0.5, 0.4], [no, no]]))
    assert _choice(torch.tensor([[0.5, 0.4], [no, 0.3]]))


def scene(iou, object_of, right, chosen, allowed=None):
    iou, right = torch.tensor(iou), torch.tensor(right)
    every = torch.ones(len(right), iou.shape[1], dtype=torch.bool)
    allowed = every if allowed is None else torch.tensor(allowed)
    return Scene(iou, torch.tensor(object_of), allowed, right, torch.tensor(chosen))


def three_pictures():
    """Where drawing matters, where greedy is not optimal, and where masks are too few."""
    drawing = scene([[0.1, 0.6], [0.8, 0.2], [0.3, 0.5]], [0, 0, 1], [0, 1], [0, 0])
    trap = scene([[0.9, 0.8], [0.85, 0.15]], [0, 1], [1, 0], [1, 1])
    few = scene(
        [[0.25], [0.02], [0.9]], [0, 1, 2], [0, -1, -1], [0, 0, -1], [[True], [True], [False]]
    )
    return [drawing, trap, few]


def test_each_way_of_matching_and_its_share():
    figures = measure(three_pictures(), objects=9)
    assert (figures["objects"], figures["found"], figures["matchable"]) == (9, 6, 5)
    known = {"greedy": 3 / 5, "optimal": 1.0, "same": 2 / 3}
    assert figures["rows"]["all"] == figures["rows"]["two"] == known  # none has three expressions
    assert figures["S2"] == 3 / 5
    assert figures["oracle"] == figures["oracle, no mask twice"] == 1.0
    text = markdown(figures)
    assert "9 objects, 6 with a candidate, 5 with one that is right" in text
    assert "| all (Algorithm 1 as printed) | 60.0 | 100.0 | 66.7 |" in text


def test_one_expression_is_drawn_by_the_seed():
    runs = [measure(three_pictures(), 9, seed)["rows"] for seed in range(12)]
    assert runs == [measure(three_pictures(), 9, seed)["rows"] for seed in range(12)]
    # The first picture's first object has an expression that misleads both, and one that does not.
    assert {rows["one"]["greedy"] for rows in runs} == {1 / 5, 3 / 5}


def test_left_without_a_mask_where_the_soft_iou_is_low():
    none = measure(three_pictures(), objects=9)["none"]
    # The second object of the last picture has no mask left, the third never had one.
    few = {"left": 1, "left rightly": 1.0, "kept": 5, "kept rightly": 3 / 5}
    assert none["0.0"] == none["0.05"] == none["0.1"] == few
    assert none["0.2"] == {"left": 2, "left rightly": 1 / 2, "kept": 4, "kept rightly": 3 / 4}
    assert none["0.3"] == {"left": 3, "left rightly": 1 / 3, "kept": 3, "kept rightly": 2 / 3}


def test_no_matching_can_give_one_mask_to_two_objects():
    shared = scene([[0.4, 0.1], [0.5, 0.2]], [0, 1], [0, 0], [0, 0])
    figures = measure([shared], objects=2)
    assert figures["oracle"] == figures["S2"] == 1.0
    assert figures["oracle, no mask twice"] == figures["rows"]["all"]["greedy"] == 0.5


def test_nothing_found_is_no_share():
    figures = measure([], objects=4)
    assert (figures["objects"], figures["found"], figures["matchable"]) == (4, 0, 0)
    assert figures["rows"]["all"] == {"greedy": None, "optimal": None, "same": None}
    assert "| S2's own choice (CLIP) | – |" in markdown(figures)
    assert "| 0.3 | 0 | – | 0 | – |" in markdown(figures)


def test_agreement_counts_pictures():
    counts = agreement(pooled(three_pictures()))
    ratio = counts.pop("greedy's total / optimal's")
    assert counts == {"pictures": 3, "with a choice": 2, "same": 2, "same with a choice": 1}
    assert ratio == pytest.approx((1.3 + 1.05 + 0.25) / (1.3 + 1.65 + 0.25))


def referred(one):
    """Number and texts of each object of a committed scene that has any."""
    said = [[row["text"] for row in thing["expressions"]] for thing in one.objects]
    return [(k, texts) for k, texts in enumerate(said) if texts]


def write_data(file, masks):
    """Three pictures of the committed slice in the own format, with true masks or without."""
    rows = []
    for one in read_slice()[:3]:
        objects = []
        for k, said in referred(one):
            mask = {"mask": run_lengths(one.masks[k])} if masks else {}
            objects.append({"name": str(k), "expressions": said} | mask)
        rows.append({"image": str(SLICE / f"{one.name}.jpg"), "name": one.name, "objects": objects})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def run_lengths(mask):
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": code["counts"].decode()}


@pytest.mark.long
def test_the_command_with_true_masks_and_without(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(matching, "times", lambda: {"soft IoU": 1.0})
    true, bare = (write_data(tmp_path / f"{k}.jsonl", k == "true") for k in ("true", "bare"))
    pseudo.generate(true, "mini", tmp_path / "store")
    options = ["--store", str(tmp_path / "store"), "--checkpoint", str(ASSETS / "mini" / "lavt")]
    options += ["--cache", str(tmp_path / "cache"), "--workers", "0"]

    told = []
    for name in ("a.json", "b.json"):
        matching.main(["--data", true, *options, "--json", str(tmp_path / name)])
        told.append((tmp_path / name).read_text())
    assert told[0] == told[1]
    accuracy = json.loads(told[0])["accuracy"]
    objects = sum(len(referred(one)) for one in read_slice()[:3])
    assert 0 < accuracy["matchable"] <= accuracy["found"] <= accuracy["objects"] == objects
    assert accuracy["oracle"] == 1.0
    assert markdown(accuracy) in capsys.readouterr().out

    matching.main(["--data", bare, *options, "--json", str(tmp_path / "bare.json")])
    assert "The data has no true masks: no accuracy." in capsys.readouterr().out
    assert json.loads((tmp_path / "bare.json").read_text())["agreement"]["pictures"] == 3

    lines = (tmp_path / "true.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "true.jsonl").write_text("".join(reversed(lines)))
    with pytest.raises(SystemExit, match=r"expected S1 and S2 of .* got other pictures"):
        matching.main(["--data", true, *options])


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
