"""A shard is a function of its own pictures, whatever its process did before."""

import json
import random
import time

import numpy as np
import pytest

import ssc
from ssc.clip import Clip
from tests.forks import ended, fork
from tests.train.pseudo.toy_pseudo import make_in_fours
from train.data import Picture, Referred
from train.data.slice import SLICE, read_slice
from train.pseudo.make import look
from train.pseudo.records import encode


@pytest.fixture(scope="module")
def pipeline():
    return ssc.load("mini", correct=False).with_options(paper=True)


def pictures(count=6):
    for number, scene in enumerate(read_slice()[:count]):
        said = (tuple(e["text"] for e in o["expressions"]) for o in scene.objects)
        objects = tuple(Referred(str(k), texts) for k, texts in enumerate(said) if texts)
        yield Picture(str(number), scene.image, objects)


def test_an_embedding_does_not_depend_on_its_batch(pipeline):
    clip = pipeline.select.clip
    texts = ["the left dog", "a", "the big brown dog that sits beside the red car", "man"]
    fresh = Clip(
        clip.model, clip.tokenizer, clip.size, clip.mean, clip.std, interpolation=clip.interpolation
    )
    together = fresh.encode_text(texts)
    for text, row in zip(texts, together):
        again = Clip(clip.model, clip.tokenizer, clip.size, clip.mean, clip.std)
        assert np.array_equal(again.encode_text([text])[0], row)


@pytest.mark.long
def test_a_picture_is_looked_at_alike_after_any_others(pipeline):
    whole = list(pictures())
    first = {p.name: json.dumps(encode(look(p, pipeline))) for p in whole}
    for seed in range(3):
        order = random.Random(seed).sample(whole, len(whole))
        # A part of a picture's objects leaves part of its prompts in the caches.
        parts = [Picture(p.name, p.image, p.objects[:1]) for p in order[:2]]
        for part in parts:
            pipeline.select(part.image, [pipeline.segment(part.image, part.objects[0].expressions)])
        for picture in order:
            assert json.dumps(encode(look(picture, pipeline))) == first[picture.name]


def start(data, out):
    return fork(make_in_fours, "--data", str(data), "--out", str(out))


def shards(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*.gz"))}


@pytest.mark.process
@pytest.mark.long
def test_kills_and_two_processes_leave_the_same_bytes(tmp_path):
    rows = []
    for number, scene in enumerate(read_slice()[:10]):
        said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
        path = str(SLICE / f"{scene.name}.jpg")
        rows.append({"image": path, "name": f"{number}", "objects": said})
    # The same sentences and pictures again, as data sets have them.
    rows += [{**row, "name": f"again {row['name']}"} for row in rows[:4]]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ended(start(data, tmp_path / "whole")) == 0
    whole = shards(tmp_path / "whole")
    assert len(whole) == 4

    rng = random.Random(0)
    for _ in range(2):
        process = start(data, tmp_path / "killed")
        before = len(shards(tmp_path / "killed"))
        while process.is_alive() and len(shards(tmp_path / "killed")) == before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        ended(process)
    assert 0 < len(shards(tmp_path / "killed")) < len(whole)
    assert ended(start(data, tmp_path / "killed")) == 0
    assert shards(tmp_path / "killed") == whole

    processes = [start(data, tmp_path / "two") for _ in range(2)]
    assert [ended(process) for process in processes] == [0, 0]
    assert shards(tmp_path / "two") == whole
