"""Photographs with expressions, in both of their forms."""

import json

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from train.data import open_dataset

DOG, CAT = [0.0, 0.0, 0.5, 0.0, 0.5, 1.0, 0.0, 1.0], [0.5, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5, 1.0]


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.png")
    photos = [{"file": "a.png", "objects": [{"expression": "the dog", "box": [0, 0, 0.5, 1]}]}]
    (tmp_path / "photos.json").write_text(json.dumps(photos))
    rows = {
        "image": "a.png",
        "instances": [
            {"name": "dog", "poly": DOG, "box": [0, 0, 0.5, 1]},
            {"name": "cat", "poly": [CAT, [0.6, 0, 0.7, 0, 0.7, 0.2, 0.6, 0.2]], "box": CAT[:4]},
        ],
        "objects": [
            {"object": 1, "expressions": ["the cat", "biggest cat", "second cat from the left"]}
        ],
    }
    (tmp_path / "coco62.jsonl").write_text(json.dumps(rows) + "\n\n")
    return tmp_path


def test_boxes_alone(folder):
    data = open_dataset(f"photos:{folder}")
    assert len(data) == 1
    assert data.picture_name(0) == "a"
    picture = data[0]
    assert picture.image.shape == (20, 40, 3)
    assert picture.instances is None
    assert picture.names == ()
    [dog] = picture.objects
    assert dog.expressions == ("the dog",)
    assert dog.mask is None
    np.testing.assert_allclose(dog.box, [0, 0, 20, 20])


def test_masks_of_all_instances_and_kinds(folder):
    picture = open_dataset(f"coco62:{folder}")[0]
    assert picture.names == ("dog", "cat")
    assert picture.instances.shape == (2, 20, 40)
    assert picture.instances[0, :, :20].all()
    assert not picture.instances[0, :, 20:].any()
    [cat] = picture.objects
    assert np.array_equal(cat.mask, picture.instances[1])
    assert cat.mask.sum() == pytest.approx(20 * 10 + 4 * 4, abs=8)  # of both polygons
    assert cat.kinds == ("name", "size", "place")


def test_the_name_is_the_contents(folder):
    before = open_dataset(f"photos:{folder}").name
    assert before != open_dataset(f"coco62:{folder}").name
    (folder / "photos.json").write_text("[]")
    assert open_dataset(f"photos:{folder}").name != before


@pytest.mark.parametrize("content", ["", "[1]", '[{"objects": []}]', '{"file": 1}'])
def test_what_is_no_list_is_named(folder, content):
    (folder / "photos.json").write_text(content)
    with pytest.raises(InputError, match=r"photos\.json: expected a list of photographs"):
        open_dataset(f"photos:{folder}")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"coco62\.jsonl: expected a list of photographs"):
        open_dataset(f"coco62:{tmp_path / 'none'}")
