"""The workbench in a real browser: keys, clicks, a box, kills, two people, a phone."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

import demo_app
from ssc.formats import rle
from tests.page.browser import ROOT
from tests.train.toy_bench import bench_of, write
from train.review.decisions import FILE, Reviews

READY = "fetch('api/progress').then((answer) => answer.ok)"


@pytest.fixture
def place(tmp_path):
    return write(tmp_path)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The workbench in a process of its own."""

    def __init__(self, place, port):
        self.place, self.port, self.process = place, port, None
        self.url = f"http://127.0.0.1:{port}/"

    def start(self):
        command = [sys.executable, "-m", "tests.train.toy_bench", str(self.place), str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise TimeoutError("the workbench does not start")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(place, port):
    own = Server(place, port).start()
    yield own
    own.kill()


@contextmanager
def window(browser, url, width=1280, scheme="light", **options):
    context = browser.new_context(
        viewport={"width": width, "height": 860}, color_scheme=scheme, **options
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(url)
    page.wait_for_selector("#canvas image")
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


def screenshot(page, name):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"workbench-{name}.png")


def test_keys(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as page:
        order = bench.order("doubtful", True)
        assert number(page) == order[0]
        expect(page.locator("#left")).to_have_text(f"{len(bench)} left of {len(bench)}")
        second = press(page, "2")
        assert choice(place, bench, second)[0].candidates == (1,)
        accepted = press(page, "Enter")
        decision, thing = choice(place, bench, accepted)
        assert decision.candidates == (thing.chosen,)
        none = press(page, "0")
        assert choice(place, bench, none)[0].masks == ()
        skipped = press(page, "s")
        assert choice(place, bench, skipped)[0] is None
        page.keyboard.press("a")
        page.keyboard.press("1")  # all of three, without the first
        several = press(page, "Enter")
        assert choice(place, bench, several)[0].candidates == (1, 2)
        assert press(page, "Backspace") == order[5]
        assert number(page) == several
        expect(page.locator("#candidates [aria-pressed=true]")).to_have_count(2)
        page.keyboard.press("3")  # several are marked: it takes the third one out
        press(page, "Enter")
        assert choice(place, bench, several)[0].candidates == (1,)
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#left")).to_have_text(f"{len(bench) - 4} left of {len(bench)}")


def test_clicks_a_box_and_words(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as page:
        first = number(page)
        page.locator("#candidates button").nth(1).click()
        page.wait_for_function(f"document.body.dataset.object !== '{first}'")
        assert choice(place, bench, first)[0].candidates == (1,)

        second = number(page)
        frame = page.locator("#canvas").bounding_box()
        scale = frame["width"] / page.evaluate(
            "document.querySelector('#canvas').viewBox.baseVal.width"
        )
        page.mouse.move(frame["x"] + 10 * scale, frame["y"] + 20 * scale)
        page.mouse.down()
        page.mouse.move(frame["x"] + 60 * scale, frame["y"] + 70 * scale, steps=4)
        page.mouse.up()
        expect(page.locator("#candidates button")).to_have_count(4)
        press(page, "Enter")
        decision, _ = choice(place, bench, second)
        assert decision.candidates == ()
        [code] = decision.masks
        h, w = decision.size
        from train.data.masks import decode_segmentation

        mask = decode_segmentation({"size": [h, w], "counts": code}, h, w)
        assert abs(int(mask.sum()) - 50 * 50) < 300
        assert mask[45, 35]
        assert rle(mask)["counts"] == code

        third = number(page)
        page.locator("#words input").first.fill("the right words")
        page.locator("#words input").first.press("Enter")
        page.wait_for_function(f"{READY}")
        page.locator("#words button").nth(1).click()
        expect(page.locator("#words .struck")).to_have_count(1)
        doubt = bench.doubts[third]
        looked = bench.opened.store.picture(doubt.picture)
        state = Reviews(place / FILE).of(looked.name, looked.objects[doubt.number].name)
        assert state.expressions[:2] == ("the right words", None)
        assert state.choice is None


def test_a_mask_on_the_picture_is_chosen_by_a_click(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as page:
        first = number(page)
        page.evaluate(
            "document.querySelector('[data-candidate=\"2\"]').dispatchEvent("
            "new MouseEvent('click', {bubbles: true}))"
        )
        page.wait_for_function(f"document.body.dataset.object !== '{first}'")
        assert choice(place, bench, first)[0].candidates == (2,)


@pytest.mark.process
def test_the_server_ends_and_review_goes_on(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as page:
        press(page, "1")
        server.kill()
        last = number(page)
        page.keyboard.press("2")
        expect(page.locator("#message")).to_contain_text("not saved yet")
        assert number(page) == last
        assert choice(place, bench, last)[0] is None
        server.start()
        page.wait_for_function(f"document.body.dataset.object !== '{last}'")
        assert choice(place, bench, last)[0].candidates == (1,)
        expect(page.locator("#message")).to_be_empty()
        page.reload()
        page.wait_for_selector("#canvas image")
        assert number(page) == bench.order("doubtful", True)[0]  # of what is left


def test_two_people_at_once(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as ann, window(browser, server.url) as bob:
        for page, name in ((ann, "Ann"), (bob, "Bob")):
            page.fill("#who", name)
            page.locator("#who").press("Tab")
        shared = number(ann)
        assert number(bob) == shared
        press(ann, "1")
        press(bob, "2")
        expect(bob.locator("#message")).to_have_text("Ann decided otherwise.")
        decision, _ = choice(place, bench, shared)
        assert (decision.who, decision.candidates) == ("Bob", (1,))
        expect(bob.locator("#left")).to_contain_text("1 decided in different ways")
        second = press(ann, "3")
        press(bob, "s")
        bob.wait_for_function(f"document.body.dataset.object !== '{second}'")


def test_it_stands_beside_the_page(browser, choices, place):
    from train.workbench.server import build

    page = demo_app.build(choices)
    options = {"server_port": None, "prevent_thread_lock": True, "quiet": True}
    _, url, _ = demo_app.serve(page, build(bench_of(place)), **options)
    try:
        with window(browser, f"{url}workbench/") as tab:
            press(tab, "1")
            tab.goto(url)
            tab.wait_for_selector("#run")
    finally:
        page.close()


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")],
)
def test_looks(browser, server, name, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    touch = {"has_touch": True, "is_mobile": True} if width < 500 else {}
    with window(browser, server.url, width, scheme, **touch) as page:
        expect(page.locator("#next img")).to_have_count(6)
        screenshot(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        serious = [v["id"] for v in found if v["impact"] in ("serious", "critical")]
        assert serious == []
        before = number(page)
        button = page.locator("#candidates button").first
        (button.tap if touch else button.click)()
        page.wait_for_function(f"document.body.dataset.object !== '{before}'")


@pytest.mark.process
@pytest.mark.long
def test_ten_kills_lose_nothing_shown_as_taken(browser, tmp_path, port):
    place = write(tmp_path, copies=40)
    server, taken = Server(place, port).start(), set()
    rng = random.Random(0)
    try:
        with window(browser, server.url) as page:
            for _ in range(10):
                end = time.monotonic() + rng.uniform(0.5, 1.5)
                while time.monotonic() < end:  # 5 a second
                    before = number(page)
                    page.keyboard.press(rng.choice(["0", "Enter"]))
                    page.wait_for_timeout(200)
                    if number(page) != before:
                        taken.add(before)
                server.kill()
                before = number(page)
                page.keyboard.press("Enter")
                server.start()
                page.wait_for_function(f"document.body.dataset.object !== '{before}'")
                taken.add(before)
            shown = page.evaluate("window.taken")
    finally:
        server.kill()
    bench = bench_of(place)
    assert len(taken) > 20
    assert all(choice(place, bench, k)[0] is not None for k in taken)
    reviews = Reviews(place / FILE)
    assert len(taken) <= shown <= len(reviews)
    assert reviews.torn <= 10
