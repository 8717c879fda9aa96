"""The page answers a photograph in a browser, by the pocket set's real weights."""

import pytest

from ssc.metrics import mask_iou
from ssc.models.bundled import ASSETS
from ssc.page.choices import Choices, ModelSet
from tests.page.browser import WAIT, bars, expect, pictures, screenshot, served, upload
from tests.real.pictures import own_pictures, real_pocket

pytestmark = pytest.mark.long

COFFEE = ASSETS / "examples" / "coffee.jpg"
WORDS = ["cup of coffee", "spoon", "the smallest thing"]


@pytest.fixture(scope="module")
def pocket():
    return real_pocket()


def test_a_photograph_is_answered(browser, pocket):
    results = pocket(COFFEE, WORDS)
    with served(browser, Choices([ModelSet("pocket", lambda: pocket, "Photographs.")])) as page:
        upload(page, COFFEE)
        page.fill("#expressions textarea", "\n".join(WORDS))
        page.click("#run")
        expect(pictures(page, "answers")).to_have_count(3, timeout=2 * WAIT)
        captions = page.locator("#answers .caption-label").all_inner_texts()
        assert captions == [
            f"{n} · Answer ({result.sure}) · candidate {result.answer.number}"
            for n, result in enumerate(results, 1)
        ]
        page.get_by_label("3 · the smallest thing").check()
        count = len(results[2].candidates)
        assert count > 2
        expect(pictures(page, "prompts")).to_have_count(count, timeout=WAIT)
        expect(page.locator("#scores tbody tr").first).to_contain_text("chosen")
        assert len(bars(page, "scores")) >= count
        expect(page.locator("body")).to_contain_text("Your words for place, size and colour chose")
        # It has no stage 3: nothing of it takes room.
        expect(page.locator("#sides, #heat, #threshold")).to_have_count(0)
        assert page.locator(".toast-body").count() == 0
        assert page.locator(".note").count() == 0
        screenshot(page, "photograph-pocket")


def test_and_right(pocket):
    found, absent = own_pictures()
    coffee = next((picture for picture in found if picture.name.endswith("coffee.png")), None)
    if coffee is None:
        pytest.skip(f"pip install -e '.[dev]' brings these photographs: {', '.join(absent)}")
    truth = {thing.name: thing.mask for thing in coffee.objects}
    cup, spoon, smallest = (result.mask for result in pocket(coffee.image, WORDS))
    assert mask_iou(cup, truth["cup"]) > 0.7
    assert mask_iou(spoon, truth["spoon"]) > 0.7
    assert mask_iou(smallest, truth["spoon"]) > 0.7
