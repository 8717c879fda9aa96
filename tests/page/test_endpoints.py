"""The page's endpoints, and the code that it shows for them."""

import shutil
import subprocess
import sys

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from ssc.page.choices import OPTIONS as NAMES
from tests.page.browser import OPTIONS, PHOTO, ROOT, WAIT, answered, expect, segment


def test_code_to_copy_is_the_call(open_page, tmp_path):
    page = answered(open_page, 'left laptop\'s "lid"')
    page.click("#code > button")
    expect(page.locator("#python")).to_contain_text("api_name", timeout=WAIT)
    python = "\n".join(page.locator("#python .cm-line").all_inner_texts())
    page.get_by_role("tab", name="curl").click()
    curl = "\n".join(page.locator("#curl .cm-line").all_inner_texts())
    shutil.copy(PHOTO, tmp_path)
    for argv in ([sys.executable, "-c", python], ["bash", "-c", curl]):
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert "S+S chose candidate" in done.stdout, done


@pytest.mark.long
def test_named_endpoints(url):
    answer = segment(url, "left laptop")
    [record] = answer["results"]
    assert (answer["version"], record["width"]) == (1, 320)
    assert (record["candidate"], record["selected"]["candidate"]) == (1, 3)
    assert record["corrected"]["snapped"] == 1
    assert segment(url, "")["kind"] == "ExpressionError"
    missing = segment(url, "dog", *OPTIONS[:-1], "base")
    assert "models --download base" in missing["error"]
    assert missing["kind"] == "WeightsError"
    assert "got unicorn" in segment(url, "dog", *OPTIONS[:6], "unicorn, dog")["error"]
    with pytest.raises(AppError, match="less than minimum"):
        segment(url, "laptop", "reverse_blur", -1)
    both = segment(
        url,
        "left laptop",
        *OPTIONS,
        *("crop", 50, "argmax", 0.7, "off", 0, "", True, False, "mini"),
        api_name="/compare",
    )
    assert [len(both[x]["results"][0]["candidates"]) for x in "ab"] == [3, 2]
    assert both["b"]["results"][0]["corrected"] is None
    assert both["compared"][0]["corrected_iou"] is None


def test_only_the_two_endpoints_are_public(url):
    client = Client(url, verbose=False)
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/segment", "/compare"}


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_a_file_of_the_server_cannot_be_asked_for(url, meta):
    picture = {"path": str(ROOT / "assets" / "readme.png"), **meta}
    data = [picture, "dog", *OPTIONS]
    started = httpx.post(f"{url}gradio_api/call/segment", json={"data": data}).json()
    answer = httpx.get(f"{url}gradio_api/call/segment/{started['event_id']}", timeout=60).text
    assert answer.startswith("event: error"), answer[:300]


def test_options_are_named_and_may_be_left_out(url):
    described = Client(url, verbose=False).view_api(return_format="dict")["named_endpoints"]
    asked = described["/segment"]["parameters"]
    assert [p["parameter_name"] for p in asked] == ["picture", "expressions", *NAMES]
    assert all(p["parameter_has_default"] for p in asked[2:])
    both = [p["parameter_name"] for p in described["/compare"]["parameters"][2:]]
    assert both == [f"{name}_{side}" for side in "ab" for name in NAMES]
