"""Stages 1 and 2 over a data set, with the bundled models on the committed slice."""

import json
from dataclasses import replace

import numpy as np
import pytest

import ssc
from ssc.types import Candidates
from train.data import Picture, Referred, RefSprites
from train.data.slice import SLICE, read_slice
from train.pseudo import make
from train.pseudo.__main__ import main
from train.pseudo.make import look
from train.pseudo.provenance import describe
from train.pseudo.records import PseudoObject, PseudoPicture, decode, encode
from train.pseudo.store import (
    SHARD,
    Store,
    begin,
    write_shard,
)


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
        assert thing.chosen == result.selection.index
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
    main(command)
    err = capsys.readouterr().err
    assert "1 of 3 pictures (33.3 %) cannot be used and are left out: missing.jpg (" in err
    store = Store.open(out)
    assert [store.name(k) for k in range(3)] == [row["image"] for row in rows]
    assert f"{data}:2: " in store.picture(1).error
    for k in (0, 2):
        assert [list(o.expressions) for o in store[k]] == rows[k]["objects"]
        assert sum(len(o.candidates) for o in store[k])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    main(command)  # nothing is left to do
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.iterdir()}
    data.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(SystemExit, match=r"error: .*expected to go on with data = 'data-"):
        main(command)


def write_store(folder, pictures):
    begin(folder, {"pictures": len(pictures)})
    for shard in range(-(-len(pictures) // SHARD)):
        write_shard(folder, shard, pictures[shard * SHARD : (shard + 1) * SHARD])


def dogs(name, expressions, scores):
    """A picture of three dogs in a row, of whom `expressions` name one."""
    boxes = np.array([[0, 0, 10, 20], [20, 0, 30, 20], [40, 0, 50, 20]], np.float32)
    masks = np.zeros((3, 20, 60), bool)
    for mask, (x0, _, x1, _) in zip(masks, boxes.astype(int)):
        mask[:, x0:x1] = True
    ones = np.ones(3, np.float32)
    found = Candidates(boxes, ones, ("dog",) * 3, masks, ones)
    similarity = np.array([scores] * len(expressions), np.float32)
    thing = PseudoObject("0", expressions, ("dog",), found, similarity, int(np.argmax(scores)))
    nothing = replace(thing, name="1", candidates=found[[]], similarity=similarity[:, :0])
    return PseudoPicture(name, (20, 60), (thing, replace(nothing, chosen=-1)))


def test_s2_anew_heeds_words_for_a_place_and_leaves_the_rest(tmp_path):
    scores = (0.2, 0.3, 0.25)
    said = {
        "plain": (("brown dog",), 1),
        "left": (("left dog",), 0),
        "one of two": (("brown dog", "dog on the right"), 2),
        "second": (("second dog from the right",), 1),
    }
    source, out = tmp_path / "pseudo", tmp_path / "spatial"
    write_store(source, [dogs(name, texts, scores) for name, (texts, _) in said.items()])
    main(["--from", str(source), "--out", str(out)])
    before, after = Store.open(source), Store.open(out)
    assert after.manifest["spatial"] > 0
    for index, (name, (_, right)) in enumerate(said.items()):
        thing, empty = after[index]
        assert (after.name(index), thing.chosen, empty.chosen) == (name, right, -1)
        assert before[index][0].chosen == 1
        rows = [encode(store.picture(index)) for store in (before, after)]
        for thing in (thing for row in rows for thing in row["objects"]):
            del thing["chosen"]
        assert rows[0] == rows[1]  # all else is the same


def test_s2_anew_goes_on_after_a_kill_and_refuses_what_does_not_fit(tmp_path):
    source, out = tmp_path / "pseudo", tmp_path / "spatial"
    write_store(source, [dogs(str(k), ("left dog",), (0.2, 0.3, 0.1)) for k in range(SHARD + 2)])
    command = ["--from", str(source), "--out", str(out)]
    main(command)
    shards = sorted(out.glob("shard-*"))
    first, last = (path.read_bytes() for path in shards)
    shards[1].unlink()
    kept = shards[0].stat().st_mtime_ns
    main(command)
    assert [path.read_bytes() for path in shards] == [first, last]
    assert shards[0].stat().st_mtime_ns == kept
    write_store(tmp_path / "other", [dogs("a", ("dog",), (1, 0, 0))])
    with pytest.raises(SystemExit, match=r"error: .*expected to go on with pictures = 66, got 1"):
        main(["--from", str(tmp_path / "other"), "--out", str(out)])
    with pytest.raises(SystemExit, match=r"error: .*expected to go on with spatial = None, got "):
        main(["--from", str(source), "--out", str(source)])
    sorted(source.glob("shard-*"))[0].unlink()
    with pytest.raises(SystemExit, match=r"error: .*expected all shards, 1 are missing"):
        main(["--from", str(source), "--out", str(tmp_path / "new")])


def test_help_is_quick(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--data" in capsys.readouterr().out


def test_case_1_one_pictures_failure_is_that_pictures(pipeline):
    thin = np.random.default_rng(0).integers(0, 256, (3000, 1, 3), np.uint8)

    class Three:
        def picture_name(self, index):
            return f"picture {index}"

        def __getitem__(self, index):
            if index == 1:
                raise ZeroDivisionError("of any kind")
            image = thin if index else read_slice()[0].image
            return Picture(self.picture_name(index), image, (Referred("0", ("the man",)),))

    first, broken, tall = (make._pseudo_picture(Three(), index, pipeline) for index in range(3))
    assert (first.error, tall.error, tall.size) == (None, None, (3000, 1))
    assert broken == PseudoPicture("picture 1", (0, 0), (), "ZeroDivisionError: of any kind")
