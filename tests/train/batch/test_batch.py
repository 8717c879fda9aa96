"""Answers to a data set's sentences, as Parquet."""

import json
import random

import numpy as np
import pytest

import ssc
from ssc.pipeline import MAX_OBJECTS
from tests.forks import ended, fork
from tests.train.batch import toy_batch
from train.batch import make
from train.batch.__main__ import main
from train.batch.make import ANSWERS, file_of
from train.batch.rows import failures, rows_of
from train.data import open_dataset
from train.data.places import names_in, place_of, read
from train.data.slice import SLICE, read_slice
from train.pseudo.records import decode_masks

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: no test of batch")
KILLS = 3


@pytest.fixture
def table(tmp_path):
    """Three pictures, the second of which is not there."""
    rows = []
    for scene in read_slice()[:2]:
        said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
        rows.append({"image": str(SLICE / f"{scene.name}.jpg"), "objects": said[:1]})
    rows.insert(1, {"image": "missing.jpg", "objects": [["the dog"]]})
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def content(out):
    return {name: read(out / ANSWERS / name) for name in names_in(out / ANSWERS)}


@pytest.mark.long
def test_a_row_is_what_the_pipeline_answers_to_the_sentence(table, tmp_path, capsys):
    out = tmp_path / "out"
    command = [str(table), "--out", str(out), "--each", "2"]
    assert main(command) == 1  # one has an error
    assert "3 pictures, 1 of them with an error" in capsys.readouterr().out
    rows = pq.read_table(out / ANSWERS).to_pylist()  # a reader takes the folder
    dataset, pipeline = open_dataset(str(table)), ssc.load("mini")
    failed = [row for row in rows if row["error"]]
    assert [(row["picture"], row["sentence"], row["answer"]) for row in failed] == [
        ("missing.jpg", None, None)
    ]
    assert "missing.jpg" in failed[0]["error"]
    for index in (0, 2):
        picture = dataset[index]
        own = [row for row in rows if row["picture"] == picture.name]
        texts = [text for thing in picture.objects for text in thing.expressions]
        assert [row["sentence"] for row in own] == texts
        results = pipeline(picture.image, texts)
        for row, result in zip(own, results):
            for name in ("answer", "selected", "corrected"):
                counts, size = row[name]["counts"], tuple(row[name]["size"])
                [mask] = decode_masks([counts], size)
                assert (mask == getattr(result, name).mask).all()
            assert (row["by"], row["sure"]) == (result.answer.by, result.sure)
            ys, xs = np.nonzero(result.mask)
            assert row["box"] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            assert row["message"]

    before = content(out)
    assert sorted(before) == ["part-000000.parquet", "part-000001.parquet"]
    file_of(out, 0).unlink()  # a killed run
    kept = file_of(out, 1).stat().st_mtime_ns
    assert main(command) == 1
    assert content(out) == before
    assert file_of(out, 1).stat().st_mtime_ns == kept
    with pytest.raises(SystemExit, match=r"expected to go on with pictures a shard = 2, got 64"):
        main(command[:-2])
    with pytest.raises(SystemExit, match=r"expected to go on with stage 3 = '\w+', got None"):
        main([*command, "--correct", "off"])


def test_one_sentences_failure_is_that_sentences(table):
    pipeline, dataset = ssc.load("mini", correct=False), open_dataset(str(table))

    class Asked:
        """Its first picture with more sentences than a call takes, one of them blank."""

        def picture_name(self, index):
            return "a"

        def __getitem__(self, index):
            from dataclasses import replace

            picture = dataset[0]
            texts = (*(["the dog"] * MAX_OBJECTS), "  ", "left dog")
            return replace(picture, objects=(replace(picture.objects[0], expressions=texts),))

    rows = rows_of(pipeline, Asked(), 0)
    assert len(rows) == MAX_OBJECTS + 2
    assert [row["sentence"] for row in rows if row.get("error")] == ["  "]
    assert "the expression is empty" in rows[MAX_OBJECTS]["error"]
    assert failures(make.parquet(rows)) == {"a": rows[MAX_OBJECTS]["error"]}
    assert all(row["corrected"] is None for row in rows if not row.get("error"))


@pytest.mark.process
@pytest.mark.filterwarnings("default")
def test_kills_lose_nothing_in_a_bucket_that_drops_requests(bucket, tmp_path):
    alone, out = tmp_path / "alone", place_of(f"{bucket.url}/answers")
    assert ended(fork(toy_batch.answer, alone)) == 0
    chance = random.Random(0)
    for _ in range(KILLS):
        bucket.kill_at_work(fork(toy_batch.answer, out), chance)
    assert ended(fork(toy_batch.answer, out)) == 0
    assert content(out) == content(alone)
    assert len(content(alone)) == 11
    table = pq.read_table(alone / ANSWERS)
    assert [row["picture"] for row in table.to_pylist() if row["error"]] == ["toy-13"]
    assert bucket.dropped
    assert bucket.cut
