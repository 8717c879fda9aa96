"""Tables as people have them: spreadsheets' CSV, a JSON list, a folder."""

import json

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from train.data import notes, open_dataset
from train.data.files import Files, InvalidData

ROWS = [["image", "expression", "box"], ["ä.png", "ein Hund, links", "1 2 3 4"], ["b.png", "x", ""]]


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(notes, "_SAID", set())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("ä.png", "b.png", "sub/c.png"):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def table(separator, end="\n", rows=ROWS):
    quoted = [[f'"{cell}"' if separator in cell else cell for cell in row] for row in rows]
    return end.join(separator.join(row) for row in quoted) + end


SAVED = {
    "plain": (table(",").encode(), ""),
    "CRLF": (table(",", "\r\n").encode(), ""),
    "CR": (table(",", "\r").encode(), ""),
    "sep= and CR": (b"sep=;\r" + table(";", "\r").encode(), "separated by semicolons"),
    "a BOM": (table(",").encode("utf-8-sig"), ""),
    "semicolons": (table(";").encode(), "separated by semicolons"),
    "tabs": (table("\t").encode(), "separated by tabs"),
    "cp1252": (table(",").encode("cp1252"), "in cp1252"),
    "UTF-16": (table("\t", "\r\n").encode("utf-16"), "separated by tabs, in UTF-16"),
    "sep=": (b"sep=;\r\n" + table(";").encode(), "separated by semicolons"),
    "capitals": (table(",").replace("image", " Image").encode(), "for image"),
    "empty columns": ("".join(f"{x},,\n" for x in table(",").splitlines()).encode(), "for image"),
    "empty rows": (table(",").encode() + b",,\n\n , ,\n", ""),
    "rows cut short": (table(",").replace("x,\n", "x\n").encode(), ""),
}


@pytest.mark.parametrize("how", SAVED)
def test_csv_as_spreadsheets_save_it(folder, capsys, how):
    content, said = SAVED[how]
    (folder / "data.csv").write_bytes(content)
    data = open_dataset(str(folder / "data.csv"))
    assert [data.picture_name(k) for k in range(len(data))] == ["ä.png", "b.png"]
    [dog] = data[0].objects
    assert (dog.expressions, dog.box.tolist()) == (("ein Hund, links",), [1, 2, 3, 4])
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == bool(said)
    Files(folder / "data.csv")
    assert capsys.readouterr().err == ""  # a guess is said once


def test_lines_are_counted_behind_a_hint(folder):
    (folder / "data.csv").write_text("sep=;\nimage;expression\nb.png;x\nb.png\n")
    with pytest.raises(InvalidData, match=r"data\.csv:4: expected a cell for each column"):
        Files(folder / "data.csv")


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_backslashes_in_paths(folder, capsys, form):
    rows = [{"image": "sub\\c.png", "objects": [["x"]]}, {"image": "b.png", "objects": [["x"]]}]
    text = {
        "csv": "image,expression\nsub\\c.png,x\nb.png,x\n",
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "json": json.dumps(rows),
    }
    (folder / f"data.{form}").write_text(text[form])
    data = Files(folder / f"data.{form}")
    assert all(data[k].image.shape == (20, 30, 3) for k in range(2))
    assert capsys.readouterr().err.count("backslashes in paths are read as slashes") == 1


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_a_json_list_is_its_lines(folder, indent, name):
    rows = [{"image": f"{k}.png", "objects": [["x"], ["y"]]} for k in range(3)]
    (folder / name).write_text(json.dumps(rows, indent=indent))
    data = open_dataset(str(folder / name))
    assert [data.picture_name(k) for k in range(3)] == ["0.png", "1.png", "2.png"]
    (folder / name).write_text(json.dumps([*rows, {"image": "a", "objects": 3}], indent=indent))
    line = 1 if indent is None else (folder / name).read_text().split('"a"')[0].count("\n")
    with pytest.raises(InvalidData, match=rf"{name}:{line}, objects: expected a list"):
        Files(folder / name)
    (folder / name).write_text(json.dumps([*rows, rows[1]]))
    with pytest.raises(InvalidData, match="expected each picture once"):
        Files(folder / name)


@pytest.mark.parametrize("text", ["[", "[1", "[{}", "[{},]", '[{"image": 1} {}]', "[] []", "[]x"])
def test_a_broken_json_list_is_refused_with_its_line(folder, text):
    (folder / "data.json").write_text(f"\n{text}")
    with pytest.raises(InvalidData, match=r"data\.json:2"):
        Files(folder / "data.json")


def test_a_folder_stands_for_its_table(folder, capsys):
    with pytest.raises(InputError, match=r"expected a folder with one table .* got none"):
        open_dataset(str(folder))
    (folder / "data.csv").write_text(table(","))
    assert len(open_dataset(str(folder))) == 2
    assert "its table is data.csv" in capsys.readouterr().err
    (folder / "other.json").write_text("[]")
    with pytest.raises(InputError, match=r"got data\.csv, other\.json; name the file"):
        open_dataset(str(folder))


def test_a_file_that_is_no_text(folder):
    (folder / "data.csv").write_bytes(b"image,expression\n\x81\x8d,x\n")
    with pytest.raises(InvalidData, match="expected text in UTF-8"):
        Files(folder / "data.csv")
