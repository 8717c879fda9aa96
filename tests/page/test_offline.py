"""The page in a real browser, on a machine without network or weights."""

from socket import gaierror
from urllib.error import URLError

from huggingface_hub import constants

from tests.page.browser import WAIT, expect, pictures, screenshot, served


def test_asking_for_base_is_one_message_and_the_page_goes_on(
    browser, choices, tmp_path, monkeypatch
):
    def unreachable(*_, **__):
        raise URLError(gaierror(-2, "Name or service not known"))

    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("ssc.weights.downloads.urlopen", unreachable)
    monkeypatch.setattr("ssc.page.download._running", {})
    with served(browser, choices) as tab:
        tab.click("#downloads > button")
        tab.locator("#downloads").get_by_label("base, 2.3 GB").check()
        tab.click("#download")
        said = tab.locator("#download-state p")
        expect(said).to_contain_text("Name or service not known", timeout=WAIT)
        expect(said).to_have_count(1)
        expect(said).to_contain_text("The base set could not be downloaded. https://")
        expect(said).to_contain_text("check the network or proxy and run this again")
        expect(said).to_contain_text("the bundled mini set needs no download")
        expect(tab.locator("#download-state progress")).to_have_count(0)
        expect(tab.locator(".toast-body")).to_have_count(0)
        expect(tab.locator("#download")).to_be_enabled()  # to try again
        expect(tab.locator("#download-stop")).to_be_disabled()
        screenshot(tab, "no-network")
        tab.locator("#examples .gallery-item").first.click()
        expect(pictures(tab, "sides")).to_have_count(4, timeout=WAIT)
        expect(said).to_have_count(1)
