"""What a training leaves of its own pictures over time, and how the report draws it."""

import numpy as np
import pytest
import torch

from ssc.errors import InputError
from tests.train import toy
from train.fit.watch import read_watched
from train.run import figure6 as over_time

WATCHED = 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of two trainings on squares of which S2 often takes the wrong one."""
    folder = tmp_path_factory.mktemp("trained")
    options = {"eval_every": 4, "watch": WATCHED}
    boot = toy.train("bootstrap", folder / "bootstrap", 6, folder / "cache", **options)
    toy.train("correct", folder / "correct", 8, folder / "cache", network=boot, **options)
    return folder


@pytest.fixture(scope="module")
def watched(trained):
    return {name: read_watched(trained / name) for name in ("bootstrap", "correct")}


@pytest.mark.long
def test_it_looks_at_the_start_now_and_then_and_at_the_end(watched):
    assert sorted(watched["bootstrap"].matched) == [0, 4, 6]
    assert sorted(watched["correct"].matched) == [0, 4, 8]
    assert len(set(watched["correct"].names)) == WATCHED
    for w in watched.values():
        assert len(w.names) == len(w.images) == len(w.chosen) == len(w.matched[0])
        for seen in w.seen.values():
            assert seen.shape == (len(w.names), *toy.SIZE)
    first, last = watched["correct"].seen[0], watched["correct"].seen[8]
    assert np.abs(first.astype(int) - last).max() > 5


@pytest.mark.long
def test_bootstrap_keeps_to_s2_and_matching_to_its_constraints(watched):
    for matched in watched["bootstrap"].matched.values():
        assert np.array_equal(matched, watched["bootstrap"].chosen)
    w = watched["correct"]
    assert any(not np.array_equal(matched, w.chosen) for matched in w.matched.values())
    for matched in w.matched.values():
        assert len(set(matched.tolist())) == len(matched)  # no mask twice, in any picture
        assert all(mask in own for mask, own in zip(matched, w.allowed))


@pytest.mark.long
def test_truth_is_that_of_the_pictures(watched):
    w, data = watched["correct"], toy.Squares(64)
    data.picture_name = lambda index: data[index].name
    truth = over_time.truth_of(w, data)
    store = toy.Wrong(data, 0.45)
    wrong = 0
    for j, name in enumerate(w.names):
        picture = int(name.rpartition("-")[2])
        said = sorted(w.expressions[j])
        [k] = [k for k, x in enumerate(data[picture].objects) if sorted(x.expressions) == said]
        own = int(data[picture].objects[k].name)  # which square it is: S1 has all three
        assert truth.right[j] == {w.allowed[j][own]}
        wrong += store[picture][k].chosen != own
    assert 0 < wrong < len(w.names)
    assert truth.share(w.chosen) == pytest.approx(1 - wrong / len(w.names))
    objects = over_time.worth_drawing(watched, truth)
    assert len(objects) == min(wrong, over_time.OBJECTS)
    figure, text = over_time.draw(watched, truth, objects)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles.count("bootstrap 0: wrong") == len(objects)
    assert "Objects S2 gets wrong" in text


@pytest.mark.long
def test_without_truth_the_changed_ones_are_drawn(watched, tmp_path):
    class Unreadable:
        name = "squares"

        def __len__(self):
            return 64

        def picture_name(self, index):
            return f"squares-{index:03d}"

        def __getitem__(self, index):
            raise InputError("gone")

    assert over_time.truth_of(watched["correct"], Unreadable()) is None
    objects = over_time.worth_drawing(watched, None)
    w = watched["correct"]
    assert objects
    assert all(w.matched[8][j] != w.chosen[j] for j in objects)
    figure, _ = over_time.draw(watched, None, objects)
    figure.savefig(tmp_path / "figure.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles.count("correct 8: another") == len(objects)


@pytest.mark.long
def test_watching_changes_nothing_that_is_learnt(tmp_path):
    options = {"eval_every": 2}
    plain, seen = (
        toy.train("bootstrap", tmp_path / str(n), 4, tmp_path / "cache", watch=n, **options)
        for n in (0, 3)
    )
    assert read_watched(tmp_path / "0") is None
    for a, b in zip(plain.state_dict().values(), seen.state_dict().values()):
        assert torch.equal(a, b)
