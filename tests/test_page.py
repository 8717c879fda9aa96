"""The page in a real browser, over a pipeline without weights; screenshots in screenshots/."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from fake_pipeline import SCENE, SCENES, fake_pipeline
from PIL import Image

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
WAIT = 20_000  # ms; for machines that are busy


class Gate:
    """A Select that waits until it is let through."""

    def __init__(self, select):
        self.select, self.open = select, threading.Event()
        self.open.set()

    def __call__(self, image, results):
        assert self.open.wait(60)
        return self.select(image, results)


@pytest.fixture(scope="module")
def gate():
    return Gate(fake_pipeline().select)


@pytest.fixture(scope="module")
def url(gate, tmp_path_factory):
    examples = tmp_path_factory.mktemp("examples")
    Image.open(PHOTO).save(examples / "desk.png")
    rows = [{"image": "desk.png", "expressions": ["left laptop", "right laptop"]}]
    (examples / "examples.json").write_text(json.dumps(rows))
    pipeline = fake_pipeline()
    pipeline.select = gate
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


def screenshot(page, name):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
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
    expect(pictures(page, "answers")).to_have_count(1)
    expect(pictures(page, "candidates")).to_have_count(1)
    expect(page.locator("#words")).to_contain_text("noun laptop → class laptop (0.93; then tv 0.71")
    expect(page.locator("#words")).to_contain_text("S+S chose candidate")
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
    expect(pictures(page, "answers")).to_have_count(2, timeout=WAIT)
    expect(pictures(page, "prompts")).to_have_count(6)
    screenshot(page, "two-objects")


def test_shift_enter_starts_a_line(open_page):
    page = open_page()
    upload(page, PHOTO)
    ask(page, "left laptop\nright laptop")
    expect(pictures(page, "answers")).to_have_count(2, timeout=WAIT)


def test_example(open_page):
    page = open_page()
    page.locator(".gallery-item, .gallery button").first.click()
    expect(pictures(page, "answers")).to_have_count(2, timeout=WAIT)
    expect(page.locator("#expressions textarea")).to_have_value("left laptop\nright laptop")


def test_stage_1_is_seen_before_stage_2(open_page, gate):
    page = open_page()
    upload(page, PHOTO)
    gate.open.clear()
    try:
        ask(page, "left laptop")
        expect(pictures(page, "candidates")).to_have_count(1, timeout=WAIT)
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
        'No horse found for "a unicorn". Found instead: laptop.', timeout=WAIT
    )
    expect(pictures(page, "answers")).to_have_count(1)  # the picture as it is
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
    words = "<img src=x onerror=document.title='owned'> **laptop**"
    page.fill("#expressions textarea", f"{words}\n{words}")
    page.click("#run")
    expect(page.locator("#words")).to_contain_text(f"“{words}”", timeout=WAIT)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


def test_named_endpoint(url):
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    outputs = client.predict(handle_file(PHOTO), "left laptop", api_name="/segment")
    [record] = outputs[-1]["results"]
    assert record["width"] == 320
    assert record["chosen"] is not None
    assert np.shape(outputs[0])[0] == 1
    assert "error" in client.predict(handle_file(PHOTO), "", api_name="/segment")[-1]


def test_page_starts_without_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_app, "EXAMPLES", tmp_path)
    assert demo_app.build(fake_pipeline())
