"""What the page draws of a training that is done."""

import json

import pytest

import ssc
from tests.fake_pipeline import fake_pipeline
from tests.train.slice_pictures import pictures
from train.data.export import export
from train.workbench.drawings import PICTURES, SIDES, draw_sides


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A complete run on three pictures, the second of which cannot be read."""
    monkeypatch.setattr(ssc, "load", lambda *_, **__: fake_pipeline())
    data = export(pictures(PICTURES), tmp_path / "data.jsonl")
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    (tmp_path / rows[1]["image"]).write_bytes(b"x")
    folder = tmp_path / "run"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "model.safetensors").touch()
    settings = {"data": str(data), "val": "none", "model set": "mini", "init": "x"}
    (folder / "run.json").write_text(json.dumps(settings))
    return folder, [row["name"] for row in rows]


def test_a_picture_that_cannot_be_read_ends_its_own_row_alone(run):
    folder, names = run
    rows = draw_sides(folder)
    assert [row["name"] for row in rows] == names
    assert "expected a picture" in rows[1]["error"]
    for row in (rows[0], rows[2]):
        assert list(row["shown"]) == ["S+S", "start", "S+S+C"]
        for file in row["shown"].values():
            assert ssc.load_image(folder / SIDES / file).any()
