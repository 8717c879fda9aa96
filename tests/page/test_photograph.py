"""The page on a photograph: a set is got by a button, and the same question asked again with it."""

import re

import pytest

import ssc.page.session
from ssc.page.choices import Choices, ModelSet
from tests.fake_pipeline import fake_pipeline
from tests.page.browser import PHOTO, WAIT, ask, expect, pictures, screenshot, served, upload


class Registry:
    """Stands in for a package registry: pocket is here once it is let through."""

    def __init__(self):
        self.here = self.fails = False

    def lacks(self):
        return "" if self.here else "114 MB to download"

    def watch(self, name):
        for share in (0.0, 0.5):
            text = f'<progress value="{share}"></progress><p>{name}: {share:.0%}, 9 s left</p>'
            yield text, {}, {}
        self.here = not self.fails
        yield f"<p>{'No network' if self.fails else 'pocket is here'}.</p>", {}, {}


@pytest.fixture
def registry(monkeypatch):
    registry = Registry()
    monkeypatch.setattr("ssc.page.handlers.watch", registry.watch)
    monkeypatch.setattr("ssc.page.handlers.absent", lambda: {"pocket": 114_000_000})
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    mini = fake_pipeline()
    known = []
    mini.segment.detector.knows_scenes_only = True
    monkeypatch.setattr(
        ssc.page.session, "is_unknown", lambda d, _: hasattr(d, "knows_scenes_only")
    )
    pocket = fake_pipeline(correct=False)
    registry.choices = Choices(
        [
            ModelSet("mini", lambda: mini),
            ModelSet(
                "pocket",
                lambda: known.append(1) or pocket,
                "Photographs.",
                lambda: registry.lacks() and "The weights are missing.",
                registry.lacks,
            ),
        ]
    )
    registry.known = known
    return registry


def test_got_and_asked_again_by_itself(browser, registry):
    with served(browser, registry.choices) as page:
        page.click("#options > button")
        label = page.locator("#models label", has_text="pocket")
        expect(label).to_have_text("pocket (needs 114 MB to download)")
        expect(label).to_have_class(re.compile("missing"))
        page.click("#options > button")
        upload(page, PHOTO)
        ask(page, "left laptop")
        expect(pictures(page, "sides")).to_have_count(2, timeout=WAIT)
        expect(page.locator("#answers .caption-label")).to_contain_text("not meaningful")
        button = page.locator("#get-pocket")
        expect(button).to_have_text("Get pocket (114 MB)")
        screenshot(page, "photograph-mini")
        registry.fails = True
        button.click()
        expect(page.locator("#getting")).to_contain_text("No network", timeout=WAIT)
        expect(button).to_be_enabled()
        assert registry.known == []  # nothing is asked of what is not here
        registry.fails = False
        button.click()
        captions = page.locator("#answers .caption-label")
        expect(captions).not_to_contain_text("not meaningful", timeout=WAIT)
        # What this set does not have takes no room, and is named.
        expect(page.locator("#sides, #heat, #threshold")).to_have_count(0)
        expect(page.locator("body")).to_contain_text("Did not run: it is off, or this model set")
        expect(page.locator(".note")).to_have_count(0)
        expect(button).not_to_be_visible()
        assert registry.known
        page.click("#options > button")
        expect(page.locator("#models").get_by_label("pocket", exact=True)).to_be_checked()
        assert page.locator("#models label.missing").count() == 0
        assert page.locator(".toast-body").count() == 0


def test_nothing_is_offered_where_downloads_are_off(browser, registry, monkeypatch):
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    with served(browser, registry.choices) as page:
        upload(page, PHOTO)
        ask(page, "left laptop")
        expect(page.locator(".note")).to_contain_text("models --download pocket", timeout=WAIT)
        expect(page.locator("#get-pocket")).not_to_be_visible()
