"""The simulated reviewer, orders and agreement, on a toy store."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.toy_bench import write
from train.review.__main__ import main
from train.review.agreement import agreement, interval
from train.review.decisions import Decision
from train.review.doubt import ORDERS, Doubt, doubts_of, margin_of
from train.review.opened import open_reviewed
from train.review.simulate import answer, read_scenes, review, right_of


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write(tmp_path_factory.mktemp("store"), masks=True)


def test_every_order_ends_with_all_right(place, tmp_path):
    scenes, alone, _ = read_scenes(open_reviewed(place), None)
    for order in ORDERS.values():
        shares = review(scenes, order(alone, 0), False, tmp_path / "none.jsonl")
        assert len(shares) == len(alone) + 1
        assert shares[-1] == 1
        assert shares[0] < 1
    assert not (tmp_path / "none.jsonl").exists()


def test_an_answer_is_the_right_candidate_or_none(place, tmp_path):
    from train.review.decisions import Reviews

    scenes, _, _ = read_scenes(open_reviewed(place), None)
    for scene in scenes:
        reviews = Reviews(tmp_path / "none.jsonl")
        for thing in scene.picture.objects:
            decision = answer(scene, thing)
            assert decision.candidates == ((1,) if len(thing.candidates) else ())
            reviews.take(decision)
        assert right_of(scene, reviews, False) == len(scene.picture.objects)


def test_the_command_writes_figures_and_a_plot(place, tmp_path, capsys):
    files = ["--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png")]
    main([str(place), "--simulate", "--checkpoint", "off", "--seeds", "2", *files])
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["objects"] == len(figures["shares"]["random"]) - 1
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert "90 % after" in capsys.readouterr().out


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path, capsys):
    place = write(tmp_path, masks=True)
    row = json.loads((tmp_path / "data.jsonl").read_text().splitlines()[2])
    (tmp_path / row["image"]).write_bytes(b"x")
    scenes, _, _ = read_scenes(open_reviewed(place), None)
    assert len(scenes) == 5
    assert row["name"] in capsys.readouterr().err


@given(st.integers(0, 30), st.integers(0, 100))
def test_orders_are_permutations(count, seed):
    rng = np.random.default_rng(seed)
    doubts = [
        Doubt(k // 3, k % 3, float(rng.random()), int(rng.integers(3)), bool(k % 2), -1, 0)
        for k in range(count)
    ]
    for order in ORDERS.values():
        assert sorted(map(id, order(doubts, seed))) == sorted(map(id, doubts))
    values = [doubt.value for doubt in ORDERS["doubtful"](doubts, seed)]
    assert values == sorted(values, reverse=True)


def test_margins_are_those_of_selections():
    from ssc.types import Selection

    for scores in ([], [0.2], [0.2, 0.21], [0.3, 0.1, 0.29]):
        row = np.array(scores, np.float32)
        own = Selection(np.zeros((len(row), 1, 1, 3), np.uint8), row, len(row) - 1, "crop")
        assert margin_of(row) == pytest.approx(own.margin)


def test_objects_with_one_candidate_in_s2_are_in_conflict(place):
    from dataclasses import replace

    looked = open_reviewed(place).store.picture(2)
    thing = looked.objects[0]
    twice = replace(looked, objects=(thing, replace(thing, name="again")))
    assert [doubt.conflict for doubt in doubts_of(twice, 0, False)] == [True, True]
    assert [doubt.conflict for doubt in doubts_of(looked, 0, False)] == [False] * len(
        looked.objects
    )
    third = doubts_of(looked, 0, False, lambda own: (own.chosen + 1) % 3)
    assert all(doubt.disagrees and "stages 2 and 3 disagree" in doubt.words for doubt in third)


def test_accuracy_is_said_of_random_decisions_alone():
    doubts = [Doubt(0, k, 0.5, 3, False, 1, 0, ("looks",)) for k in range(4)]
    numbers = {("a", str(k)): k for k in range(4)}

    def decide(k, candidate, order):
        masks = () if candidate is None else ("04",)
        chosen = () if candidate is None else (candidate,)
        return Decision(
            picture="a",
            object=str(k),
            who="x",
            when="",
            masks=masks,
            candidates=chosen,
            order=order,
        )

    chosen = [decide(0, 0, "doubtful"), decide(1, 1, "doubtful")]
    counts = agreement(doubts, numbers, chosen)
    assert "accuracy" not in counts
    assert (counts["all"]["S2"], counts["all"]["third"]) == (1, 1)
    counts = agreement(
        doubts, numbers, [*chosen, decide(2, 0, "random"), decide(3, None, "random")]
    )
    assert counts["random"]["decided"] == 2
    low, high = counts["accuracy"]
    assert low < 0.5 < high


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_its_share(count, data):
    right = data.draw(st.integers(0, count))
    low, high = interval(right, count)
    assert -1e-9 <= low <= right / count + 1e-9
    assert right / count - 1e-9 <= high <= 1 + 1e-9
