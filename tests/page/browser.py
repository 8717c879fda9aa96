"""The page in a real browser, over a pipeline without weights: fixtures and helpers of its tests.

Screenshots go to screenshots/, which git ignores. PYTEST_DONT_REWRITE (imported before pytest knows
that its fixtures are a plugin)
"""

import json
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

import demo_app
from ssc.page.choices import Choices, ModelSet
from tests.fake_pipeline import SCENE, SCENES, fake_pipeline

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

ROOT = Path(__file__).parents[2]
PHOTO = SCENES / f"{SCENE}.jpg"
WAIT = 60_000  # ms; for machines that are busy
OPTIONS = "reverse_blur", 50, "argmax", 0, "own", 0, "", True, False, "mini"
"""As the page opens, in the order of the endpoints' arguments."""
MISSING = (
    "The base set's weights are not on this machine yet: run python -m ssc models --download base"
)


class Gate:
    """A Select that waits until it is let through."""

    def __init__(self, select, opened=None):
        self.select, self.open = select, opened or threading.Event()
        if opened is None:
            self.open.set()

    def __getattr__(self, name):
        return getattr(self.select, name)

    def varied(self, *settings):
        return Gate(self.select.with_options(*settings), self.open)

    def __call__(self, image, results):
        assert self.open.wait(60)
        return self.select(image, results)


@pytest.fixture(scope="session")
def pipeline():
    import ssc.correct.matching  # noqa: F401 (torch, which takes seconds at its first use)

    pipeline = fake_pipeline()
    pipeline.select = Gate(pipeline.select)
    return pipeline


@pytest.fixture
def gate(pipeline):
    return pipeline.select


@pytest.fixture(scope="session")
def choices(pipeline):
    """The mini set; base, whose weights are missing; and paper, without stage 3."""
    paper = fake_pipeline(correct=False)
    paper.segment.detector.text_threshold = 0.25
    return Choices(
        [
            ModelSet("mini", lambda: pipeline, "Rendered scenes only."),
            ModelSet("base", lambda: pipeline, "Photographs.", lambda: MISSING),
            ModelSet("paper", lambda: paper, "Photographs, with patience."),
        ]
    )


@pytest.fixture(scope="session")
def url(choices, tmp_path_factory):
    examples = tmp_path_factory.mktemp("examples")
    Image.open(PHOTO).save(examples / "desk.png")
    rows = [{"image": "desk.png", "expressions": ["left laptop", "right laptop"]}]
    (examples / "examples.json").write_text(json.dumps(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_app, "EXAMPLES", examples)
        page = demo_app.build(choices)
    _, url, _ = demo_app.serve(
        page, server_port=None, prevent_thread_lock=True, quiet=True, allowed_paths=[str(examples)]
    )
    yield url
    page.close()


@pytest.fixture(scope="session")
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


@contextmanager
def served(browser, choices):
    """A window on a page of its own over these choices."""
    page = demo_app.build(choices)
    _, url, _ = demo_app.serve(page, server_port=None, prevent_thread_lock=True, quiet=True)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        tab = context.new_page()
        tab.set_default_timeout(WAIT)
        tab.goto(url)
        tab.wait_for_selector("#run")
        yield tab
    finally:
        context.close()
        page.close()


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


def answered(open_page, words="left laptop"):
    page = open_page()
    upload(page, PHOTO)
    ask(page, words)
    expect(pictures(page, "answers")).to_have_count(2, timeout=WAIT)
    return page


def segment(url, expressions, *settings, api_name="/segment"):
    client = Client(url, verbose=False)
    return client.predict(handle_file(PHOTO), expressions, *settings, api_name=api_name)
