"""Data sets that `datasets` reads: those of the JSONL with the same pictures and sentences."""

import json
import pickle
import shutil

import numpy as np
import pytest

from ssc.errors import InputError, ResourceError
from ssc.formats import png, rle
from train.data import open_dataset
from train.data.fingerprint import fingerprint
from train.data.slice import SLICE, read_slice

datasets = pytest.importorskip("datasets", reason="datasets is not installed: no test of hf:")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no test of hf:")
pq = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.filterwarnings("default")  # its own


@pytest.fixture(autouse=True)
def _its_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def rows():
    """Five pictures: name, file, sentences of each object, and masks."""
    found = []
    for scene in read_slice()[:5]:
        told = [k for k, o in enumerate(scene.objects) if o["expressions"]]
        texts = [[e["text"] for e in scene.objects[k]["expressions"]] for k in told]
        masks = [scene.masks[k] for k in told]
        found.append((scene.name, SLICE / f"{scene.name}.jpg", texts, masks))
    return found


@pytest.fixture
def table(rows, tmp_path):
    """They as JSONL."""
    lines = [
        {
            "image": str(file),
            "name": name,
            "objects": [
                {"expressions": own, "mask": rle(mask), "box": box_of(mask)}
                for own, mask in zip(texts, masks)
            ],
        }
        for name, file, texts, masks in rows
    ]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return open_dataset(str(path))


def box_of(mask):
    ys, xs = np.nonzero(mask)
    return [int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]


def wide(box):
    return [*box[:2], box[2] - box[0], box[3] - box[1]]


@pytest.fixture
def folder(rows, tmp_path):
    """They as Parquet in two files, with columns of other names."""
    folder = tmp_path / "phrases"
    folder.mkdir()
    of_row = [
        {
            "photo": {"bytes": file.read_bytes(), "path": file.name},
            "id": name,
            "captions": texts,
            "bbox": [wide(box_of(mask)) for mask in masks],
            "mask": [rle(mask) for mask in masks],
        }
        for name, file, texts, masks in rows
    ]
    for number, part in enumerate((of_row[:2], of_row[2:])):
        pq.write_table(pa.Table.from_pylist(part), folder / f"train-{number:05d}.parquet")
    return folder


def same(one, other, names=True):
    assert len(one) == len(other)
    for index in (*range(len(one)), 0, 3, 1):  # in order, and then not
        a, b = one[index], other[index]
        assert a.name == one.picture_name(index)
        assert not names or a.name == b.name
        assert (a.image == b.image).all()
        assert [o.expressions for o in a.objects] == [o.expressions for o in b.objects]
        for x, y in zip(a.objects, b.objects):
            assert (x.mask is None) == (y.mask is None)
            assert x.mask is None or (x.mask == y.mask).all()
            assert x.box is None or (x.box == y.box).all()


def test_parquet_is_the_jsonl_with_the_same_pictures(folder, table, tmp_path):
    text = f"hf:{folder}:train:image=photo:sentences=captions:name=id:xywh=bbox"
    streamed = open_dataset(text)
    same(streamed, table)
    assert fingerprint(streamed, tmp_path / "a") == fingerprint(table, tmp_path / "b")
    assert streamed.name == open_dataset(text).name
    assert streamed.name.startswith("phrases-train-")
    again = pickle.loads(pickle.dumps(streamed))
    assert again[2].name == streamed[2].name
    with pytest.raises(IndexError):
        streamed[5]


def test_a_folder_of_pictures_with_sentences(rows, table, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    lines = []
    for number, (_, file, texts, masks) in enumerate(rows):
        name = f"{number}.jpg"
        shutil.copy(file, folder / name)
        lines.append({"file_name": name, "sentences": texts[0], "box": box_of(masks[0])})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    streamed = open_dataset(f"hf:{folder}:train")
    assert [streamed.picture_name(k) for k in (0, 4)] == ["train-000000000", "train-000000004"]
    for index in range(len(table)):
        [thing] = streamed[index].objects
        assert thing.expressions == table[index].objects[0].expressions
        assert (thing.box == table[index].objects[0].box).all()
        assert (streamed[index].image == table[index].image).all()


def test_masks_that_are_pictures(rows, tmp_path):
    folder = tmp_path / "masked"
    folder.mkdir()
    _, file, texts, masks = rows[0]
    image = {"bytes": file.read_bytes(), "path": file.name}
    mask = {"bytes": png(masks[0].astype(np.uint8) * 255), "path": "mask.png"}
    row = {"image": image, "sentences": texts[0][0], "mask": mask}
    features = datasets.Features(
        image=datasets.Image(), sentences=datasets.Value("string"), mask=datasets.Image()
    )
    datasets.Dataset.from_list([row], features=features).to_parquet(folder / "val.parquet")
    [thing] = open_dataset(f"hf:{folder}:validation")[0].objects
    assert thing.expressions == (texts[0][0],)
    assert (thing.mask == masks[0]).all()


def test_what_does_not_fit_is_told(folder, monkeypatch):
    with pytest.raises(InputError, match=r"expected hf:NAME:SPLIT\[:COLUMN=ITS NAME…\] with image"):
        open_dataset(f"hf:{folder}:train:picture=photo")
    with pytest.raises(InputError, match=r"expected a column image, got photo, id, captions, bbox"):
        open_dataset(f"hf:{folder}:train")
    with pytest.raises(InputError, match=r"expected a data set that datasets reads, got: Value"):
        open_dataset(f"hf:{folder}:test:image=photo:sentences=captions")
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(ResourceError, match=r"pip install 'segment-select-correct\[cluster\]'"):
        open_dataset(f"hf:{folder}:train")
