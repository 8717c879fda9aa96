"""RefCOCO's layout, with its real field names, and pickles that would run code."""

import io
import json
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from tests.train.refcoco import ANNOTATIONS, FILES, REFS, H, W, ref, save
from train.data import open_dataset
from train.data.refer import read_plain_pickle


def test_objects_masks_and_ids_as_published(root):
    dataset = open_dataset(f"refer:{root}/refcoco:unc:train")
    assert len(dataset) == 1
    picture = dataset[0]
    assert picture.name == dataset.picture_name(0) == "COCO_train2014_000000581857"
    assert picture.image.shape == (H, W, 3)
    right, left = picture.objects
    assert (right.name, left.name) == ("7", "8")
    assert right.expressions == ("the right one", "man in blue", "blue shirt")  # refs 7 and 5
    assert left.expressions == ("left guy",)
    assert left.mask.sum() == 80
    assert right.mask.sum() == 6 * 16 + 4 * 16
    assert right.mask[10, 15]
    assert not right.mask[10, 21]
    assert picture.instances.shape == (3, H, W)
    assert (picture.instances[0] == left.mask).all()
    assert picture.instances[2].sum() == 2 * H
    assert picture.instances[2][:, 4].all()


def test_splits_as_published(root):
    def names(split):
        dataset = open_dataset(f"refer:{root}/refcoco:unc:{split}")
        return [dataset.picture_name(k)[-3:] for k in range(len(dataset))]

    assert names("testA") == ["111"]
    assert names("testB") == ["222"]
    assert names("test") == ["111", "222"]
    with pytest.raises(InputError, match=r"expected split testA, testB, train, got 'val'"):
        names("val")
    with pytest.raises(InputError, match="expected refer:FOLDER:BY:SPLIT"):
        open_dataset("refer:refcoco")
    save(root / "refcoco", [ref(9, 4, 111, "testAB", "a dog"), *REFS[:1]])
    assert names("testA") == names("testB") == names("testAB") == ["111"]


def test_grefcoco_has_several_objects_and_none(root):
    folder = root / "grefcoco"
    folder.mkdir()
    (folder / "instances.json").write_bytes((root / "refcoco" / "instances.json").read_bytes())
    rows = [
        ref(1, [1, 2], 581857, "val", "both guys"),
        ref(2, [-1], 581857, "val", "the dog"),
        ref(3, [-1], 581857, "val", "a third guy"),
        ref(4, [2, 1], 581857, "val", "everyone"),
        ref(5, [1], 581857, "val", "left guy"),
    ]
    (folder / "grefs(unc).json").write_text(json.dumps(rows))
    picture = open_dataset(f"refer:{folder}:unc:val")[0]
    said = {thing.name: thing.expressions for thing in picture.objects}
    assert said["1"] == ("both guys", "everyone")
    assert (said["2"], said["3"]) == (("the dog",), ("a third guy",))
    masks = {thing.name: thing.mask for thing in picture.objects}
    one, other = picture.instances[:2]
    assert np.array_equal(masks["1"], one | other)
    assert np.array_equal(masks["5"], one)
    assert not masks["2"].any()
    (folder / "grefs(unc).json").write_text("[{]")
    with pytest.raises(InputError, match="expected gRefCOCO's JSON, got"):
        open_dataset(f"refer:{folder}:unc:val")


def test_the_name_tells_split_and_content(root):
    first = open_dataset(f"refer:{root}/refcoco:unc:train").name
    assert first.startswith("refcoco-unc-train-")
    save(root / "refcoco", REFS[:3])
    assert open_dataset(f"refer:{root}/refcoco:unc:train").name != first


def test_what_is_missing_or_damaged_is_named(root):
    def opened():
        return open_dataset(f"refer:{root}/refcoco:unc:train")

    folder = root / "refcoco"
    instances = json.loads((folder / "instances.json").read_text())

    def rewritten(**changes):
        (folder / "instances.json").write_text(json.dumps(instances | changes))

    with pytest.raises(InputError, match=r"refs\(google\)\.p: expected REFER's pickle"):
        open_dataset(f"refer:{root}/refcoco:google:train")
    image = root / "images" / "mscoco" / "images" / "train2014" / FILES[581857]
    Image.new("RGB", (W, H + 1)).save(image)
    with pytest.raises(InputError, match=r"expected 32×24 pixels as in instances\.json, got 32×25"):
        opened()[0]
    image.unlink()
    with pytest.raises(InputError, match="no such file"):
        opened()[0]
    rewritten(annotations=ANNOTATIONS[:1])
    with pytest.raises(InputError, match="expected annotation 2 of picture 581857, which ref 7"):
        opened()
    rewritten(images=[])
    with pytest.raises(InputError, match="expected picture 581857, which refs name"):
        opened()
    rewritten(images=[{}])
    with pytest.raises(InputError, match="expected images and annotations as COCO has them"):
        opened()
    rewritten()
    save(folder, [{"ref_id": 1}])
    with pytest.raises(InputError, match="ref 0: expected ref_id, ann_id"):
        opened()
    save(folder, {})
    with pytest.raises(InputError, match="expected a list of refs, got dict"):
        opened()
    save(folder, REFS)
    (root / "images").rename(root / "elsewhere")
    with pytest.raises(InputError, match=r"expected COCO's train2014 pictures in images/mscoco"):
        opened()


def test_pickles_of_python_2(tmp_path):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(
        b"(lp0\nS'caf\\xc3\\xa9'\np1\naVna\\u00efve\np2\naI7\naL12345678901L\naF0.5\na."
    )
    assert read_plain_pickle(path) == ["café", "naïve", 7, 12345678901, 0.5]


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def with_persistent_id():
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return "outside" if value == "x" else None

    file = io.BytesIO()
    Pickler(file).dump(["x"])
    return file.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_code_is_refused_and_named(root, protocol):
    target = root / "ran"
    file = root / "refcoco" / "refs(unc).p"
    file.write_bytes(pickle.dumps([*REFS, Evil(target)], protocol=protocol))
    with pytest.raises(InputError, match=r"refs\(unc\)\.p: .* would run (posix|nt)\.mkdir"):
        open_dataset(f"refer:{root}/refcoco:unc:train")
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([np.float64(1)]), "would run numpy"),
        (pickle.dumps([{1}], protocol=2), "would run __builtin__.set"),
        (b"cbuiltins\neval\n(S'1+1'\ntR.", "would run builtins.eval"),
        (b"(S'1'\nios\nsystem\n.", "would run os.system"),
        (b"\x80\x02\x82\x01.", "expected REFER's pickle"),  # an extension code
        (with_persistent_id(), "got a reference to others"),
        (pickle.dumps([1, 2])[:-3], "expected REFER's pickle"),
        (b"", "expected REFER's pickle"),
        (b"\x80\xffhello", "expected REFER's pickle"),
    ],
)
def test_other_pickles_are_refused(tmp_path, content, message):
    path = tmp_path / "refs.p"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_plain_pickle(path)
