"""Data sets in tar files: the same as what was packed, and damage is the damaged picture's."""

import io
import json
import tarfile
from collections import Counter
from dataclasses import asdict
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ssc.errors import InputError
from train.data import open_dataset
from train.data.__main__ import main
from train.data.fingerprint import fingerprint
from train.data.shards import Shards
from train.data.tars import expand, read_head
from train.data.usable import LeftOut

H, W = 20, 30
COUNT = 7


@pytest.fixture
def table(tmp_path):
    """A JSONL with pictures, masks of both kinds, boxes, and a picture that is not there."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(COUNT):
        suffix = (".png", ".JPG", ".webp")[k % 3]
        Image.fromarray(rng.integers(0, 256, (H, W, 3), np.uint8)).save(tmp_path / f"p{k}{suffix}")
        mask = np.zeros((H, W), np.uint8)
        mask[k : k + 4, 3:12] = 255
        Image.fromarray(mask).save(tmp_path / f"m{k}.png")
        thing = {"expressions": ["the  dög", "left"], "kinds": ["a", "b"], "mask": f"m{k}.png"}
        code = {"size": [H, W], "counts": [0, 5, H * W - 5]}
        boxed = {"name": "box", "expressions": ["x"], "box": [1, 2, 5.5, 9]}
        objects = [thing, ["cat"], {"name": "code", "expressions": ["y"], "mask": code}, boxed]
        rows.append({"image": f"p{k}{suffix}", "name": f"n{k}", "objects": objects})
    rows[4]["image"] = "missing.png"
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def packed(table, out, capsys, *more):
    assert main(["pack", str(table), "--out", str(out), "--each", "3", *more]) == 0
    said = capsys.readouterr()
    return said.out.strip().removeprefix("--data '").removesuffix("'"), said.err


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def answers(dataset):
    """Each picture, or its error."""
    return [answer(dataset, index) for index in range(len(dataset))]


def answer(dataset, index):
    try:
        return asdict(dataset[index])
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_packed_pictures_are_those_of_the_table(table, tmp_path, capsys, monkeypatch, scheme):
    if scheme:
        pytest.importorskip("upath", reason="universal_pathlib is not installed: no test of URLs")
    monkeypatch.setattr("train.data.places.FOLDER", tmp_path / "copies")
    out = f"{scheme}{tmp_path}/out"
    text, err = packed(table, out, capsys)
    assert "1 of 7 pictures (14.3 %) cannot be used and are left out: n4" in err
    assert text.endswith("-{000000..000002}.tar")
    source, shards = open_dataset(str(table)), open_dataset(text)
    assert (shards.name, len(shards)) == (source.name, COUNT)
    assert [shards.picture_name(k) for k in range(COUNT)] == [f"n{k}" for k in range(COUNT)]
    assert same(answers(shards), answers(source))
    whole = [
        fingerprint(dataset, tmp_path / name) for name, dataset in (("a", source), ("b", shards))
    ]
    assert whole[0] == whole[1] != ""
    with pytest.raises(IndexError):
        shards[COUNT]
    grouped = open_dataset(f"ungrouped:{text}")
    assert len(grouped[0].objects) == 5


def test_the_same_command_goes_on_and_gives_the_same_bytes(table, tmp_path, capsys):
    out = tmp_path / "out"
    packed(table, out, capsys)
    files = sorted(out.iterdir())
    before = [path.read_bytes() for path in files]
    files[1].unlink()
    kept = files[0].stat().st_mtime_ns
    packed(table, out, capsys)
    assert [path.read_bytes() for path in files] == before
    assert files[0].stat().st_mtime_ns == kept
    with pytest.raises(SystemExit, match=r"expected pictures from 0 on of mine-\w+, 2 a shard"):
        main(["pack", str(table), "--out", str(out), "--each", "2"])
    with pytest.raises(SystemExit, match="expected 1 picture a file or more, got 0"):
        main(["pack", str(table), "--out", str(out), "--each", "0"])


def test_rendered_pictures_are_packed_whole(tmp_path, capsys):
    text, _ = packed("refsprites:val:2", tmp_path / "out", capsys)
    for index in range(2):
        source, shards = (open_dataset(t)[index] for t in ("refsprites:val:2", text))
        assert np.array_equal(source.image, shards.image)
        assert same([asdict(o) for o in source.objects], [asdict(o) for o in shards.objects])


@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_any_changed_byte_is_found_and_is_one_pictures(shard_bytes, place, change):
    path, whole, expected = shard_bytes
    start = read_head(path)[1]
    place = start + place % (len(whole) - start - 1024)
    changed = bytearray(whole)
    changed[place] ^= change
    copy = path.with_name("changed-0.tar")
    copy.write_bytes(changed)
    found = answers(Shards(str(copy)))
    wrong = [k for k, (a, b) in enumerate(zip(found, expected)) if not same(a, b)]
    assert len(wrong) <= 1
    assert all("changed-0.tar, picture" in found[k] for k in wrong)


@pytest.fixture(scope="module")
def shard_bytes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shard")
    for k in range(3):
        Image.new("RGB", (W, H), (k, 0, 0)).save(folder / f"{k}.png")
    rows = [{"image": f"{k}.png", "objects": [["the dog"]]} for k in range(3)]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    main(["pack", str(folder / "t.jsonl"), "--out", str(folder)])
    [path] = folder.glob("t-*.tar")
    return path, path.read_bytes(), answers(Shards(str(path)))


def test_a_shard_that_is_cut_short_loses_what_is_cut(table, tmp_path, capsys):
    text, _ = packed(table, tmp_path / "out", capsys)
    [file] = (tmp_path / "out").glob("*-000001.tar")
    start, head = read_head(file)[1], read_head(file)[0]
    file.write_bytes(file.read_bytes()[: start + head.samples[0][0] + 100])
    shards, left_out = open_dataset(text), LeftOut("x", COUNT, allowed=True)
    for index in range(COUNT):
        left_out.tried(lambda: shards.picture_name(index), lambda: shards[index])  # noqa: B023
    assert len(left_out) == 2  # n4, which is not there, and n5
    assert any(name.endswith("000001.tar, picture 2") for name in left_out.reasons)


def foreign(path, samples, cut=None):
    """Shards as another tool writes them."""
    with tarfile.open(path, "w") as tar:
        for name, content in samples:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    if cut:
        path.write_bytes(path.read_bytes()[:cut])
    return path


def sample(key, **row):
    image = io.BytesIO()
    Image.new("RGB", (W, H), (key, 0, 0)).save(image, "png")
    row = {"image": f"{key}.png", "objects": [["dog"]], **row}
    return [(f"a/{key}.png", image.getvalue()), (f"a/{key}.json", json.dumps(row).encode())]


def test_shards_of_other_tools_are_read_and_broken_members_told(tmp_path):
    lonely = [("a/9.json", b'{"image": "9.png", "objects": [["x"]]}')]
    foreign(tmp_path / "x-0.tar", [*sample(1), *sample(2, objects=[]), *lonely])
    foreign(tmp_path / "x-1.tar", [*sample(4), *sample(5)], cut=2048 + 700)
    shards = open_dataset(f"webdataset:{tmp_path}/x-{{0..1}}.tar")
    assert shards.name.startswith("x-")
    found = answers(shards)
    assert [type(answer) for answer in found] == [dict, str, str, dict, str]
    assert "x-0.tar, picture 1, objects: expected a list of at least one object" in found[1]
    assert "picture 2: expected a member that is a picture, got json" in found[2]
    assert "x-1.tar, picture 1" in found[4]
    assert len(fingerprint(shards, tmp_path)) == 32
    foreign(tmp_path / "y.tar", [*sample(1), *sample(2, image="1.png")])
    with pytest.raises(InputError, match=r"y\.tar, picture 1: expected each picture once"):
        open_dataset(f"webdataset:{tmp_path}/y.tar")


def test_an_address_is_a_picture_that_is_left_out(table, tmp_path, capsys):
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    rows[4]["image"] = "https://example.org/a.png"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(fingerprint(open_dataset(str(table)), tmp_path / "known")) == 32
    text, err = packed(table, tmp_path / "out", capsys, "--allow-missing")
    assert "1 of 7 pictures" in err
    assert len(open_dataset(text)) == COUNT


def test_a_damaged_table_of_fingerprints_is_made_anew(table, tmp_path):
    data, known = open_dataset(str(table)), tmp_path / "known"
    whole = fingerprint(data, known)
    [file] = known.iterdir()
    content = bytearray(file.read_bytes())
    content[12:16] = b"\xff\xff\xff\xff"  # in the packed bytes: zlib itself refuses them
    file.write_bytes(content)
    assert fingerprint(data, known) == whole


def test_what_is_no_data_set_is_told(table, tmp_path, capsys):
    text, _ = packed(table, tmp_path / "out", capsys)
    cases = {
        "webdataset:": "expected webdataset:NAME",
        "webdataset:a-{0..x}.tar": "expected webdataset:NAME",
        "webdataset:a-{10..08}.tar": "expected a range that rises",
        f"webdataset:{tmp_path}/none.tar": "none.tar: expected a shard of webdataset, got: ",
        f"webdataset:{table}": "expected a tar, got: ",
        text.replace("..000002", "..000001"): "expected all 3 shards of the data set from its",
        text.replace("{000000..000002}", "000001"): "got 1 from picture 3 on",
        "webdataset:nonsense://x/a.tar": (
            "expected a URL that fsspec knows" if find_spec("upath") else "segment-select-correct"
        ),
    }
    for case, message in cases.items():
        with pytest.raises(InputError, match=message):
            open_dataset(case)


@pytest.mark.long
def test_the_fields_own_reader_reads_them(table, tmp_path, capsys):
    webdataset = pytest.importorskip("webdataset")
    text, _ = packed(table, tmp_path / "out", capsys)
    names = expand(text.removeprefix("webdataset:"))
    samples = [*webdataset.WebDataset(names, shardshuffle=False)]
    assert [s["__key__"] for s in samples] == [f"{k:09d}" for k in range(COUNT)]
    ends = Counter(end for s in samples for end in s if not end.startswith("__"))
    assert ends == {"json": 7, "mask0.png": 6, "png": 3, "jpg": 1, "webp": 2}
