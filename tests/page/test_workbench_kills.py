"""The workbench when its server is killed: what is shown as taken is there."""

import random
import time

import pytest
from playwright.sync_api import expect

from tests.page.bench_server import Server, choice, number, press, window
from tests.train.toy_bench import bench_of, write
from train.review.decisions import FILE, Reviews


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
                until = len(taken) + 2  # at least, where the machine is busy
                while time.monotonic() < end or (
                    len(taken) < until and time.monotonic() < end + 60
                ):  # 5 a second
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
    assert len(taken) >= 20
    assert all(choice(place, bench, k)[0] is not None for k in taken)
    reviews = Reviews(place / FILE)
    assert len(taken) <= shown <= len(reviews)
    assert reviews.torn <= 10
