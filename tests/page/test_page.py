"""The page in a real browser: what is asked, and what comes."""

import pytest

import demo_app
from ssc.page.choices import Choices, ModelSet
from tests.fake_pipeline import fake_pipeline
from tests.page.browser import PHOTO, WAIT, ask, bars, expect, pictures, screenshot, served, upload


def test_start(open_page):
    page = open_page()
    assert page.title() == "Segment, Select, Correct"
    intro = page.locator(".intro.prose")
    expect(intro).to_contain_text("what a trained model answers")
    screenshot(page, "start")
    page.click("#how > button")
    expect(page.locator("#how svg")).to_have_count(3)


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")],
)
def test_upload_and_enter(open_page, name, width, scheme):
    page = open_page(width, scheme)
    upload(page, PHOTO)
    ask(page, "the left laptop")
    expect(pictures(page, "prompts")).to_have_count(3, timeout=WAIT)
    expect(pictures(page, "sides")).to_have_count(2)
    expect(page.locator("#candidates img")).to_have_count(1)
    expect(page.locator("#words")).to_contain_text(
        "noun laptop → class laptop (similarity 0.93; next tv 0.71"
    )
    expect(page.locator("#words")).to_contain_text(
        "The answer (not sure) is candidate 1 of 3, which S+S and S+S+C favour together. "
        "S+S chose candidate 3 (score 0.006, next -0.001); S+S+C chose candidate 1 instead. "
        "S+S and S+S+C overlap with an IoU of 0.00."
    )
    captions = page.locator("#answers .caption-label").all_inner_texts()
    assert captions == ["Answer (not sure) · candidate 1"]
    captions = page.locator("#sides .caption-label").all_inner_texts()
    assert captions == ["S+S · candidate 3", "S+S+C · candidate 1"]
    assert bars(page, "scores")[0].split()[:3] == ["3", "chosen", "0.006"]
    own, *others = bars(page, "ious")
    assert own == "1 S+S+C, both 0.65 1.00"  # soft IoU, and IoU of the mask
    assert [row.split()[-1] for row in others] == ["0.00", "0.00"]
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
    expect(pictures(page, "sides")).to_have_count(4, timeout=WAIT)
    expect(pictures(page, "answers")).to_have_count(2)
    expect(pictures(page, "prompts")).to_have_count(3)
    expect(page.locator("#ious")).to_contain_text("S+S+C")
    assert bars(page, "ious")[0] == "1 S+S+C, both 0.65 1.00"
    page.get_by_label("2 · right laptop | laptop on the right").check()
    expect(page.locator("#ious tbody tr").nth(1)).to_contain_text("S+S+C")
    expect(page.locator("#words .active")).to_contain_text("right laptop | laptop on the right")
    screenshot(page, "two-objects")


def test_shift_enter_starts_a_line(open_page):
    page = open_page()
    upload(page, PHOTO)
    ask(page, "left laptop\nright laptop")
    expect(pictures(page, "sides")).to_have_count(4, timeout=WAIT)


def test_example(open_page):
    page = open_page()
    page.locator(".gallery-item, .gallery button").first.click()
    expect(pictures(page, "sides")).to_have_count(4, timeout=WAIT)
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
        'No horse found for "a unicorn"; S+S+C found nothing either. Found instead: laptop.',
        timeout=WAIT,
    )
    expect(pictures(page, "answers")).to_have_count(1)  # the picture as it is
    expect(pictures(page, "sides")).to_have_count(2)
    expect(page.locator(".toast-body")).to_have_count(0)
    screenshot(page, "nothing-found")


def test_what_takes_long_is_asked_only_when_wanted(browser):
    pipeline = fake_pipeline()
    pipeline.segment.detector.costly = True
    with served(browser, only(pipeline)) as tab:
        upload(tab, PHOTO)
        ask(tab, "left laptop")
        expect(pictures(tab, "sides")).to_have_count(2, timeout=WAIT)
        button = tab.locator("#look-on")
        expect(button).not_to_be_visible()
        tab.fill("#expressions textarea", "a unicorn")
        tab.click("#run")
        expect(button).to_be_visible(timeout=WAIT)
        screenshot(tab, "look-on")
        button.click()
        expect(button).not_to_be_visible(timeout=WAIT)
        tab.click("#options > button")
        expect(tab.get_by_label("Look on", exact=True)).to_be_checked()


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("no-picture", None, "left laptop", "Choose a picture first"),
        ("no-words", PHOTO, "", "Write what to look for"),
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
    for panel in ("options", "downloads", "compare-panel", "code", "how"):
        if panel != "downloads" or page.locator("#downloads").count():  # else all sets are here
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


def only(pipeline):
    return Choices([ModelSet("mini", lambda: pipeline)])


def test_without_stage_3_the_page_says_so(browser):
    with served(browser, only(fake_pipeline(correct=False))) as tab:
        upload(tab, PHOTO)
        ask(tab, "left laptop")
        expect(pictures(tab, "prompts")).to_have_count(3, timeout=WAIT)
        expect(pictures(tab, "answers")).to_have_count(1)
        expect(pictures(tab, "sides")).to_have_count(0)
        expect(tab.locator("body")).to_contain_text("This page has no model for stage 3")
        expect(tab.locator(".intro.prose")).not_to_contain_text("trained model")
        expect(tab.locator("#threshold")).to_have_count(0)
        expect(tab.locator("#words")).not_to_contain_text("S+S+C")
        screenshot(tab, "no-stage-3")


def test_page_starts_without_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_app, "EXAMPLES", tmp_path)
    assert demo_app.build(only(fake_pipeline()))
