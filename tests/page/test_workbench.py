"""The workbench in a real browser: keys, clicks, a box, kills, two people, a phone."""

from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

import demo_app
from ssc.formats import rle
from tests.page.bench_server import assert_accessible, choice, number, press, screenshot, window
from tests.train.toy_bench import bench_of
from train.data import open_dataset
from train.review.decisions import FILE, Reviews


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
        page.locator("#words textarea").first.fill("the right words")
        with page.expect_response("**/api/words/*"):
            page.locator("#words textarea").first.press("Enter")
        page.wait_for_timeout(100)  # it is drawn anew
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


def test_points_on_the_object_and_off_it(browser, server, place):
    bench = bench_of(place)
    with window(browser, server.url) as page:
        first = number(page)

        def click(x, y):
            """At a pixel of the picture."""
            at = page.evaluate(
                "([x, y]) => { const on = document.querySelector('#canvas').getScreenCTM();"
                "const {x: left, y: top} = new DOMPoint(x, y).matrixTransform(on);"
                "return [left, top]; }",
                [x, y],
            )
            with page.expect_response("**/api/points/*"):
                page.mouse.click(*at)
            page.wait_for_timeout(100)  # it is drawn anew

        page.keyboard.press("p")
        click(40, 40)
        page.keyboard.down("Shift")
        click(52, 40)  # off it
        page.keyboard.up("Shift")
        expect(page.locator("#canvas .point")).to_have_count(2)
        click(70, 70)
        held = []
        page.route("**/api/points/*", lambda route: held.append(route))
        for last in (False, True):
            page.keyboard.press("Backspace")  # takes the last one back
            expect(page.locator("#canvas .point")).to_have_count(2)
            page.keyboard.press("Enter")  # while what is left is looked at
            page.keyboard.press("0")  # an object has one decision
            page.wait_for_timeout(200)
            assert number(page) == first
            if not last:  # what waits for a look that fails is not done
                held.pop().fulfill(status=400, json={"error": "out of memory"})
                expect(page.locator("#message")).to_have_text("out of memory")
                expect(page.locator("#canvas .point")).to_have_count(3)
                page.wait_for_timeout(200)
                assert number(page) == first
        expect(page.locator("#candidates button")).to_have_count(4)
        held.pop().continue_()
        page.wait_for_function(f"document.body.dataset.object !== '{first}'")
        decision, _ = choice(place, bench, first)
        from train.workbench.shapes import decoded

        mask = decoded(decision.masks[0], decision.size)
        assert (decision.candidates, mask[40, 38], mask[40, 46], mask[70, 70]) == ((), 1, 0, 0)


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


def test_export(browser, server, place, tmp_path):
    with window(browser, server.url) as page:
        page.click("#export summary")
        page.check("#alone")
        page.click("#take")
        expect(page.locator("#message")).to_have_text("export: expected masks, got none")
        press(page, "2")
        with page.expect_download() as download:
            page.click("#take")
        download.value.save_as(tmp_path / "coco.zip")
    with ZipFile(tmp_path / "coco.zip") as packed:
        packed.extractall(tmp_path)
    data = open_dataset(f"coco:{tmp_path / 'coco' / 'annotations.json'}")
    assert [len(picture.objects) for picture in (data[k] for k in range(len(data)))] == [1]


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
    touch = {"has_touch": True, "is_mobile": True} if width < 500 else {}
    with window(browser, server.url, width, scheme, **touch) as page:
        expect(page.locator("#next img")).to_have_count(6)
        screenshot(page, name)
        assert_accessible(page, width)
        before = number(page)
        button = page.locator("#candidates button").first
        (button.tap if touch else button.click)()
        page.wait_for_function(f"document.body.dataset.object !== '{before}'")


def test_a_picture_that_cannot_be_read_is_said_and_passed(browser, server, place):
    bench = bench_of(place)
    order = bench.order("doubtful", True)
    doubt = bench.doubts[order[1]]
    for file in [*bench.opened.dataset.files()][doubt.picture : doubt.picture + 1]:
        file.write_bytes(b"no picture")
    with window(browser, server.url) as page:
        press(page, "s")
        assert number(page) == order[1]
        expect(page.locator("#message")).to_contain_text("expected a picture")
        press(page, "s")
