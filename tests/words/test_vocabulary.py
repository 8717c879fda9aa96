"""COCO's names, a user's own, and the list of everyday nouns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ssc.errors import InputError
from ssc.words.vocabulary import COCO_80, load_vocabulary
from train.evaluate.__main__ import NOUNS

EVERYDAY = json.loads(NOUNS.read_text())


def test_coco_names():
    assert len(COCO_80) == len(set(COCO_80)) == 80
    assert COCO_80[0] == "person"
    assert COCO_80[39] == "bottle"
    assert COCO_80[-1] == "toothbrush"


def test_everyday_nouns_cover_every_class():
    assert len(EVERYDAY) >= 180
    assert set(EVERYDAY.values()) == set(COCO_80)
    assert all(EVERYDAY[name] == name for name in COCO_80)


def test_a_file_is_cleaned(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_bytes("\ufeffdog\r\n\r\n  traffic   light \nDog\ncafé\n".encode())
    expected = ("dog", "traffic light", "café")
    assert load_vocabulary(path) == load_vocabulary(str(path)) == expected


def test_words_are_cleaned():
    assert load_vocabulary([" dog ", "", "dog", "cat"]) == ("dog", "cat")
    assert load_vocabulary(COCO_80) == COCO_80
    assert len(load_vocabulary([f"class {i}" for i in range(1000)])) == 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "at least one class name, got none"),
        (["", "  "], "at least one class name, got none"),
        (["dog", "x" * 101], "line 2: expected a class name of at most 100 characters, got 101"),
        ([f"class {i}" for i in range(1001)], "line 1001: expected at most 1000 classes"),
        (["dog", 3], "line 2: expected text, got int"),
    ],
)
def test_bad_words(words: Sequence[str], message: str):
    with pytest.raises(InputError, match=message):
        load_vocabulary(words)


def test_bad_files_are_named_with_the_line(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_text("dog\n\n" + "x" * 101)
    with pytest.raises(InputError, match=r"classes\.txt, line 3: expected a class name"):
        load_vocabulary(path)
    path.write_text("\n \n")
    with pytest.raises(InputError, match=r"classes\.txt: expected at least one class name"):
        load_vocabulary(path)
    path.write_bytes(b"\xff\xfe\x00dog")
    with pytest.raises(InputError, match=r"classes\.txt: expected a UTF-8 text file"):
        load_vocabulary(path)
    for bad in (tmp_path, tmp_path / "nowhere.txt", "a\0b"):
        with pytest.raises(InputError, match="expected a UTF-8 text file"):
            load_vocabulary(bad)
