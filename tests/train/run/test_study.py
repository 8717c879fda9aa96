"""`python -m train study`: which trainings there are, and what comes of them."""

import json

import pytest

from tests.train.slice_pictures import pictures
from train.data import open_dataset
from train.data.export import export
from train.run import study, study_summary, study_trainings


def row(miou):
    return {"mIoU": miou, "oIoU": miou / 2, "choice accuracy": None}


def seed(number, **rows):
    table = {"S+S": row(0.4), **{title.replace("_", " "): row(v) for title, v in rows.items()}}
    return {"seed": number, "splits": {"refsprites:hard:9": {"all": table}}, "matching": {}}


def test_the_gap_is_that_of_each_seeds_own_upper_bound():
    seeds = [
        seed(0, ZSBootstrap=0.3, supervised=0.8, **{"S+S+C": 0.6}),
        seed(7, ZSBootstrap=0.5, supervised=0.7, **{"S+S+C": 0.7}),
    ]
    split = study_summary.summarise(seeds)["splits"]["refsprites:hard:9"]
    assert split["rows"]["S+S+C"]["mIoU"] == [0.6, 0.7]
    assert split["gap closed"]["S+S+C"]["S+S"] == pytest.approx([0.5, 1.0])
    assert split["gap closed"]["S+S+C"]["ZSBootstrap"] == pytest.approx([0.6, 1.0])
    lines = study_summary.markdown(study_summary.summarise(seeds)).splitlines()
    assert "| hard | S+S+C | 65.0 ± 7.1 | 32.5 ± 3.5 |  | 75.0 ± 35.4 | 80.0 ± 28.3 |" in lines
    assert "| hard | S+S | 40.0 ± 0.0 | 20.0 ± 0.0 |  |  |  |" in lines


def test_of_no_gap_there_is_no_share():
    for high in (0.3, 0.4, 0.41):
        table = {"S+S": row(0.4), "S+S+C": row(0.6), "supervised": row(high)}
        assert study_summary.gap_closed(table, "S+S+C", "S+S") is None


def test_all_trainings_of_a_seed_have_the_same_updates(tmp_path):
    chosen = [name for name, training in study_trainings.TRAININGS.items() if training.title]
    args = study.parse(["--out", str(tmp_path), "--steps", "30", "--trainings", *chosen])
    steps = study.trainings(args, 4)
    assert list(steps) == list(study_trainings.TRAININGS)

    def updates(name):
        step, start = steps[name], study_trainings.TRAININGS[name].start
        return int(step.options[step.options.index("--steps") + 1]) + (
            updates(start) if start else 0
        )

    titles = study.titles(steps)
    assert {updates(name) for name in titles if name != "bootstrap"} == {60}
    assert updates("bootstrap") == 30
    assert "0.0001" in steps["slow"].options
    assert "0.001" in steps["correct"].options


@pytest.mark.parametrize(
    ("names", "stores", "made"),
    [
        (["correct"], ["pseudo"], ["bootstrap", "correct"]),
        (["best"], ["pseudo", "spatial"], ["best-start", "best"]),
        (["supervised"], [], ["supervised"]),
        (
            ["grouped"],
            ["groups.json", "grouped-pseudo", "grouped"],
            ["grouped-start", "grouped"],
        ),
    ],
)
def test_a_study_makes_what_its_trainings_need(tmp_path, names, stores, made):
    args = study.parse(["--out", str(tmp_path), "--trainings", *names])
    wanted = {
        study_trainings.TRAININGS[name].store for name in study_trainings.needed(args.trainings)
    }
    assert [step.output.name for step in study.looking(args, wanted)] == stores
    steps = study.trainings(args, 0)
    assert list(steps) == made
    data = steps[made[-1]].options[2]
    own = f"grouped:{tmp_path / 'groups.json'}:ungrouped:{args.data}"
    assert data == (own if names == ["grouped"] else args.data)


def test_ungrouped_sentences_are_objects_of_their_own():
    grouped = open_dataset("refsprites:val:1")
    alone = open_dataset("ungrouped:refsprites:val:1")
    assert alone.name == f"ungrouped-{grouped.name}"
    whole, parts = grouped[0], alone[0].objects
    assert [o.expressions for o in parts] == [(e,) for o in whole.objects for e in o.expressions]
    assert [o.kinds for o in parts] == [(k,) for o in whole.objects for k in o.kinds]
    assert len({o.name for o in parts}) == len(parts)
    assert (parts[0].mask == whole.objects[0].mask).all()


@pytest.mark.long
def test_a_study_from_beginning_to_end(tmp_path, capsys):
    scenes = list(pictures(5))
    data = export(scenes[:4], tmp_path / "train.jsonl", masks=True)
    test = export(scenes[4:], tmp_path / "test.jsonl", masks=True)
    figures = tmp_path / "figures"
    command = ["--data", str(data), "--out", str(tmp_path / "out"), "--test", str(test)]
    command += ["--figures", str(figures), "--steps", "2", "--batch", "2", "--seeds", "0", "5"]
    command += ["--watch", "4", "--workers", "1", "--trainings", *study_trainings.DEFAULT]
    command += ["ungrouped", "grouped"]
    study.main(command)
    of_seed = json.loads((figures / "seed-0.json").read_text())
    rows = of_seed["splits"][str(test)]["all"]
    assert {"S+S", "Oracle", "ZSBootstrap", "+ N", "S+S+C", "S+S+C best", "supervised"} < set(rows)
    assert {"S+S+C best, ungrouped", "S+S+C best, grouped"} < set(rows)
    matched = of_seed["matching"]["S+S+C"]["matched"]
    assert [update for update, _ in matched] == [0, 1, 2]
    assert all(0 <= share <= 1 for _, share in matched)
    summary = json.loads((figures / "summary.json").read_text())
    assert summary["seeds"] == [0, 5]
    assert len(summary["splits"][str(test)]["rows"]["S+S+C"]["mIoU"]) == 2
    assert len(summary["splits"][str(test)]["rows"]["S+S+C best, grouped"]["mIoU"]) == 2
    assert (figures / "rows.png").exists()
    assert (figures / "matching.png").exists()

    capsys.readouterr()
    study.main(command)  # nothing is left to do
    assert "python -m train.fit" not in capsys.readouterr().out
    assert json.loads((figures / "seed-0.json").read_text()) == of_seed
