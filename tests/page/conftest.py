"""The page over a pipeline without weights, and windows on it in a real browser."""

import json
import os
import shutil
import socket
import threading

import pytest
from gradio import http_server
from PIL import Image
from playwright.sync_api import expect, sync_playwright

import demo_app
from ssc.page.choices import Choices, ModelSet
from tests.fake_pipeline import fake_pipeline
from tests.page.bench_server import Server
from tests.page.browser import PHOTO, WAIT
from tests.train.toy_bench import write

# Two processes of tests that look for a free port at once would both take it.
http_server.INITIAL_PORT_VALUE += 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
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

    def with_options(self, **options):
        return Gate(self.select.with_options(**options), self.open)

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
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
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


@pytest.fixture
def place(tmp_path):
    return write(tmp_path)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(place, port):
    own = Server(place, port).start()
    yield own
    own.kill()
