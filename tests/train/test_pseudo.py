"""Stages 1 and 2 over a data set, with the bundled models on the committed slice."""

import json

import numpy as np
import pytest

import ssc
from train import pseudo
from train.data import Picture, Referred, RefSprites
from train.pseudo import describe, look
from train.scenes.slice import SLICE, read_slice
from train.store import Store, decode, encode


@pytest.fixture(scope="module")
def pipeline():
    return ssc.load("mini")


def test_scores_and_choice_are_the_pipelines_own(pipeline):
    scene = read_slice()[0]
    objects = tuple(
        Referred(str(k), tuple(e["text"] for e in o["expressions"]))
        for k, o in enumerate(scene.objects)
        if o["expressions"]
    )
    found = look(Picture("p", scene.image, objects), pipeline)
    assert [o.expressions for o in found.objects] == [o.expressions for o in objects]
    results = pipeline(scene.image, [o.expressions for o in objects])
    for thing, result in zip(found.objects, results):
        assert thing.classes == result.classes
        assert thing.chosen == result.selection.chosen
        assert thing.similarity.shape == (len(thing.expressions), len(thing.candidates))
        assert (thing.candidates.masks == result.candidates.masks).all()
        assert np.allclose(thing.similarity.mean(0), result.selection.scores, atol=1e-5)
    again = decode(encode(found))
    assert [o.chosen for o in again.objects] == [o.chosen for o in found.objects]


def test_the_manifest_says_what_decides_the_masks(pipeline):
    manifest = describe(RefSprites("val", 3), "mini", pipeline)
    assert manifest["pictures"] == 3
    assert all(len(digest) == 64 for digest in manifest["weights"].values())
    assert {"detector/model.safetensors", "clip/model.safetensors"} <= manifest["weights"].keys()
    assert {"detector", "sigma", "visual prompt", "rule", "nouns", "revision"} <= manifest.keys()
    assert manifest["detector"] == {"threshold": pipeline.segment.detector.threshold}


def test_a_data_set_from_beginning_to_end(tmp_path, capsys):
    rows = []
    for scene in read_slice()[:2]:
        said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
        rows.append({"image": str(SLICE / f"{scene.name}.jpg"), "objects": said})
    rows.insert(1, {"image": "missing.jpg", "objects": [["the dog"]]})
    data, out = tmp_path / "data.jsonl", tmp_path / "pseudo"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["--data", str(data), "--out", str(out)]
    pseudo.main(command)
    assert "1 pictures could not be read" in capsys.readouterr().err
    store = Store.open(out)
    assert [store.name(k) for k in range(3)] == [row["image"] for row in rows]
    assert f"{data}:2: " in store.picture(1).error
    for k in (0, 2):
        assert [list(o.expressions) for o in store[k]] == rows[k]["objects"]
        assert sum(len(o.candidates) for o in store[k])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    pseudo.main(command)  # nothing is left to do
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.iterdir()}
    data.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(SystemExit, match=r"error: .*expected to go on with data = 'data-"):
        pseudo.main(command)


def test_help_is_quick(capsys):
    with pytest.raises(SystemExit):
        pseudo.main(["--help"])
    assert "--data" in capsys.readouterr().out
