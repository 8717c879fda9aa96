"""Stages 1 and 2 over a data set, with the bundled models on the committed slice."""

import numpy as np
import pytest

import ssc
from train import pseudo
from train.data import Picture, Referred, RefSprites
from train.pseudo import describe, look
from train.scenes.slice import read_slice
from train.store import decode, encode


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


def test_help_is_quick(capsys):
    with pytest.raises(SystemExit):
        pseudo.main(["--help"])
    assert "--data" in capsys.readouterr().out
