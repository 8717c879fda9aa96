"""Many pictures and trainings on the workbench, in a real browser, with a server that is killed."""

import json
import shutil
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from tests.fake_pipeline import SCENE, SCENES
from tests.page.bench_server import Server, assert_accessible, screenshot, window
from tests.train.slice_pictures import pictures
from tests.train.toy_bench import write
from train.data import open_dataset
from train.data.export import export

pytestmark = [pytest.mark.process, pytest.mark.long]
LONG = 400_000  # ms; a training on machines that are busy
QUICK = "--steps 4 --batch 2 --save-every 1 --eval-every 2 --precision no --measure 2"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write(tmp_path_factory.mktemp("workbench"), count=2)


@pytest.fixture(scope="module")
def server(place):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = Server(place, port).start()
    yield own
    own.kill()


def test_many_pictures_with_a_kill_on_the_way(browser, server, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(12):
        shutil.copy(SCENES / f"{SCENE}.jpg", photos / f"{number:02}.jpg")
    (photos / "broken.jpg").write_bytes(b"x")
    with window(browser, f"{server.url}folder", first="#models option") as page:
        page.set_input_files("#files", sorted(photos.iterdir()))
        page.click("#begin")
        expect(page.locator("#message")).to_contain_text("Write what to look for")
        page.fill("#expressions", "left laptop")
        page.click("#begin")
        page.wait_for_selector("#rows img")
        server.kill()
        expect(page.locator("#message")).to_contain_text("does not answer", timeout=60_000)
        server.start()
        expect(page.locator("#progress")).to_contain_text("13 of 13 · done", timeout=120_000)
        expect(page.locator("#rows tbody tr")).to_have_count(13)
        expect(page.locator("#rows tbody tr").first).to_contain_text("expected a picture")
        expect(page.locator("#message")).to_be_empty()
        page.select_option("#form", "coco")
        with page.expect_download() as download:
            page.click("#take")
        download.value.save_as(tmp_path / "coco.zip")
        job = page.locator("#name").inner_text()
        assert_accessible(page, 1280)
        screenshot(page, "folder")
    with ZipFile(tmp_path / "coco.zip") as packed:
        packed.extractall(tmp_path)
    data = open_dataset(f"coco:{tmp_path / 'coco' / 'annotations.json'}")
    assert [len(data[k].objects) for k in range(len(data))] == [1] * 12
    for name, width, scheme in (("folder-phone", 390, "light"), ("folder-dark", 1280, "dark")):
        at = f"{server.url}folder#{job}"
        with window(browser, at, width, scheme, first="#rows img") as page:
            assert_accessible(page, width)
            screenshot(page, name)


def test_a_training_from_its_form_to_the_list_of_checkpoints(browser, server, place):
    scenes = list(pictures(6))
    train = export(scenes[:4], place.parent / "train.jsonl")
    val = export(scenes[4:], place.parent / "val.jsonl", masks=True)
    with window(browser, f"{server.url}train", first="#recipe option") as page:
        page.fill("#name", "first")
        page.fill("#data", str(place / "none.jsonl"))
        page.fill("#more", QUICK)
        page.fill("#val", str(val))
        page.select_option("#recipe", "tune")
        page.click("#begin")
        expect(page.locator("#error")).to_contain_text("none.jsonl", timeout=LONG)
        expect(page.locator("#now")).to_have_text("failed")
        page.fill("#data", str(train))
        page.fill("#name", "second")
        page.click("#begin")
        expect(page.locator("#now")).to_have_text("running")
        expect(page.locator("#step")).to_contain_text("Step 1 of 5", timeout=LONG)
        page.click("#stop")
        expect(page.locator("#now")).to_have_text("stopped", timeout=LONG)
        page.click("#go-on")
        expect(page.locator("#now")).to_have_text("running")
        server.kill()  # the training goes on
        server.start()
        expect(page.locator("#now")).to_have_text("done", timeout=LONG)
        expect(page.locator("#curves svg")).to_be_visible(timeout=60_000)
        expect(page.locator("#verdict li")).to_contain_text("S+S+C reaches")
        expect(page.locator("#measured tbody")).to_contain_text("Start")
        expect(page.locator("#sides .sides")).to_have_count(2, timeout=120_000)
        expect(page.locator("#sides figcaption")).to_have_text(["S+S", "start", "S+S+C"] * 2)
        assert_accessible(page, 1280)
        screenshot(page, "train")
        page.goto(f"{server.url}folder")
        page.wait_for_selector("#correct option", state="attached")
        page.select_option("#correct", "second")
        page.fill("#expressions", "left laptop")
        page.fill("#source", str(SCENES / f"{SCENE}.jpg"))
        page.click("#begin")
        expect(page.locator("#progress")).to_contain_text("1 of 1 · done", timeout=60_000)
    home = place.parent / "home"
    [record] = json.loads(
        next((home / "folders").glob(f"*/results/{SCENE}/result.json")).read_text()
    )["results"]
    assert record["corrected"] is not None
    assert (home / "second" / "checkpoint" / "model.safetensors").exists()
    for name, width, scheme in (("train-phone", 390, "light"), ("train-dark", 1280, "dark")):
        at = f"{server.url}train#second"
        with window(browser, at, width, scheme, first="#sides img") as page:
            page.wait_for_selector("#curves svg")
            assert_accessible(page, width)
            screenshot(page, name)
