"""`python -m train reviewed`: its steps, and a small one from decisions to a table."""

import json

import numpy as np
import pytest

from train.fit.options import LEFT_OUT
from train.review.__main__ import main as review
from train.review.decisions import Reviews
from train.review.opened import open_reviewed
from train.run import reviewed
from train.run.study import add_world, complete_world


def arguments(tmp_path, *argv):
    import argparse

    parser = argparse.ArgumentParser()
    add_world(parser)
    args = complete_world(parser.parse_args(["--out", str(tmp_path), *argv]), argv)
    args.shares, args.orders = [0.0, 0.1], ["doubtful", "random"]
    return args


def test_every_row_trains_as_long_and_reads_its_own_decisions(tmp_path):
    args = arguments(tmp_path, "--steps", "30")
    plan, found = reviewed.steps(args, 3)
    assert list(found) == ["0 %", "10 % doubtful", "10 % random"]
    trainings = [step for step in plan if step.module == "train.fit"]
    assert [step.options[0] for step in trainings] == ["bootstrap", *["correct"] * 3]
    assert all(str(trainings[0].output) in step.options for step in trainings[1:])
    assert all(step.options[step.options.index("--steps") + 1] == "30" for step in trainings)
    read = [step.options[step.options.index("--reviews") + 1 :][:1] for step in trainings[2:]]
    decided = [str(step.output) for step in plan if step.module == "train.review"]
    assert read == [[decided[0]], [decided[1]]]
    assert "--reviews" not in trainings[0].options + trainings[1].options
    assert decided == [
        str(tmp_path / "reviews" / f"{n}.jsonl") for n in ("doubtful-0.1-0", "random-0.1-3")
    ]
    assert len({step.output for step in plan}) == len(plan)


def test_decisions_of_a_share_in_either_order(tmp_path, capsys):
    from tests.train.toy_bench import write

    place, files = write(tmp_path, masks=True), [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file, order in zip(files, ("doubtful", "random")):
        command = [str(place), "--simulate", "--decide", "0.5", "--order", order]
        review([*command, "--out", str(file)])
    assert "decisions" in capsys.readouterr().out
    total = sum(len(open_reviewed(place).store.picture(k).objects) for k in range(6))
    decided = [{(d.picture, d.object) for d in Reviews(file).decided()} for file in files]
    assert [len(own) for own in decided] == [round(total / 2)] * 2
    assert decided[0] != decided[1]


def test_the_plot_has_a_line_for_each_order_and_begins_with_nothing_reviewed(tmp_path):
    args = arguments(tmp_path)
    own = {"0 %": 0.3, "10 % doubtful": 0.5, "10 % random": 0.4}
    seeds = {str(seed): {"val": {k: v + seed / 10 for k, v in own.items()}} for seed in (0, 1)}
    [axes] = reviewed.draw(seeds, reviewed.titles(args)).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    for order, last in (("doubtful", 55), ("random", 45)):
        assert np.allclose(drawn[order], [[0, 35], [10, last]])


@pytest.mark.long
def test_from_decisions_to_a_table(tmp_path, capsys):
    world = ["--data", "refsprites:train:8:classes=16", "--test", "refsprites:val:2:classes=16"]
    small = ["--steps", "1", "--batch", "2", "--seeds", "0", "--watch", "1", "--workers", "1"]
    out = ["--out", str(tmp_path / "study"), "--json", str(tmp_path / "a.json")]
    command = [*world, *small, *out, "--shares", "0", "0.5", "--orders", "doubtful"]
    command += ["--plot", str(tmp_path / "a.png")]
    reviewed.main(command)
    said = capsys.readouterr().out
    assert "| 50 % doubtful |" in said
    assert (tmp_path / "a.png").stat().st_size > 1000
    rows = json.loads((tmp_path / "a.json").read_text())["seeds"]["0"]
    [own] = rows.values()
    assert {"S+S", "0 %", "50 % doubtful"} <= own.keys()
    trained = tmp_path / "study" / "seed-0" / "reviewed-doubtful-0.5"
    record = json.loads((trained / LEFT_OUT).read_text())
    assert record["data"]["reviewed"] > 0
    reviewed.main(command)
    assert capsys.readouterr().out.count("complete, skipped") == 7
