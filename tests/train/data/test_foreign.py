"""Other tools' files: what does not fit is refused with its file and place in it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from ssc.formats import rle
from train.data import open_dataset

EXIF_TURNED = 6  # by a quarter


@pytest.fixture
def picture(tmp_path):
    def make(orientation=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
        return tmp_path

    return make


def coco(folder, **truth):
    row = {"id": 7, "image_id": 1, "caption": "the dog", **truth}
    image = {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}
    (folder / "coco.json").write_text(json.dumps({"images": [image], "annotations": [row]}))
    return f"coco:{folder / 'coco.json'}"


def test_boxes_of_coco_are_of_the_size_that_is_stated(picture):
    truth = {"bbox": [2, 3, 10, 9]}
    [thing] = open_dataset(coco(picture(), **truth))[0].objects
    assert thing.box.tolist() == [2, 3, 12, 12]
    data = open_dataset(coco(picture(EXIF_TURNED), **truth))
    with pytest.raises(InputError, match=r"a\.jpg to have the 40×30 pixels .* got 30×40; its EXIF"):
        data[0]


def test_masks_of_coco_name_their_annotation(picture):
    other = rle(np.ones((9, 9), np.bool_))
    with pytest.raises(InputError, match=r"coco\.json, image 1: annotation 7: mask: expected size"):
        open_dataset(coco(picture(), segmentation=other))


def test_labelme_names_its_file(picture):
    folder = picture()
    shape = {"label": "dog", "points": [[1, 1], [9, 1], [9, 9]]}
    right = {"imagePath": "..\\a.jpg", "imageHeight": 30, "imageWidth": 40, "shapes": [shape]}
    (folder / "labels").mkdir()
    (folder / "labels" / "a.json").write_text(json.dumps(right))
    data = open_dataset(f"labelme:{folder / 'labels'}")
    assert data[0].image.shape == (30, 40, 3)
    wrong = {
        "{": r"b\.json: expected labelme's form, got: JSONDecodeError",
        "[]": r"b\.json: expected labelme's form",
        json.dumps({**right, "shapes": [{**shape, "shape_type": "circle"}]}): "got a circle",
        json.dumps({**right, "shapes": [{"label": "dog"}]}): r"b\.json: .* KeyError\('points'\)",
    }
    for text, message in wrong.items():
        (folder / "labels" / "b.json").write_text(text)
        with pytest.raises(InputError, match=message):
            open_dataset(f"labelme:{folder / 'labels'}")


@pytest.mark.parametrize(
    "line", ["{", '{"file": "a.jpg"}', "[]", '{"file_name": "a.jpg", "text": 3}']
)
def test_an_imagefolder_names_its_line(picture, line):
    folder = picture()
    good = json.dumps({"file_name": "a.jpg", "text": "the dog"})
    (folder / "metadata.jsonl").write_text(f"{good}\n\n{line}\n")
    with pytest.raises(InputError, match=r"metadata\.jsonl:3: expected imagefolder's form, got"):
        open_dataset(f"imagefolder:{folder}")


def test_a_data_set_is_the_same_wherever_it_lies(picture, tmp_path, monkeypatch):
    source = coco(picture(), bbox=[2, 3, 10, 9])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("a.jpg", "coco.json"):
        shutil.copy(tmp_path / name, copy)
    assert open_dataset(source).name == open_dataset(f"coco:{copy / 'coco.json'}").name


def test_cocos_pictures_beside_a_path_of_any_spelling(picture, monkeypatch):
    folder = picture()
    (folder / "images").mkdir()
    (folder / "a.jpg").rename(folder / "images" / "a.jpg")
    coco(folder, bbox=[2, 3, 10, 9])
    monkeypatch.chdir(folder)
    for place in ("coco.json", "./coco.json", "coco.json:images"):
        assert open_dataset(f"coco:{place}")[0].image.shape == (30, 40, 3)
    with pytest.raises(InputError, match=r"none: expected the folder of coco\.json's pictures"):
        open_dataset("coco:coco.json:none")
    with pytest.raises(InputError, match=r"no\.json: expected coco's file, got: "):
        open_dataset("coco:no.json")


def test_one_name_is_one_picture(picture):
    folder = picture()
    coco(folder, bbox=[2, 3, 10, 9])
    content = json.loads((folder / "coco.json").read_text())
    content["images"].append({**content["images"][0], "id": 2})
    content["annotations"].append({**content["annotations"][0], "id": 8, "image_id": 2})
    (folder / "coco.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="expected each picture once"):
        open_dataset(f"coco:{folder / 'coco.json'}")


def test_an_imagefolder_has_a_text_for_each_box(picture):
    folder = picture()
    row = {"file_name": "a.jpg", "objects": {"bbox": [[1, 1, 5, 5]], "caption": ["dog", "cat"]}}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"metadata\.jsonl:1: expected imagefolder's form"):
        open_dataset(f"imagefolder:{folder}")
