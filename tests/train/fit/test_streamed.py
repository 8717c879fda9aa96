"""Examples without a cache are those of one, and a process reads only its own batches."""

import pytest
import torch

from ssc.errors import InputError
from tests.train import toy
from train.data import open_dataset, places, shards
from train.data.pack import pack, source_of
from train.data.places import place_of
from train.data.usable import LeftOut
from train.fit.batches import Sampler
from train.fit.examples import Examples
from train.fit.options import parse
from train.fit.streamed import Streamed
from train.pseudo import store as files

pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
EACH = 8  # pictures a file


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """The squares and their store in a bucket in memory."""
    monkeypatch.setattr(files, "SHARD", EACH)
    monkeypatch.setattr(places, "FOLDER", tmp_path / "copies")
    out, squares = place_of(f"memory://{tmp_path.name}"), toy.Squares(64)
    for number in range(64 // EACH):
        pack(squares, out, LeftOut("squares", 64), number, EACH)
    toy.write_store(out / "store")
    return source_of(squares, out, EACH), files.Store.open(out / "store")


def both(packed, tmp_path):
    source, store = packed
    cached = Examples.cached(open_dataset(source), store, toy.SIZE, tmp_path, workers=0)
    return cached, Streamed.of(open_dataset(source), store, toy.SIZE, tmp_path, workers=3)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_streamed_batch_is_the_cached_one(packed, tmp_path, capsys):
    cached, streamed = both(packed, tmp_path)
    assert len(streamed) == len(cached) == 63
    assert (streamed.key, streamed.left_out) == (cached.key, cached.left_out)
    assert streamed.record == cached.record
    assert "squares-004 (broken)" in capsys.readouterr().err
    assert [*streamed.expressions] == [*cached.expressions]
    drawing = {"batch": 8, "parts": 2, "processes": 2, "expressions": 1, "flip": True}
    for update in range(17):  # two epochs
        for part in range(2):
            a, b = (Sampler(e, **drawing).batch(update, part) for e in (cached, streamed))
            assert all(same(vars(a)[name], vars(b)[name]) for name in vars(a))


def test_a_process_reads_the_pictures_of_its_batches_and_no_more(packed, tmp_path, monkeypatch):
    _, streamed = both(packed, tmp_path)
    sampler, asked = Sampler(streamed, batch=8, parts=2, processes=2), []
    read = shards.read
    monkeypatch.setattr(shards, "read", lambda *place: asked.append(place) or read(*place))
    monkeypatch.setattr(shards, "opened", None)  # it copies whole files
    names = [name for update in range(6) for name in sampler.batch(update, 1).names]
    assert len({*asked}) == len(asked) == len({*names}) == 24
    read_bytes = sum(end - start for _, start, end in asked)
    tars = [read(file) for file in streamed._rows.dataset._files]
    assert read_bytes < sum(map(len, tars)) / 2


def test_what_cannot_be_read_any_more_is_told(packed, tmp_path, capsys):
    _, streamed = both(packed, tmp_path)
    streamed._rows.dataset._files[0] = place_of("memory://nowhere/a.tar")
    with pytest.raises(InputError, match=r"picture 0: expected the picture that the store was mad"):
        streamed[0]
    assert streamed[8].name == "squares-009"
    with pytest.raises(InputError, match=r"--stream: expected --data webdataset:…, got squares"):
        Streamed.of(toy.Squares(64), packed[1], toy.SIZE, tmp_path, workers=0)
    with pytest.raises(SystemExit):
        parse(["supervised", "--data", "squares", "--out", "x", "--stream"])
    assert "--stream: expected with --store" in capsys.readouterr().err
