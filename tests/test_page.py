"""The page in a real browser, over a pipeline without weights; screenshots in screenshots/."""

import json
import shutil
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import numpy as np
import pytest
from fake_pipeline import SCENE, SCENES, fake_pipeline, scene_candidates
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from pycocotools import mask as coco

import demo_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip(
        "THE PAGE IS NOT TESTED: no chromium on this machine (Debian: apt-get install chromium)",
        allow_module_level=True,
    )
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="THE PAGE IS NOT TESTED: pip install playwright"
)
expect = sync_api.expect

ROOT = Path(__file__).parents[1]
PHOTO = SCENES / f"{SCENE}.jpg"
WAIT = 60_000  # ms; for machines that are busy


class Gate:
    """A Select that waits until it is let through."""

    def __init__(self, select, opened=None):
        self.select, self.open = select, opened or threading.Event()
        if opened is None:
            self.open.set()
        self.prompt, self.sigma, self.rule = select.prompt, select.sigma, select.rule

    def varied(self, *settings):
        return Gate(self.select.varied(*settings), self.open)

    def __call__(self, image, results):
        assert self.open.wait(60)
        return self.select(image, results)


@pytest.fixture(scope="module")
def pipeline():
    import ssc.correct.matching  # noqa: F401 (torch, which takes seconds at its first use)

    pipeline = fake_pipeline()
    pipeline.select = Gate(pipeline.select)
    return pipeline


@pytest.fixture
def gate(pipeline):
    return pipeline.select


@pytest.fixture(scope="module")
def url(pipeline, tmp_path_factory):
    examples = tmp_path_factory.mktemp("examples")
    Image.open(PHOTO).save(examples / "desk.png")
    rows = [{"image": "desk.png", "expressions": ["left laptop", "right laptop"]}]
    (examples / "examples.json").write_text(json.dumps(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_app, "EXAMPLES", examples)
        page = demo_app.build(pipeline)
    _, url, _ = demo_app.serve(
        page, server_port=None, prevent_thread_lock=True, quiet=True, allowed_paths=[str(examples)]
    )
    yield url
    page.close()


@pytest.fixture(scope="module")
def browser():
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, url):
    """Opens the page in a window of its own; fails the test if it asked any other host."""
    contexts, elsewhere = [], []

    def open_one(width=1280, scheme="light"):
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: elsewhere.append(request.url))
        page.goto(url)
        page.wait_for_selector("#run")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [u for u in elsewhere if not u.startswith((url, "data:", "blob:"))] == []


def upload(page, file):
    page.set_input_files("#picture input[type=file]", file)
    page.wait_for_selector("#picture img")


def ask(page, text):
    box = page.locator("#expressions textarea")
    for number, line in enumerate(text.splitlines()):
        if number:
            box.press("Shift+Enter")
        box.press_sequentially(line)
    box.press("Enter")


def pictures(page, gallery):
    return page.locator(f"#{gallery} .thumbnail-lg img")


def bars(page, table):
    """The rows of a table of bars, as text."""
    return [" ".join(row.split()) for row in page.locator(f"#{table} tbody tr").all_inner_texts()]


def screenshot(page, name):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    for picture in page.locator("img[loading=lazy]").all():  # or they stay blank below the fold
        if picture.is_visible():
            picture.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(400)  # let it settle
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def test_start(open_page):
    page = open_page()
    assert page.title() == "Segment, Select, Correct"
    screenshot(page, "start")


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")],
)
def test_upload_and_enter(open_page, name, width, scheme):
    page = open_page(width, scheme)
    upload(page, PHOTO)
    ask(page, "the left laptop")
    expect(pictures(page, "prompts")).to_have_count(3, timeout=WAIT)
    expect(pictures(page, "answers")).to_have_count(2)
    expect(page.locator("#candidates img")).to_have_count(1)
    expect(page.locator("#words")).to_contain_text("noun laptop → class laptop (0.93; then tv 0.71")
    expect(page.locator("#words")).to_contain_text(
        "S+S chose candidate 3 of 3 (score 0.006, next -0.001); "
        "the corrected model moved to candidate 1. S+S and S+S+C overlap with an IoU of 0.00."
    )
    captions = page.locator("#answers .caption-label").all_inner_texts()
    assert captions == ["S+S · candidate 3", "S+S+C · candidate 1"]
    assert bars(page, "scores")[0].split()[:3] == ["3", "chosen", "0.006"]
    assert bars(page, "ious") == ["1 meant 1.00", "2 0.00", "3 0.00"]
    captions = page.locator("#prompts .caption-label").all_inner_texts()
    scores = [float(caption.split("·")[1]) for caption in captions]
    assert scores == sorted(scores, reverse=True)
    assert sorted(caption.split()[0] for caption in captions) == ["#1", "#2", "#3"]
    screenshot(page, f"answer-{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_two_objects_by_the_button(open_page):
    page = open_page()
    upload(page, PHOTO)
    page.fill("#expressions textarea", "left laptop\nright laptop | laptop on the right")
    page.click("#run")
    expect(pictures(page, "answers")).to_have_count(4, timeout=WAIT)
    expect(pictures(page, "prompts")).to_have_count(3)
    expect(page.locator("#ious")).to_contain_text("meant")
    assert bars(page, "ious")[0] == "1 meant 1.00"
    page.get_by_label("2 · right laptop | laptop on the right").check()
    expect(page.locator("#ious tbody tr").nth(1)).to_contain_text("meant")
    expect(page.locator("#words .active")).to_contain_text("right laptop | laptop on the right")
    screenshot(page, "two-objects")


def test_shift_enter_starts_a_line(open_page):
    page = open_page()
    upload(page, PHOTO)
    ask(page, "left laptop\nright laptop")
    expect(pictures(page, "answers")).to_have_count(4, timeout=WAIT)


def test_example(open_page):
    page = open_page()
    page.locator(".gallery-item, .gallery button").first.click()
    expect(pictures(page, "answers")).to_have_count(4, timeout=WAIT)
    expect(page.locator("#expressions textarea")).to_have_value("left laptop\nright laptop")


def test_stage_1_is_seen_before_stage_2(open_page, gate):
    page = open_page()
    upload(page, PHOTO)
    gate.open.clear()
    try:
        ask(page, "left laptop")
        expect(page.locator("#candidates img")).to_have_count(1, timeout=WAIT)
        expect(page.locator("#words")).to_contain_text("Found 3 candidates")
        expect(pictures(page, "prompts")).to_have_count(0)
        screenshot(page, "stage-1")
    finally:
        gate.open.set()
    expect(pictures(page, "prompts")).to_have_count(3, timeout=WAIT)


def test_nothing_found_is_no_error(open_page):
    page = open_page()
    upload(page, PHOTO)
    ask(page, "a unicorn")
    expect(page.locator("#words")).to_contain_text(
        'No horse found for "a unicorn"; the corrected model found nothing either. '
        "Found instead: laptop.",
        timeout=WAIT,
    )
    expect(pictures(page, "answers")).to_have_count(2)  # the picture as it is
    expect(page.locator(".toast-body")).to_have_count(0)
    screenshot(page, "nothing-found")


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("no-picture", None, "left laptop", "Choose a picture first"),
        ("no-words", PHOTO, "", "Say what to look for"),
        ("bad-file", "bad.jpg", "left laptop", "The file: expected a picture"),
        ("too-long", PHOTO, "x" * 501, "expected at most 500 characters, got 501"),
    ],
)
def test_bad_input_is_told_in_one_line(open_page, tmp_path, name, file, text, message):
    page = open_page()
    if file == "bad.jpg":
        file = tmp_path / file
        file.write_bytes(PHOTO.read_bytes()[:100] + b"no picture")
    if file:
        upload(page, file)
    page.fill("#expressions textarea", text)
    page.locator("#expressions textarea").press("Enter")
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text(message, timeout=WAIT)
    assert "Traceback" not in page.content()
    assert "gradio/" not in toast.inner_text()  # no path of the server's
    screenshot(page, name)


def test_words_are_escaped(open_page):
    page = open_page()
    upload(page, PHOTO)
    words = "<img src=x onerror=document.title='owned'> ${1 + 1} {{value}} **laptop**"
    page.fill("#expressions textarea", f"{words}\n{words}")
    page.click("#run")
    expect(page.locator("#words")).to_contain_text(f"“{words}”", timeout=WAIT)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


def answered(open_page, words="left laptop"):
    page = open_page()
    upload(page, PHOTO)
    ask(page, words)
    expect(pictures(page, "answers")).to_have_count(2, timeout=WAIT)
    return page


def test_a_click_on_the_picture_chooses_and_can_be_taken_back(open_page):
    page = answered(open_page)
    drawn = page.locator("#candidates img")
    box = drawn.bounding_box()
    x0, y0, x1, y1 = scene_candidates(240, 320).boxes[1].tolist()  # at pixels of 320×240
    drawn.click(
        position={
            "x": (x0 + x1) / 2 / 320 * box["width"],
            "y": (y0 + y1) / 2 / 240 * box["height"],
        }
    )
    expect(page.locator("#words")).to_contain_text("You chose candidate 2.", timeout=WAIT)
    expect(page.locator("#words")).to_contain_text("Your choice and S+S+C overlap")
    assert page.locator("#answers .caption-label").first.inner_text() == "Your choice · candidate 2"
    assert bars(page, "scores")[1].split()[:2] == ["2", "yours"]
    screenshot(page, "override")
    page.click("#undo")
    expect(page.locator("#words")).not_to_contain_text("You chose")
    expect(page.locator("#undo")).not_to_be_visible()


def test_a_click_beside_all_candidates_says_so(open_page):
    page = answered(open_page)
    page.locator("#candidates img").click(position={"x": 4, "y": 4})
    expect(page.locator(".toast-body")).to_contain_text("no candidate at that place", timeout=WAIT)


def test_a_visual_prompt_is_chosen_by_keyboard(open_page):
    page = answered(open_page)
    page.locator("#prompts button.thumbnail-lg").nth(2).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#words")).to_contain_text("You chose candidate 1.", timeout=WAIT)


def test_threshold_moves_the_mask_without_the_model(open_page, pipeline):
    page = answered(open_page, "all of it")
    expect(page.locator("#words")).to_contain_text("a region that is none of the candidates")
    calls = len(pipeline.correct.corrector.calls)
    page.fill("#threshold input[type=number]", "0.9")
    page.locator("#threshold input[type=number]").press("Tab")
    expect(page.locator("#words")).to_contain_text(
        "the corrected model found nothing", timeout=WAIT
    )
    assert len(pipeline.correct.corrector.calls) == calls


def test_slider_shows_both(open_page):
    page = answered(open_page)
    page.get_by_role("tab", name="Slider").click()
    expect(page.locator("#slider img")).to_have_count(2)
    screenshot(page, "slider")


def test_download_is_what_the_endpoint_says_with_the_override(open_page, url, tmp_path):
    page = answered(open_page)
    page.locator("#prompts button.thumbnail-lg").nth(2).click()
    expect(page.locator("#words")).to_contain_text("You chose candidate 1.", timeout=WAIT)
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
    assert (taken["override"], taken["chosen"]) == (0, record["chosen"])
    assert np.array_equal(np.array(corrected) > 0, coco.decode(record["correction"]["mask"]) > 0)
    assert np.array_equal(np.array(mask) > 0, coco.decode(record["candidates"][0]["mask"]) > 0)


def test_options_work(open_page):
    page = open_page()
    page.click("#options button")
    page.get_by_label("matching").first.check()
    page.get_by_label("Stage 3", exact=True).uncheck()
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
    page.get_by_label("Stage 3 of B").uncheck()
    page.click("#compare")
    expect(pictures(page, "compared-a")).to_have_count(2, timeout=WAIT)
    expect(pictures(page, "compared-b")).to_have_count(1)
    expect(page.locator("#between")).to_contain_text("S+S of A and B overlap with an IoU of 1.00.")
    screenshot(page, "compare")


def test_code_to_copy_is_the_call(open_page, tmp_path):
    page = answered(open_page, 'left laptop\'s "lid"')
    page.click("#code > button")
    expect(page.locator("#python")).to_contain_text("api_name", timeout=WAIT)
    python = "\n".join(page.locator("#python .cm-line").all_inner_texts())
    page.get_by_role("tab", name="curl").click()
    curl = "\n".join(page.locator("#curl .cm-line").all_inner_texts())
    shutil.copy(PHOTO, tmp_path)
    for argv in ([sys.executable, "-c", python], ["bash", "-c", curl]):
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert "S+S chose candidate" in done.stdout, done


def segment(url, expressions, *settings, api_name="/segment"):
    client = Client(url, verbose=False)
    return client.predict(handle_file(PHOTO), expressions, *settings, api_name=api_name)


def test_named_endpoints(url):
    [record] = segment(url, "left laptop")["results"]
    assert record["width"] == 320
    assert record["chosen"] == 2
    assert record["correction"]["snapped"] == 0
    assert "error" in segment(url, "")
    with pytest.raises(AppError, match="less than minimum"):
        segment(url, "laptop", "reverse_blur", -1)
    both = segment(
        url,
        "left laptop",
        *("reverse_blur", 50, "argmax", 0.5, True),
        *("crop", 50, "argmax", 0.7, False),
        api_name="/compare",
    )
    assert [len(both[x]["results"][0]["candidates"]) for x in "ab"] == [3, 2]
    assert both["b"]["results"][0]["correction"] is None
    assert both["compared"][0]["corrected_iou"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(open_page, scheme):
    """No serious violation of WCAG, but in what is Gradio's own: the mark of an empty component."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    page = open_page(scheme=scheme)
    upload(page, PHOTO)
    page.fill("#expressions textarea", "left laptop\nall of it")
    page.click("#run")
    expect(page.locator("#ious tbody tr")).to_have_count(3, timeout=WAIT)
    for panel in ("options", "compare-panel", "code", "how"):
        page.click(f"#{panel} > button")
    expect(page.locator("#python")).to_contain_text("api_name", timeout=WAIT)
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (violation["id"], node["html"])
        for violation in found
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical") and "Empty value" not in node["html"]
    ]
    assert serious == []


def test_only_the_two_endpoints_are_public(url):
    client = Client(url, verbose=False)
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/segment", "/compare"}


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_a_file_of_the_server_cannot_be_asked_for(url, meta):
    picture = {"path": str(ROOT / "assets" / "readme.png"), **meta}
    data = [picture, "dog", "reverse_blur", 50, "argmax", 0.5, True]
    started = httpx.post(f"{url}gradio_api/call/segment", json={"data": data}).json()
    answer = httpx.get(f"{url}gradio_api/call/segment/{started['event_id']}", timeout=60).text
    assert answer.startswith("event: error"), answer[:300]


def test_without_stage_3_the_page_says_so(browser):
    page = demo_app.build(fake_pipeline(correct=False))
    _, url, _ = demo_app.serve(page, server_port=None, prevent_thread_lock=True, quiet=True)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        tab = context.new_page()
        tab.set_default_timeout(WAIT)
        tab.goto(url)
        tab.wait_for_selector("#run")
        upload(tab, PHOTO)
        ask(tab, "left laptop")
        expect(pictures(tab, "prompts")).to_have_count(3, timeout=WAIT)
        expect(pictures(tab, "answers")).to_have_count(1)
        expect(tab.locator("body")).to_contain_text("This page has no corrected model")
        expect(tab.locator("#threshold")).to_have_count(0)
        expect(tab.locator("#words")).not_to_contain_text("S+S+C")
        screenshot(tab, "no-stage-3")
    finally:
        context.close()
        page.close()


def test_page_starts_without_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_app, "EXAMPLES", tmp_path)
    assert demo_app.build(fake_pipeline())
