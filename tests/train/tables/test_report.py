"""The tables beside the paper's figures, from figures made by hand."""

import json

import pytest

from ssc.errors import InputError
from train.tables import figures, paper, report, rows, write
from train.tables.__main__ import parse, read_study
from train.tables.report import Figure

VAL = "refsprites:val:9"


def measures(miou):
    return {"mIoU": miou, "oIoU": None if miou is None else miou / 2, "samples": 7}


def figure(title, *mious, seed=None):
    return [
        Figure(seed=None if seed is None else seed + k, rows={title: measures(miou)})
        for k, miou in enumerate(mious)
    ]


def found():
    systems = figure("TSEG", 0.4043, seed=0)
    systems[0]["rows"] = {"TSEG": measures(0.4043), "TSEG snapped": measures(0.5)}
    return {
        ("s+s", VAL): figure("S+S", 0.5),
        ("tseg", VAL): systems,
        ("correct", VAL): figure("S+S+C", 0.6, 0.7, seed=3),
        ("oracle", VAL): figure("Oracle", None),
    }


ABLATIONS = {
    "rows": {
        title: {"all": measures(0.5)}
        for title in ("Oracle", "NLTK", "reverse_blur, mini CLIP", "crop, mini CLIP", "S+S matched")
    },
    "tables": {
        "Table 2: stage 1": ["Oracle", "NLTK"],
        "Table 3: stage 2": ["Oracle", "reverse_blur, mini CLIP", "crop, mini CLIP"],
        "§4.3: together": ["S+S matched"],
    },
}


def test_each_row_stands_beside_the_papers_of_its_name():
    first, *_, last = report.all_tables([VAL], found(), ABLATIONS, VAL)
    [part] = first["parts"]
    assert (part["beside"], part["samples"]) == ("RefCOCO val", 7)
    own = {row["title"]: write.cells(row) for row in part["rows"]}
    assert list(own) == ["S+S", "TSEG", "TSEG snapped", "S+S+C", "Oracle"]
    assert own["S+S"] == ["S+S", "", "25.0", "34.39", "-9.4", "50.0", "40.96", "+9.0"]
    assert own["TSEG"] == ["TSEG", "0", "20.2", "", "", "40.4", "25.95", "+14.5"]
    assert own["TSEG snapped"] == ["TSEG snapped", "0", "25.0", "", "", "50.0", "", ""]
    assert own["S+S+C"][:3] == ["S+S+C", "3, 4", "32.5 ± 3.5"]
    assert own["S+S+C"][5:] == ["65.0 ± 7.1", "63.15", "+1.9"]
    assert own["Oracle"] == ["Oracle", "", "–", "", "", "–", "", ""]
    assert [row["title"] for row in last["parts"][0]["rows"]] == ["S+S+C"]


def test_ablations_stand_beside_tables_2_and_3():
    tables = report.of_ablations(ABLATIONS, VAL)
    beside = {
        table["caption"]: {row["title"]: row["paper"]["mIoU"] for row in table["parts"][0]["rows"]}
        for table in tables
    }
    assert beside == {
        "Table 2: stage 1": {"Oracle": 74.31, "NLTK": 66.06},
        "Table 3: stage 2": {
            "Oracle": 74.31,
            "reverse_blur, mini CLIP": 41.95,
            "crop, mini CLIP": None,
        },
        "§4.3: together": {"S+S matched": 41.21},
    }


def test_the_papers_test_sets_by_their_sources():
    columns = {
        "refsprites:testB:100:classes=16": "RefCOCO testB",
        "refsprites:hard:100": None,
        "refer:data/refcoco+:unc:testA": "RefCOCO+ testA",
        "refer:data/refcocog:umd:test": "RefCOCOg test(U)",
        "refer:data/refcocog:google:val": "RefCOCOg val(G)",
        "own.jsonl": None,
    }
    assert {source: paper.column(source) for source in columns} == columns


def test_all_rows_of_the_papers_tables_have_one_here():
    ours = set(report.PAPER_1.values())
    assert {row for table in paper.figures()["table1"].values() for row in table} == ours
    assert set(paper.figures()["table4"]["mIoU"]) == set(report.PAPER_4.values())
    titles = {training.title for training in rows.TRAINED.values()}
    assert titles >= {"TSEG", "TRIS", "Shatter & Gather", *report.PAPER_4}


def test_markdown_latex_and_pictures(tmp_path):
    tables = report.all_tables([VAL], found(), ABLATIONS, VAL)
    speed = {"caption": "Efficiency", "machine": "a machine, 100 %", "heads": ("", "seconds")}
    text = write.write(tmp_path, tables, [{**speed, "rows": [["S+S", "1.5"]]}], ["Left out: x_y."])
    assert text == (tmp_path / "tables.md").read_text()
    assert "| S+S |  | 25.0 | 34.39 | -9.4 | 50.0 | 40.96 | +9.0 |" in text.splitlines()
    assert "Left out: x_y." in text
    assert "| S+S | 1.5 |" in text
    tex = (tmp_path / "tables.tex").read_text()
    assert r"reverse\_blur, mini CLIP &  & 25.0 & 38.21 & -13.2 & 50.0 & 41.95 & +8.0 \\" in tex
    assert r"S+S+C & 3, 4 & 32.5 $\pm$ 3.5 &" in tex
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == len(tables) + 1
    assert tex.replace(r"\%", "").count("%") == 0
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["table-1.png", "table-2.png", "table-3.png", "table-4.png"]


def test_a_studys_figures_are_taken_as_they_are(tmp_path):
    for seed, miou in ((0, 0.5), (1, 0.7)):
        kinds = {"all": {"S+S": measures(0.4), "+ N": measures(miou), "mine": measures(0.1)}}
        (tmp_path / f"seed-{seed}.json").write_text(
            json.dumps({"seed": seed, "splits": {VAL: kinds, "another": kinds}})
        )
    taken = read_study(tmp_path, [VAL])
    assert taken == {
        ("s+s", VAL): figure("S+S", 0.4),
        ("plus", VAL): figure("+ N", 0.5, 0.7, seed=0),
    }
    with pytest.raises(InputError, match="expected a folder of `train study` figures"):
        read_study(tmp_path / "none", [VAL])


def test_what_a_row_needs_is_trained_before_it(tmp_path):
    args = parse(["--out", str(tmp_path), "--steps", "30"])
    steps = rows.trainings(args, 4, ["tris-segmenter", "best"])
    names = [step.output.name for step in steps]
    assert names == [
        "pseudo",
        "spatial",
        "best-start",
        "best",
        "tris",
        "tris-maps",
        "tris-segmenter",
    ]
    maps, segmenter = steps[-2:]
    assert segmenter.options[segmenter.options.index("--store") + 1] == str(maps.output)
    assert maps.options[0] == str(steps[-3].output) == str(tmp_path / "seed-4" / "tris")
    assert [step.output.name for step in rows.trainings(args, 4, ["tseg"])] == ["tseg"]
    assert rows.trainings(args, 4, []) == []


def test_text_supervised_systems_have_as_many_updates_as_the_method_in_all(tmp_path):
    args = parse(["--out", str(tmp_path), "--steps", "30"])
    steps = {step.output.name: step for step in rows.trainings(args, 0, ["tseg", "correct"])}
    tseg = steps["tseg"]
    both = [steps[name].options for name in ("bootstrap", "correct")]
    updates = [int(own[own.index("--steps") + 1]) for own in (tseg.options, *both)]
    assert updates == [60, 30, 30]


def test_rows_of_optional_parts_are_computed_anew_where_a_part_comes(tmp_path, monkeypatch):
    cells = [figures.Cell(row, "refsprites:val:1") for row in (*figures.OPTIONAL, "gl-clip")]
    made = figures.Figures(tmp_path, "mini")
    before = [made.path(cell) for cell in cells]
    monkeypatch.setattr(figures, "lacking", lambda: {"FreeSOLO": "it is not here"})
    lacks = [made.path(cell) for cell in cells]
    monkeypatch.setattr(figures, "lacking", dict)
    there = [made.path(cell) for cell in cells]
    assert before[2] == lacks[2] == there[2]
    assert not {*lacks[:2]} & {*there[:2]}
