"""The page in a real browser: what its tests do with it.

Screenshots go to screenshots/, which git ignores.
"""

from contextlib import contextmanager
from pathlib import Path

from gradio_client import Client, handle_file
from playwright.sync_api import expect

import demo_app
from tests.fake_pipeline import SCENE, SCENES

ROOT = Path(__file__).parents[2]
PHOTO = SCENES / f"{SCENE}.jpg"
WAIT = 60_000  # ms; for machines that are busy
OPTIONS = "reverse_blur", 50, "argmax", 0, "own", 0, "", True, False, "mini", False, False
"""As the page opens, in the order of the endpoints' arguments."""


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
    try:
        expect(pictures(page, "sides")).to_have_count(2, timeout=WAIT)
    except AssertionError as error:  # with what a person would see instead
        screenshot(page, "unanswered")
        raise AssertionError(f"{error}\n{page.locator('body').inner_text()}") from None
    return page


def segment(url, expressions, *settings, api_name="/segment"):
    client = Client(url, verbose=False)
    return client.predict(handle_file(PHOTO), expressions, *settings, api_name=api_name)
