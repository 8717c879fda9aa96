"""The page in a real browser: choices by click, options, comparison, download."""

import json
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

import ssc.page.session
from tests.fake_pipeline import SCENE, scene_candidates
from tests.page.browser import (
    PHOTO,
    WAIT,
    answered,
    ask,
    bars,
    expect,
    pictures,
    screenshot,
    segment,
    upload,
)
from train.data import open_dataset


def click_on(page, index):
    """Clicks in the middle of a candidate."""
    drawn = page.locator("#candidates img")
    box = drawn.bounding_box()
    x0, y0, x1, y1 = scene_candidates(240, 320).boxes[index].tolist()  # at pixels of 320×240
    drawn.click(
        position={
            "x": (x0 + x1) / 2 / 320 * box["width"],
            "y": (y0 + y1) / 2 / 240 * box["height"],
        }
    )


def click_at_once(page, *indices):
    """Clicks that all are made before the first is answered."""
    page.locator("#candidates img").evaluate(
        """(drawn, places) => {
            const {left, top, width, height} = drawn.getBoundingClientRect();
            for (const [x, y] of places) drawn.dispatchEvent(new MouseEvent("click", {
                bubbles: true, clientX: left + x * width, clientY: top + y * height}));
        }""",
        [
            [(x0 + x1) / 2 / 320, (y0 + y1) / 2 / 240]
            for x0, y0, x1, y1 in scene_candidates(240, 320).boxes[list(indices)].tolist()
        ],
    )


def test_a_click_on_the_picture_chooses_and_can_be_taken_back(open_page):
    page = answered(open_page)
    click_on(page, 1)
    expect(page.locator("#words")).to_contain_text("candidate 2 of 3, your choice.", timeout=WAIT)
    expect(page.locator("#words")).to_contain_text("S+S and S+S+C overlap")
    assert page.locator("#answers .caption-label").first.inner_text() == "Your choice · candidate 2"
    assert bars(page, "scores")[1].split()[:2] == ["2", "yours"]
    screenshot(page, "override")
    page.click("#undo")
    expect(page.locator("#words")).not_to_contain_text("your choice")
    expect(page.locator("#undo")).not_to_be_visible()


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("set", 1280, "light"), ("set-dark", 1280, "dark"), ("set-phone", 390, "light")],
)
def test_a_set_is_numbered_and_a_click_takes_one_out_or_adds_it(open_page, name, width, scheme):
    page = open_page(width, scheme)
    page.click("#options button")
    page.check("#several input")
    upload(page, PHOTO)
    ask(page, "both laptops")
    expect(pictures(page, "sides")).to_have_count(2)
    words, caption = page.locator("#words"), page.locator("#answers .caption-label").first
    expect(words).to_contain_text("The answer is candidates 1 and 2 of 3.")
    expect(words).to_contain_text("how many 2 laptops")
    expect(words).to_contain_text("S+S+C, which answers one object, chose candidate 2.")
    sides = page.locator("#sides .caption-label").all_inner_texts()
    assert sides == ["S+S · candidates 1, 2", "S+S+C · candidate 2"]
    expect(caption).to_have_text("Answer · candidates 1, 2")
    assert [" chosen " in row for row in sorted(bars(page, "scores"))] == [True, True, False]
    screenshot(page, name)
    click_on(page, 0)
    expect(words).to_contain_text("The answer is candidate 2 of 3, your choice.")
    click_on(page, 2)
    expect(words).to_contain_text("The answer is candidates 2 and 3 of 3, your choice.")
    expect(caption).to_have_text("Your choice · candidates 2, 3")
    page.click("#undo")
    expect(words).to_contain_text("The answer is candidates 1 and 2 of 3.")
    click_at_once(page, 2, 0, 1)
    expect(words).to_contain_text("The answer is candidate 3 of 3, your choice.")


def test_a_click_beside_all_candidates_says_so(open_page):
    page = answered(open_page)
    page.locator("#candidates img").click(position={"x": 4, "y": 4})
    expect(page.locator(".toast-body")).to_contain_text("no candidate at that place", timeout=WAIT)


def test_a_visual_prompt_is_chosen_by_keyboard(open_page):
    page = answered(open_page)
    page.locator("#prompts button.thumbnail-lg").nth(0).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#words")).to_contain_text("candidate 3 of 3, your choice.", timeout=WAIT)


def test_threshold_moves_the_mask_without_the_model(open_page, pipeline):
    page = answered(open_page, "all of it")
    expect(page.locator("#words")).to_contain_text("a region that is none of the candidates")
    calls = len(pipeline.correct.corrector.calls)
    page.fill("#threshold input[type=number]", "0.9")
    page.locator("#threshold input[type=number]").press("Tab")
    expect(page.locator("#words")).to_contain_text("S+S+C found nothing", timeout=WAIT)
    assert len(pipeline.correct.corrector.calls) == calls


def test_slider_shows_both(open_page):
    page = answered(open_page)
    page.get_by_role("tab", name="Slider").click()
    expect(page.locator("#slider img")).to_have_count(2)
    screenshot(page, "slider")


def test_download_is_what_the_endpoint_says_with_the_override(open_page, url, tmp_path):
    page = answered(open_page)
    page.locator("#prompts button.thumbnail-lg").nth(0).click()
    expect(page.locator("#words")).to_contain_text("candidate 3 of 3, your choice.", timeout=WAIT)
    with page.expect_download() as download:
        page.click("#take")
    assert download.value.suggested_filename == f"{SCENE}.zip"
    download.value.save_as(tmp_path / "all.zip")
    [record] = segment(url, "left laptop")["results"]
    with ZipFile(tmp_path / "all.zip") as archive:
        [taken] = json.loads(archive.read("result.json"))["results"]
        corrected = Image.open(BytesIO(archive.read(f"{SCENE}.corrected.mask.png")))
        mask = Image.open(BytesIO(archive.read(f"{SCENE}.mask.png")))
        assert mask.size == (320, 240)
    assert (taken["override"], taken["selected"]) == ([3], record["selected"])
    assert np.array_equal(np.array(corrected) > 0, coco.decode(record["corrected"]["mask"]) > 0)
    assert np.array_equal(np.array(mask) > 0, coco.decode(record["candidates"][2]["mask"]) > 0)
    choose(page, "Take it away as", "COCO")
    with page.expect_download() as download:
        page.click("#take")
    assert download.value.suggested_filename == f"{SCENE}-coco.zip"
    download.value.save_as(tmp_path / "coco.zip")
    with ZipFile(tmp_path / "coco.zip") as archive:
        archive.extractall(tmp_path)
    [thing] = open_dataset(f"coco:{tmp_path / 'coco' / 'annotations.json'}")[0].objects
    assert thing.expressions == ("left laptop",)
    assert np.array_equal(thing.mask, np.array(mask) > 0)


def choose(page, dropdown, title):
    page.get_by_label(dropdown, exact=True).click()
    page.get_by_role("option", name=title, exact=True).click()


def test_options_work(open_page):
    page = open_page()
    page.click("#options button")
    page.get_by_label("matching").first.check()
    choose(page, "Stage 3", "off")
    upload(page, PHOTO)
    page.fill("#expressions textarea", "left laptop\nleft laptop")
    page.click("#run")
    expect(page.locator("#words")).to_contain_text("by matching, as candidate", timeout=WAIT)
    expect(pictures(page, "answers")).to_have_count(2)  # S+S alone, of two objects
    expect(page.locator("#heat img")).to_have_count(0)
    screenshot(page, "options")


def test_compare(open_page):
    page = open_page()
    upload(page, PHOTO)
    page.fill("#expressions textarea", "left laptop")
    page.click("#compare-panel > button")
    page.locator("#models-of-b").get_by_label("paper").check()
    page.click("#compare")
    expect(pictures(page, "compared-a")).to_have_count(3, timeout=WAIT)
    expect(pictures(page, "compared-b")).to_have_count(1)
    expect(page.locator("#between")).to_contain_text(
        "the answers of A and B overlap with an IoU of 0.00, S+S with 1.00."
    )
    screenshot(page, "compare")


def test_stage_1_has_options(open_page):
    page = open_page()
    page.click("#options button")
    upload(page, PHOTO)
    page.fill("#vocabulary textarea", "laptop, TV")
    ask(page, "left laptop")
    expect(page.locator("#words")).to_contain_text(
        "class laptop (similarity 0.93; next tv 0.71)", timeout=WAIT
    )
    expect(page.locator("#words")).to_contain_text("overlap", timeout=WAIT)  # the last stage
    page.uncheck("#project input")
    page.click("#run")
    expect(page.locator("#words")).to_contain_text("laptop, not projected to a class", timeout=WAIT)
    expect(page.locator("#words")).to_contain_text("overlap", timeout=WAIT)
    page.fill("#vocabulary textarea", "laptop\nunicorn")
    page.click("#run")
    expect(page.locator(".toast-body")).to_contain_text("80 classes, got unicorn", timeout=WAIT)


def test_a_model_set_without_weights_says_what_to_do(open_page):
    page = open_page()
    page.click("#options button")
    sets = page.locator("#models")
    expect(page.locator("#text_threshold")).not_to_be_visible()
    sets.get_by_label("base").check()
    expect(page.locator("#options")).to_contain_text("models --download base", timeout=WAIT)
    upload(page, PHOTO)
    ask(page, "left laptop")
    expect(page.locator(".toast-body")).to_contain_text("models --download base", timeout=WAIT)
    screenshot(page, "missing-weights")
    sets.get_by_label("paper").check()
    expect(page.locator("#options")).to_contain_text("with patience", timeout=WAIT)
    expect(page.locator("#text_threshold")).to_be_visible()


def test_the_note_on_photographs_can_be_dismissed(open_page, monkeypatch):
    monkeypatch.setattr(ssc.page.session, "is_unknown", lambda detector, image: True)
    page = answered(open_page)
    note = page.locator(".note")
    expect(note).to_contain_text("looks like a photograph")
    expect(note).to_contain_text("not meaningful. Let networks for photographs answer:")
    captions = page.locator("#answers .caption-label").all_inner_texts()
    assert captions == ["Answer (not sure) · candidate 1 · not meaningful"]
    expect(page.locator("#get-paper")).to_have_text("Answer with paper")
    expect(page.locator("#get-base")).to_contain_text("Get base (2.3 GB)")
    expect(page.locator("#get-pocket")).not_to_be_visible()  # which this page does not offer
    assert page.locator(".toast-body").count() == 0  # no error
    screenshot(page, "photograph")
    page.get_by_role("button", name="Dismiss this note").press("Enter")
    expect(note).to_have_count(0)


def test_no_note_on_what_is_known(open_page):
    assert answered(open_page).locator(".note").count() == 0
