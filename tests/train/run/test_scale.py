"""What a data set of any size is said to take."""

import json

import pytest

from tests.train.pseudo.random_pictures import picture
from train.data import open_dataset
from train.data.slice import SLICE, read_slice
from train.pseudo.store import begin, write_shard
from train.run import scale
from train.run.plan import Sample
from train.run.scale import Shards, binds, costs, measure_shards

SAMPLE = Sample(
    6, 12, 36, look=3.0, bootstrap=10.0, correct=20.0, store=1e6, cache=2e6, training=300
)
SHARDS = Shards(
    packed=1e5, pack=0.01, shard=0.1, tar_writes=2, tar_reads=4, store_writes=2, store_reads=2
)
SHARED = ("data pack", "stages 1 and 2", "bootstrap", "correct")


def test_the_work_is_shared_and_the_longest_step_binds():
    alone = costs(6_400, 1, SAMPLE, SHARDS, 1_000, nodes=1, batch=8)
    hours = {cost.step: cost.hours for cost in alone}
    assert hours["stages 1 and 2"] == pytest.approx((3.0 * 6_400 + 0.1 * 100) / 3600)
    assert hours["correct"] == pytest.approx(20.0 * 1_000 / 3600)
    longest, share = binds(alone)
    assert longest.step == "correct"
    assert share == pytest.approx(hours["correct"] / sum(hours.values()))
    shared = costs(6_400, 10, SAMPLE, SHARDS, 1_000, nodes=2, batch=8)
    for one, ten in zip(alone[:-1], shared[:-1]):  # the last are the requests of all machines
        divided = 10 if one.step in SHARED else 1
        assert ten.hours == pytest.approx(one.hours / divided)
        assert ten.size == one.size
    asked = {cost.step: cost.requests for cost in shared}
    assert asked["data pack"] == 7 * 2
    assert asked["stages 1 and 2"] == pytest.approx(100 * 2 + 0.1 + 7 * 4)
    assert asked["cache, on each machine"] == pytest.approx(100 * 2 + 0.1 + 7 * 4)
    assert asked["or --stream, each training"] == 1_000 * 8 * 3 / 2
    assert asked["requests at S3's rate"] == pytest.approx(14 + 3 * 228.1)


def test_requests_and_bytes_are_counted_on_a_sample(tmp_path):
    pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    rows = [{"image": str(SLICE / f"{s.name}.jpg"), "objects": [["dog"]]} for s in read_slice()[:3]]
    table = tmp_path / "data.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = tmp_path / "store"
    begin(store, {"pictures": 3})
    write_shard(store, 0, [picture(k) for k in range(3)])
    found = measure_shards(open_dataset(str(table)), tmp_path, store)
    files = sum((SLICE / f"{s.name}.jpg").stat().st_size for s in read_slice()[:3])
    assert files / 3 < found.packed < files / 3 + 8_000
    # A tar file: is it there, write; two reads of its head, its state, its content.
    assert (found.tar_writes, found.tar_reads) == (2, 4)
    # A shard: write, is it there; its state, its content.
    assert (found.store_writes, found.store_reads) == (2, 2)


def test_bad_numbers_are_refused(capsys):
    with pytest.raises(SystemExit, match=r"gpus: expected 1 or more, got 0"):
        scale.main(["--data", "x.jsonl", "--pictures", "5", "--gpus", "0"])
