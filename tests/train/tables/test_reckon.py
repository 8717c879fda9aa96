"""What `python -m train tables --dry-run` says: counts by hand, and parts that are measured."""

import numpy as np
import pytest
from huggingface_hub import constants

from ssc.bench.tiny import TINY_LAVT
from ssc.correct.predict import CONFIGS
from ssc.errors import InputError
from tests.train.slice_pictures import pictures
from tests.train.study_figures import study_of
from train.data.export import export
from train.evaluate.baselines import everything_of
from train.fit.initial import open_checkpoint
from train.tables import reckon
from train.tables.__main__ import main, missing, parse
from train.tables.figures import ABLATIONS
from train.tables.reckon import Parts
from train.tables.stand_ins import CANDIDATES, pipeline_of, random_start

PARTS = Parts(
    look=2.0,
    update={"bootstrap": 1.0, "correct": 3.0, "supervised": 1.5, "tseg": 4.0, "tris": 5.0}
    | {"gather": 6.0},
    asked=0.5,
    row={"random": 0.25, "bootstrap": 1.0, "correct": 1.0, "tris": 2.0, "tseg": 8.0, "gather": 8.0}
    | {"supervised": 1.0, ABLATIONS: 10.0},
)
WORLD = ["--data", "refsprites:train:8", "--test", "refsprites:val:5", "refsprites:hard:7"]


def costs(tmp_path, *options, parts=PARTS):
    args = parse([*WORLD, "--steps", "30", "--out", str(tmp_path / "out"), *options])
    return {
        cost.what: (cost.count, cost.seconds)
        for cost in reckon.reckon(args, missing(args, {}), parts)
    }


def test_each_part_as_often_as_the_command_does_it(tmp_path):
    rows = 0.25 + 2 * (2.0 + 8.0 + 8.0 + 1.0 * 7)  # LAVT's: six of Table 1 and 4, and TRIS' own
    assert costs(tmp_path, "--seeds", "0", "1") == {
        "pseudo": (8, 2.0),
        "spatial": (8, 0.0),
        "bootstrap": (60, 1.0),
        "plus": (60, 1.0),
        "correct": (60, 3.0),
        "best-start": (60, 1.0),
        "best": (60, 3.0),
        "supervised": (120, 1.5),
        "tseg": (120, 4.0),
        "tris": (60, 5.0),
        "tris-maps": (16, 2.0),
        "tris-segmenter": (60, 1.0),
        "gather": (120, 6.0),
        "19 rows on refsprites:val:5": (5, 0.5 + rows - 2),
        "19 rows on refsprites:hard:7": (7, 0.5 + rows - 2),
        "Tables 2, 3 on refsprites:val:5": (5, 10.5),
    }


def test_what_is_trained_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(reckon, "complete", lambda step: step.output.name in ("pseudo", "tseg"))
    left = costs(tmp_path, "--seeds", "0")
    assert not {"pseudo", "tseg"} & left.keys()
    assert left["gather"] == (60, 6.0)
    none = costs(tmp_path, "--seeds", "0", "--no-training", "--no-stages", parts=Parts(asked=0.5))
    assert none == {"0 rows on refsprites:val:5": (5, 0.5), "0 rows on refsprites:hard:7": (7, 0.5)}


@pytest.mark.long
def test_parts_are_measured_by_the_command_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reckon, "PICTURES", 2)
    monkeypatch.setattr(reckon, "UPDATES", 1)
    scenes = list(pictures(3))
    data = export(scenes[:2], tmp_path / "train.jsonl", masks=True)
    test = export(scenes[2:], tmp_path / "test.jsonl", masks=True)
    study_of(tmp_path / "study", [test])
    command = ["--data", str(data), "--test", str(test), "--study", str(tmp_path / "study")]
    command += ["--steps", "7", "--batch", "2", "--seeds", "0", "--out", str(tmp_path / "out")]
    main([*command, "--figures", str(tmp_path / "figures"), "--dry-run"])
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said.splitlines() if "×" in line}
    assert lines.keys() == {"tseg", "tris", "tris-maps", "tris-segmenter", "gather", "7", "Tables"}
    assert "14 updates" in lines["tseg"]
    assert float(lines["Tables"].split("×")[1].split()[0]) > 0
    assert "About 0.0 h in all" in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "figures").exists()


def test_random_networks_answer_after_their_work(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    pipeline, own = pipeline_of("base", tiny=True)
    assert not own
    worked = []
    pipeline.segment.segmenter.model.mask_decoder.register_forward_hook(lambda *_: worked.append(1))
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    [result] = pipeline(image, ["the dog on the left"])
    assert result.correction is None
    assert len(result.candidates) == CANDIDATES
    assert worked
    everything = everything_of(pipeline)
    monkeypatch.setattr(everything.generator, "generate", lambda image: [])
    assert len(everything(image)) == 111
    with pytest.raises(InputError, match="dry-run: pocket is not here"):
        pipeline_of("pocket", tiny=False)


def test_swin_b_starts_from_random_weights_in_place_of_published_ones(tmp_path, monkeypatch):
    assert random_start("nano", [], tmp_path / "start") is None
    assert not (tmp_path / "start").exists()
    monkeypatch.setitem(CONFIGS, "swin_b", TINY_LAVT)
    folder = random_start("swin_b", list(pictures(2)), tmp_path / "start")
    _, tokenizer, config = open_checkpoint(folder)
    assert config["bert"]["vocab_size"] > len(tokenizer)
    assert config["lavt"]["embed_dim"] == TINY_LAVT["lavt"]["embed_dim"]
