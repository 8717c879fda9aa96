"""`python -m ssc` on folders: all pictures are done or named, whatever becomes of one."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ssc.__main__ import main
from ssc.batch import ask_all, is_done
from ssc.images import FORMATS, load_image, suffixes
from ssc.pipeline import Pipeline
from ssc.writing import LONGEST, safe_stem, unique_stems
from tests.fake_pipeline import SCENE, SCENES, fake_pipeline

PHOTO = SCENES / f"{SCENE}.jpg"


OBJECTS = [["left laptop", "laptop at the left"], ["cup"]]


@pytest.fixture
def run(tmp_path, capsys):
    def call(*argv, pipeline=None):
        out = ["--out", str(tmp_path / "out")]
        load = lambda name, correct: pipeline or fake_pipeline()  # noqa: E731
        code = main([*map(str, argv), "left laptop", *out], load)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(PHOTO, folder / "a.jpg")
    return folder


@pytest.mark.long
def test_case_2_all_that_opens_is_done_and_the_rest_is_named(run, photos, tmp_path):
    image = Image.open(PHOTO).convert("RGB")
    names = []
    for end in sorted(suffixes() - {".pfm"}):
        image.convert("L" if end in (".pgm", ".pbm") else "RGB").save(photos / f"of{end}")
        load_image(photos / f"of{end}")
        names.append(f"of{end}")
    assert {".jfif", ".jp2", ".tif", ".avif", ".bmp"} <= suffixes()
    for name in ("IMG_1.HEIC", "notes.txt", ".hidden"):
        (photos / name).write_bytes(b"x")
    (photos / "more.jpg").mkdir()  # a folder, and not looked into
    code, _, err = run(photos)
    assert code == 0
    assert "passed over, as no pictures: 2 files and 1 folders, IMG_1.HEIC, more.jpg/, notes" in err
    assert len(list((tmp_path / "out").iterdir())) == len(names) + 1


def test_a_folder_without_pictures_names_what_it_has(run, photos):
    (photos / "a.jpg").rename(photos / "a.heic")
    code, _, err = run(photos)
    assert code == 2
    assert "found no picture among 1 files, a.heic" in err


@pytest.mark.long
def test_case_3_names_too_long_odd_or_equal(run, photos, tmp_path):
    names = ["长" * 80 + ".jpg", "长" * 80 + ".png", "A.jpg", "a?.jpg", "a*.jpg", "con.jpg"]
    for name in names:
        Image.open(PHOTO).save(photos / name)
    code, _, err = run(photos)
    assert (code, "error" in err) == (0, False)
    written = list((tmp_path / "out").glob("*/result.json"))
    assert len(written) == len(names) + 1
    true = {json.loads(path.read_text())["results"][0]["image"] for path in written}
    assert true == {*names, "a.jpg"}
    assert all(len(path.parent.name.encode()) <= LONGEST for path in written)
    code, _, _ = run(photos / names[0])
    assert code == 0


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_not_utf_8(run, photos, tmp_path):
    name = os.fsencode(photos) + b"/\xe9.jpg"
    shutil.copy(PHOTO, name)
    code, _, _ = run(photos)
    assert code == 0
    assert (tmp_path / "out" / "_" / "result.json").is_file()


def test_stems_are_safe_and_differ():
    names = ["x" * 300, "x" * 301, "a/b", "a:b", ".", "  ", "nul", "Nul.txt", "\udce9", "ok"]
    stems = [safe_stem(name) for name in names]
    assert len(set(stems)) >= len(names) - 3
    assert all(stem and len(stem.encode()) <= LONGEST and "/" not in stem for stem in stems)
    assert all(stem == stem.rstrip(". ") and stem.casefold() != "nul" for stem in stems)
    paths = [Path(f"{'长' * 80}.{end}") for end in ("png", "jpg", "gif")]
    assert len(set(unique_stems(paths))) == 3
    composed, apart = "\u00e9.png", "e\u0301.PNG"  # one name, where a file system knows Unicode
    assert unique_stems([Path(composed), Path(apart)]) == ["\u00e9", "e\u0301.PNG"]


@pytest.mark.parametrize("error", [ZeroDivisionError("no side"), OSError(5, "of a disk"), KeyError])
def test_case_1_a_failure_of_any_kind_ends_its_picture_only(run, photos, tmp_path, error):
    shutil.copy(PHOTO, photos / "b.jpg")
    shutil.copy(PHOTO, photos / "c.jpg")
    whole = fake_pipeline()
    calls = []

    class Fails(Pipeline):
        def __call__(self, picture, objects):
            calls.append(picture)
            if len(calls) == 2:
                raise error
            return super().__call__(picture, objects)

        def with_options(self, **options):
            return self

    code, _, err = run(photos, pipeline=Fails(whole.segment, whole.select, whole.correct))
    assert code == 1
    kind = (error if isinstance(error, type) else type(error)).__name__
    assert f"error: {photos / 'b.jpg'}: {kind}" in err
    assert err.endswith("error: 1 of 3 images failed\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "c"]


def test_case_26_an_address_is_told_as_it_was_typed(run):
    code, _, err = run("https://example.com/a.jpg")
    assert code == 2
    assert err.startswith("error: https://example.com/a.jpg: expected a picture")
    assert "download it first" in err


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/x"])
def test_case_23_the_output_is_tried_before_the_models_are_loaded(tmp_path, capsys, out):
    (tmp_path / "file").write_text("mine")
    loaded = []
    code = main(
        [str(PHOTO), "left laptop", "--out", str(tmp_path / out)],
        lambda *_, **__: loaded.append(1),
    )
    err = capsys.readouterr().err
    assert (code, loaded) == (2, [])
    assert err.startswith(f"error: {tmp_path / out}: ")
    assert "--out" in err
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_formats_are_one_list():
    assert all(load_image.__doc__ and name for name in FORMATS.split())
    assert ".heic" not in suffixes()
    assert ".txt" not in suffixes()


def test_resume_does_only_what_is_left(run, photos, tmp_path):
    shutil.copy(PHOTO, photos / "b.jpg")
    assert run(photos)[0] == 0
    first, second = (tmp_path / "out" / stem / "result.json" for stem in "ab")
    was = first.stat().st_mtime_ns
    second.unlink()  # as where a run was killed while it wrote
    code, out, err = run(photos, "--resume")
    assert (code, "a.jpg" in out, "b.jpg" in out) == (0, False, True)
    assert "note: 1 of 2 are done" in err
    assert (first.stat().st_mtime_ns, second.exists()) == (was, True)


def test_resume_passes_over_answers_to_the_same_question_alone(photos, tmp_path):
    [query] = ask_all([photos / "a.jpg"], OBJECTS)
    result = tmp_path / query.stem / "result.json"
    result.parent.mkdir()
    rows = [{"image": "a.jpg", "expressions": list(own)} for own in OBJECTS]
    result.write_text(json.dumps({"results": rows}))
    assert is_done(query, tmp_path, OBJECTS)
    assert not is_done(query, tmp_path, OBJECTS[:1])
    assert not is_done(query, tmp_path, [*OBJECTS[:1], ["another"]])
    result.write_text(json.dumps({"results": [row | {"image": "a.png"} for row in rows]}))
    assert not is_done(query, tmp_path, OBJECTS)
    result.write_text("{")
    assert not is_done(query, tmp_path, OBJECTS)
