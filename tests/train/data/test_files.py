"""Data sets: one's own files, with file and line in every error, and RefSprites by name."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from ssc.errors import InputError
from train.data import open_dataset
from train.data.files import Files, InvalidData
from train.data.masks import decode_segmentation
from train.scenes.sprites import FONT

H, W = 20, 30
PLAIN = {"image": "a.png", "objects": [["left dog", "the brown dog"], ["cat"]]}


@pytest.fixture
def folder(tmp_path):
    for name, shade in (("a", 10), ("b", 20), ("c", 30)):
        Image.new("RGB", (W, H), (shade, 0, 0)).save(tmp_path / f"{name}.png")
    mask = np.zeros((H, W), np.uint8)
    mask[5:9, 3:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def jsonl(folder, *rows):
    path = folder / "data.jsonl"
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows))
    return path


def test_refsprites_by_name():
    dataset = open_dataset("refsprites:val:5:10:3")
    assert (len(dataset), dataset.picture_name(2)) == (5, "val-000012")
    for text in ("refsprites", "refsprites:val", "refsprites:val:x", "refsprites:a:1:2:3:4"):
        with pytest.raises(InputError, match="expected refsprites:SPLIT:COUNT"):
            open_dataset(text)
    for text in ("kitti:val:3", "pictures", "x.yaml"):
        with pytest.raises(InputError, match=r"expected refsprites:.* a \.jsonl or \.csv file"):
            open_dataset(text)


@pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
def test_classes_are_all_their_pixels_and_one_class_is_not_there():
    scenes, classes = open_dataset("refsprites:val:3"), open_dataset("classes:val:3")
    assert classes.name != scenes.name
    for k in range(3):
        scene, asked = scenes[k], classes[k]
        assert np.array_equal(scene.image, asked.image)
        assert len({thing.name for thing in asked.objects}) == len(asked.objects)
        *shown, absent = asked.objects
        assert not absent.mask.any()
        assert np.array_equal(
            np.any([thing.mask for thing in shown], axis=0), scene.instances.any(0)
        )
        for instance in scene.instances:  # each belongs to one class, whole
            assert sum(bool((instance <= thing.mask).all()) for thing in shown) == 1
        for thing in asked.objects:
            assert thing.expressions[0] == thing.name


def test_the_least_that_one_writes(folder):
    dataset = open_dataset(str(jsonl(folder, PLAIN, "", {**PLAIN, "image": "b.png"})))
    assert len(dataset) == 2
    assert [dataset.picture_name(k) for k in range(2)] == ["a.png", "b.png"]
    picture = dataset[1]
    assert picture.name == "b.png"
    assert picture.image.shape == (H, W, 3)
    assert picture.image[0, 0].tolist() == [20, 0, 0]
    assert [o.expressions for o in picture.objects] == [("left dog", "the brown dog"), ("cat",)]
    assert [(o.name, o.mask, o.box, o.kinds) for o in picture.objects] == [
        ("0", None, None, ()),
        ("1", None, None, ()),
    ]
    with pytest.raises(IndexError):
        dataset[2]


def test_everything_that_one_can_write(folder):
    mask = np.zeros((H, W), np.uint8)
    mask[1:4, 2:8] = 1
    code = coco.encode(np.asfortranarray(mask))
    rle = {"size": [H, W], "counts": code["counts"].decode()}
    thing = {"name": "dog", "expressions": [" the  dog "], "kinds": ["attribute"]}
    row = {
        "image": "a.png",
        "name": "first",
        "objects": [
            {**thing, "mask": "mask.png", "box": [3, 5, 12, 9.5]},
            {"expressions": ["cat"], "mask": rle},
        ],
    }
    picture = Files(jsonl(folder, row))[0]
    dog, cat = picture.objects
    assert picture.name == "first"
    assert (dog.name, dog.expressions, dog.kinds) == ("dog", ("the dog",), ("attribute",))
    assert dog.mask.sum() == 36
    assert dog.mask[5, 3]
    assert dog.box.tolist() == [3, 5, 12, 9.5]
    assert (cat.mask == mask.astype(bool)).all()


def test_the_name_is_of_the_content(folder):
    first = Files(jsonl(folder, PLAIN)).name
    assert first == Files(jsonl(folder, PLAIN)).name
    assert first.startswith("data-")
    assert first != Files(jsonl(folder, {**PLAIN, "objects": [["dog"]]})).name


BAD = {
    "not json": ("{", "expected a line of JSON"),
    "a list": ("[]", r'expected an object {"image"'),
    "no image": ({"objects": [["x"]]}, "image: expected a path in UTF-8, got 'None'"),
    "no objects": ({"image": "a.png", "objects": []}, "objects: expected a list of at least one"),
    "no list": ({"image": "a.png", "objects": 3}, "objects: expected a list, got '3'"),
    "not UTF-8": (
        '{"image": "b\\udce9b.jpg", "objects": [["x"]]}',
        "image: expected a path in UTF-8",
    ),
    "typo": ({**PLAIN, "object": []}, "expected only image, name, objects, got 'object'"),
    "a word": ({"image": "a.png", "objects": ["dog"]}, "object 1: expected a list of expressions"),
    "none said": ({"image": "a.png", "objects": [["x"], []]}, "object 2, expressions: expected"),
    "blank": ({"image": "a.png", "objects": [[" "]]}, "expected text of up to 500 characters"),
    "long": ({"image": "a.png", "objects": [["x" * 501]]}, "expected text of up to 500"),
    "kinds": (
        {"image": "a.png", "objects": [{"expressions": ["x"], "kinds": ["a", "b"]}]},
        "kinds: expected one for each expression",
    ),
    "box": (
        {"image": "a.png", "objects": [{"expressions": ["x"], "box": [5, 0, 2, 3]}]},
        "box: expected x0 < x1",
    ),
    "nan": ('{"image": "a.png", "objects": [{"expressions": ["x"], "box": [0, 0, NaN, 1]}]}', "x0"),
    "mask": (
        {"image": "a.png", "objects": [{"expressions": ["x"], "mask": 3}]},
        "mask: expected a path in UTF-8 or a run-length code",
    ),
    "names": (
        {"image": "a.png", "objects": [{"expressions": ["x"], "name": "1"}, ["y"]]},
        "expected a name of its own for each object",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_error_has_file_and_line(folder, case):
    row, message = BAD[case]
    path = jsonl(folder, {**PLAIN, "image": "b.png"}, "", row)
    with pytest.raises(InvalidData, match=message) as error:
        Files(path)
    assert str(error.value).startswith(f"{path}:3")


def test_all_errors_are_kept_and_the_first_told(folder):
    path = jsonl(folder, "{", PLAIN, "[]", PLAIN)
    with pytest.raises(InvalidData, match=r"2 more; see python -m train\.data check") as error:
        Files(path)
    places = [problem.removeprefix(f"{path}:")[0] for problem in error.value.problems]
    assert places == ["1", "3", "4"]
    assert "got that of line 2 again" in error.value.problems[2]


def test_a_file_of_nothing_or_no_file(folder):
    with pytest.raises(InputError, match="expected at least one picture"):
        Files(jsonl(folder))
    with pytest.raises(InputError, match=r"expected a \.jsonl or \.csv file"):
        Files(folder / "none.jsonl")
    (folder / "latin.jsonl").write_bytes(b'{"image": "\xe9"}\n')
    with pytest.raises(InputError, match=r"latin\.jsonl:1: expected a line of JSON in UTF-8"):
        Files(folder / "latin.jsonl")


def test_a_picture_or_mask_that_does_not_open_is_told_when_it_is_wanted(folder):
    (folder / "broken.png").write_bytes(b"\x89PNG")
    Image.new("L", (5, 5), 255).save(folder / "small.png")
    Image.new("L", (W, H), 0).save(folder / "empty.png")

    def of(image, mask):
        return {"image": image, "objects": [{"expressions": ["x"], "mask": mask}]}

    rle = {"size": [H, W], "counts": [1, 2]}
    cases = {
        "missing.png": (of("missing.png", None), "no such file"),
        "broken.png": (of("broken.png", None), "expected a picture"),
        "a.png": (of("a.png", "small.png"), "expected a mask of 30×20 pixels"),
        "b.png": (of("b.png", "empty.png"), "expected some pixels of the object"),
        "c.png": (of("c.png", rle), "expected counts of 600 pixels, got 3"),
    }
    path = jsonl(folder, *(row for row, _ in cases.values()))
    dataset = Files(path)
    for line, (_, message) in enumerate(cases.values(), 1):
        with pytest.raises(InputError, match=message) as error:
            dataset[line - 1]
        assert str(error.value).startswith(f"{path}:{line}: ")


def test_csv(folder):
    path = folder / "data.csv"
    path.write_text(
        "image,object,expression,mask,box\n"
        'a.png,dog,"left, brown dog",mask.png,\n'
        "b.png,,cat,,1 2 3 4\n"
        "a.png,dog,the dog,,\n"
        '"a.png",,"a\nbird",,\n'
    )
    dataset = open_dataset(str(path))
    assert [dataset.picture_name(k) for k in range(len(dataset))] == ["a.png", "b.png"]
    dog, bird = dataset[0].objects
    assert dog.expressions == ("left, brown dog", "the dog")
    assert dog.mask.sum() == 36
    assert bird.expressions == ("a bird",)
    [cat] = dataset[1].objects
    assert cat.box.tolist() == [1, 2, 3, 4]
    assert cat.box.dtype == np.float32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("picture,expression\na.png,x\n", r":1: expected columns image and expression"),
        ("image,expression\na.png\n", ":2: expected a cell for each column"),
        ("image,expression\na.png,x,y\n", ":2: expected a cell for each column"),
        ("image,expression\na.png,x\n,y\n", ":3, image: expected a path"),
        ("image,expression\na.png, \n", ":2, expression: expected text"),
        ("image,expression,box\na.png,x,1 2 z\n", ":2, box: expected four numbers"),
        ("image,expression,box\na.png,x,1 2 3\n", ":2, object 1, box: expected x0 < x1"),
        (
            "image,expression,object,mask\na.png,x,o,m.png\na.png,y,o,n.png\n",
            ":3, mask: expected that of the object's other rows, m.png",
        ),
        ("image,expression\n", "expected at least one picture"),
    ],
)
def test_each_error_of_csv_has_file_and_line(tmp_path, content, message):
    (tmp_path / "data.csv").write_text(content)
    with pytest.raises(InvalidData, match=message) as error:
        Files(tmp_path / "data.csv")
    assert str(error.value).startswith(str(tmp_path / "data.csv"))


def test_masks_as_coco_has_them():
    square = [[2.0, 1.0, 8.0, 1.0, 8.0, 4.0, 2.0, 4.0]]
    mask = decode_segmentation(square, H, W)
    assert mask.dtype == np.bool_
    assert mask.sum() == 18
    counts, value = [], False
    column_major = mask.T.reshape(-1)
    while len(column_major):
        run = int(np.argmax(column_major != value)) if (column_major != value).any() else -1
        run = len(column_major) if run < 0 else run
        counts.append(run)
        column_major, value = column_major[run:], not value
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    for form in (counts, code, code.decode()):
        again = decode_segmentation({"size": [H, W], "counts": form}, H, W)
        assert (again == mask).all()


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[1.0, 2.0, 3.0]],
        [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]],
        {"size": [W, H], "counts": [H * W]},
        {"size": [H, W]},
        {"size": [H, W], "counts": [H * W + 1]},
        {"size": [H, W], "counts": [-1, H * W + 1]},
        {"size": [H, W], "counts": "ooo"},  # its last number does not end
        {"size": [H, W], "counts": "é"},
        {"size": [H, W], "counts": "ZZZZ0"},
    ],
)
def test_masks_that_are_none(segmentation):
    with pytest.raises(InputError, match="mask: expected"):
        decode_segmentation(segmentation, H, W)
