"""What is written can be read back, and is never half there."""

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from ssc.draw import colour_of, draw_mask
from ssc.export import VERSION, result_record, write_result, zip_result
from ssc.writing import unique_stems
from tests.fake_pipeline import fake_pipeline, scene_image


@pytest.fixture(scope="module")
def scene():
    image = scene_image()
    objects = ["the left laptop", ["right laptop", "laptop at the right"], "a unicorn"]
    return image, fake_pipeline()(image, objects)


def decode(rle):
    return coco.decode({**rle, "counts": rle["counts"].encode()}).astype(bool)


def test_nothing_found_is_a_record_too(scene):
    image, results = scene
    record = json.loads(json.dumps(result_record("x.png", image, results[2])))
    assert record["candidates"] == []
    assert (record["candidate"], record["selected"]["candidate"]) == (None, None)
    assert not decode(record["mask"]).any()
    assert record["nearest"] == [{"class": "laptop", "similarity": 0.2}]
    assert record["message"].startswith("No horse found")


def test_record_holds_everything(scene):
    image, results = scene
    record = json.loads(json.dumps(result_record("x.png", image, results[1])))
    assert (record["image"], record["height"], record["width"]) == ("x.png", 240, 320)
    assert record["expressions"] == ["right laptop", "laptop at the right"]
    assert record["matches"][0]["class"] == "laptop"
    assert record["matches"][0]["runners_up"][0] == {"class": "tv", "similarity": 0.71}
    assert [c["number"] for c in record["candidates"]] == [1, 2, 3]
    assert np.array_equal(decode(record["mask"]), results[1].mask)
    for candidate, mask in zip(record["candidates"], results[1].candidates.masks):
        assert np.array_equal(decode(candidate["mask"]), mask)
    best = max(record["candidates"], key=lambda c: c["clip_score"])
    assert record["selected"]["candidate"] == best["number"]
    assert (record["selected"]["rule"], record["override"]) == ("argmax", None)
    assert (record["candidate"], record["by"]) == (results[1].joint.number, "S+S and S+S+C")
    answer = f"The answer ({record['sure']}) is candidate {record['candidate']} of 3"
    assert answer in record["message"]
    correction = results[1].correction
    assert np.array_equal(decode(record["corrected"]["mask"]), correction.mask)
    assert record["corrected"]["snapped"] == correction.snapped_index + 1
    assert record["corrected"]["joint"] == results[1].joint.index + 1
    assert record["corrected"]["threshold"] == correction.threshold
    assert record["corrected"]["disagrees"] == results[1].disagrees
    ious = [c["corrected_iou"] for c in record["candidates"]]
    assert ious == pytest.approx(correction.ious.tolist())
    assert set(record["seconds"]) == set(results[1].timings)
    assert record["versions"]["ssc"]


def test_before_selection(scene):
    image, _ = scene
    [first] = next(fake_pipeline().stream(image, ["laptop"]))
    record = result_record("x.png", image, first)
    assert (record["candidate"], record["by"]) == (None, "nothing yet")
    assert record["candidates"][0]["clip_score"] is None
    assert record["candidates"][0]["guided_score"] is None
    assert record["selected"] is None
    assert record["corrected"] is None


def test_an_override_is_marked_and_is_the_mask(scene):
    image, results = scene
    other = (results[0].index + 1) % 3
    record = result_record("x.png", image, results[0].with_override(other))
    assert record["override"] == record["members"] == [other + 1]
    assert record["candidate"] == other + 1
    assert record["by"] == "your choice"
    assert record["selected"]["candidate"] == results[0].selection.index + 1
    assert np.array_equal(decode(record["mask"]), results[0].candidates.masks[other])


def named(kind, drawn="jpg"):
    return f"x.{kind}.{drawn if kind.endswith(('overlay', 'candidates')) else 'png'}"


def test_files_of_one_object(scene, tmp_path):
    image, results = scene
    folder = tmp_path / "new" / "folder"
    written = write_result(folder, "x", image, results[:1], "x.png")
    kinds = ["overlay", "mask", "cutout", "candidates"]
    kinds += ["selected.overlay", "selected.mask", "corrected.overlay", "corrected.mask"]
    kinds += ["probability"]
    names = [*map(named, kinds), "result.json"]
    assert [path.name for path in written] == names
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)  # nothing temporary is left
    with Image.open(folder / "x.mask.png") as mask:
        assert mask.mode == "L"
        assert np.array_equal(np.array(mask), results[0].mask * np.uint8(255))
    with Image.open(folder / "x.overlay.jpg") as overlay:
        assert overlay.size == (320, 240)
    cutout = np.array(Image.open(folder / "x.cutout.png"))
    assert np.array_equal(cutout[..., 3] > 0, results[0].mask)
    assert np.array_equal(cutout[..., :3], image * results[0].mask[..., None])
    correction = results[0].correction
    corrected = np.array(Image.open(folder / "x.corrected.mask.png"))
    assert np.array_equal(corrected > 0, correction.mask)
    selected = np.array(Image.open(folder / "x.selected.mask.png"))
    assert np.array_equal(selected > 0, results[0].selected.mask)
    probability = np.array(Image.open(folder / "x.probability.png")) / 255
    assert probability == pytest.approx(correction.probability, abs=0.002)
    document = json.loads((folder / "result.json").read_text())
    assert (document["version"], len(document["results"])) == (VERSION, 1)


def test_overlays_without_loss_where_they_are_asked_for(scene, tmp_path):
    image, results = scene
    written = write_result(tmp_path, "x", image, results[:1], "x.png", lossless=True)
    assert [path.name for path in written][:2] == [named("overlay", "png"), "x.mask.png"]
    expected = draw_mask(image, results[0].mask, color=colour_of(results[0].index))
    assert np.array_equal(np.array(Image.open(tmp_path / "x.overlay.png")), expected)


def test_without_stage_3_there_are_no_files_of_it(scene, tmp_path):
    image, _ = scene
    results = fake_pipeline(correct=False)(image, ["laptop"])
    written = write_result(tmp_path, "x", image, results, "x.png")
    kinds = ["overlay", "mask", "cutout", "candidates"]
    assert [path.name for path in written] == [*map(named, kinds), "result.json"]


def test_the_zip_holds_the_same_files(scene, tmp_path):
    image, results = scene
    written = write_result(tmp_path, "x", image, results, "x.png")
    with ZipFile(BytesIO(zip_result("x", image, results, "x.png"))) as archive:
        assert archive.namelist() == [path.name for path in written]
        assert all(archive.read(path.name) == path.read_bytes() for path in written)


def test_files_of_several_objects(scene, tmp_path):
    image, results = scene
    write_result(tmp_path, "x", image, results, "x.png")
    for number, result in enumerate(results, 1):
        mask = np.array(Image.open(tmp_path / f"x.{number}.mask.png"))
        assert np.array_equal(mask > 0, result.mask)
    assert len(json.loads((tmp_path / "result.json").read_text())["results"]) == 3


def test_a_failed_write_leaves_the_old_file_and_no_other(scene, tmp_path, monkeypatch):
    image, results = scene
    (tmp_path / "x.overlay.jpg").write_bytes(b"old")

    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_result(tmp_path, "x", image, results[:1], "x.png")
    assert [p.name for p in tmp_path.iterdir()] == ["x.overlay.jpg"]
    assert (tmp_path / "x.overlay.jpg").read_bytes() == b"old"


def test_a_file_name_that_is_not_utf8_is_written(scene, tmp_path):
    image, results = scene
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_result(tmp_path, "x", image, results[:1], name)
    assert json.loads((tmp_path / "result.json").read_text())["results"][0]["image"] == name


def test_stems_are_unique():
    paths = [Path(p) for p in ("a/dog.png", "a/dog.jpg", "b/dog.jpg", "b/Dog.JPG", "cat.png")]
    assert unique_stems(paths) == ["dog", "dog.jpg", "dog.jpg-2", "Dog.JPG-3", "cat"]
    assert unique_stems([]) == []
