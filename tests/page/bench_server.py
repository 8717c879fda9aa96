"""The workbench in a process of its own, and windows on it."""

import socket
import time
from contextlib import contextmanager

from tests.forks import ended, fork
from tests.page.browser import ROOT, WAIT
from tests.train.toy_bench import serve
from train.review.decisions import FILE, Reviews


class Server:
    """The workbench in a process of its own."""

    def __init__(self, place, port):
        self.place, self.port, self.process = place, port, None
        self.url = f"http://127.0.0.1:{port}/"

    def start(self):
        self.process = fork(serve, self.place, self.port)
        for _ in range(6000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if not self.process.is_alive():
                break
            time.sleep(0.05)
        self.kill()
        raise TimeoutError("the workbench does not start")

    def kill(self):
        self.process.kill()
        ended(self.process)


@contextmanager
def window(browser, url, width=1280, scheme="light", first="#canvas image", **options):
    context = browser.new_context(
        viewport={"width": width, "height": 860}, color_scheme=scheme, **options
    )
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(url)
    page.wait_for_selector(first, state="attached")
    try:
        yield page
    finally:
        context.close()


def number(page):
    return int(page.evaluate("document.body.dataset.object"))


def press(page, key):
    """A key, and the next object that it shows."""
    before = number(page)
    page.keyboard.press(key)
    page.wait_for_function(f"document.body.dataset.object !== '{before}'")
    return before


def choice(place, bench, k):
    doubt = bench.doubts[k]
    looked = bench.opened.store.picture(doubt.picture)
    thing = looked.objects[doubt.number]
    return Reviews(place / FILE).of(looked.name, thing.name).choice, thing


def assert_accessible(page, width):
    """Nothing serious by axe, and nothing beside the window."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def screenshot(page, name):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"workbench-{name}.png")
