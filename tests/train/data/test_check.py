"""`python -m train.data check`: what it finds and draws."""

import json

import numpy as np
import pytest
from PIL import Image

from ssc.draw import colour_of
from ssc.errors import InputError
from ssc.types import ANY_CLASS, ClassMatch
from train.data import Picture, Referred, __main__
from train.data.check import check, describe, draw_sheet
from train.data.slice import SLICE, read_slice

IMAGE = np.full((40, 60, 3), 200, np.uint8)


class Pictures(list):
    name = "pictures"

    def __getitem__(self, index):
        picture = super().__getitem__(index)
        if isinstance(picture, str):
            raise InputError(picture)
        return picture


class Stage1:
    """The noun is the last word; nouns of one letter are far from any class."""

    def nouns(self, text):
        return "" if text == "left" else text.lower().split()[-1]

    def classes(self, nouns):
        return tuple(
            ClassMatch(n, "dog" if n else ANY_CLASS, 0.5 if len(n) == 1 else 0.9, (("cat", 0.25),))
            for n in nouns
        )


def picture(name, *objects):
    things = tuple(
        Referred(str(k), said, mask=np.ones((40, 60), bool) if k == 0 else None)
        for k, said in enumerate(objects)
    )
    return Picture(name, IMAGE, things)


@pytest.fixture
def found():
    data = Pictures(
        [
            picture("a", ("the dog", "The  dog.", "left"), ("a Cat", "a x")),
            "b: expected a picture,\ngot none",
            picture("c", ("a cat",), ("left",), ("A cat!", "big x")),
            picture("d", ("the dog",)),
        ]
    )
    return check(data, range(4), Stage1(), 2)


def test_counts(found):
    assert (found.pictures, found.objects, found.expressions) == (3, 6, 10)
    assert (found.masks, found.boxes, found.nameless) == (3, 0, 2)
    assert [p.name for p in found.sheet] == ["a", "c"]


def test_what_is_wrong_is_named(found):
    assert found.broken == ["b: expected a picture, got none"]
    assert found.duplicates == [("a", "0", "the dog")]
    assert found.contradictions == [("c", "a cat", ("0", "2"))]
    assert next((m.noun, n) for m, n in found.nouns) == ("x", 2)
    text = describe(found)
    assert "3 pictures, 6 objects (2.0 a picture), 10 expressions (1.7 an object)" in text
    assert 'c, objects 0, 2: "a cat"' in text
    assert "x → dog (0.50, next cat 0.25), in 2 expressions" in text
    assert "cat → dog" not in text
    assert "cat → dog" in describe(found, low=0.95)


def test_a_long_list_is_cut():
    data = Pictures([f"broken {k}" for k in range(13)])
    text = describe(check(data, range(13), Stage1(), 2))
    assert "13 pictures (100.0 %) cannot be used; that is more than a tenth" in text
    assert "broken 9" in text
    assert "broken 10" not in text
    assert "… and 3 more" in text


def test_the_sheet_marks_what_is_known():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 10:30] = True
    box = np.array([35, 5, 55, 20], np.float32)
    marked = Picture(
        "m",
        IMAGE,
        (Referred("0", ("no truth",)), Referred("1", ("x",), mask), Referred("2", ("y",), box=box)),
    )
    tall = Picture("t", np.full((500, 20, 3), 90, np.uint8), (Referred("0", ("z" * 200,)),))
    sheet = draw_sheet([marked, tall])
    assert sheet.dtype == np.uint8
    assert sheet.shape[1:] == (640, 3)
    for k in range(2):  # the box's line and the mask's tint are in their colours
        assert (np.abs(sheet.astype(int) - colour_of(k)).sum(2) < 30).any()
    assert (sheet[-3:, :320] == 255).all()  # the shorter one is padded


def test_the_command(tmp_path, capsys):
    rows = []
    for scene in read_slice()[:2]:
        said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
        rows.append({"image": str(SLICE / f"{scene.name}.jpg"), "objects": said})
    rows.append({"image": "missing.jpg", "objects": [["the dog"]]})
    data, out = tmp_path / "data.jsonl", tmp_path / "sheet.png"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert __main__.main(["check", str(data), "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert "2 pictures, " in text
    assert f"{data}:3: " in text
    with Image.open(out) as sheet:
        assert sheet.size[0] == 640
    assert __main__.main(["check", str(data), "--out", str(out), "--pictures", "1"]) == 0
    assert "1 pictures, " in capsys.readouterr().out
    data.write_text("{\n[]\n")
    assert __main__.main(["check", str(data)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[2] for line in lines] == ["1", "2"]
