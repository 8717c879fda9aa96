"""The page's endpoints, and the code that it shows for them."""

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file

import demo_app
from ssc.page.choices import OPTIONS as NAMES
from ssc.page.request import NUMBERS
from tests.page.browser import OPTIONS, PHOTO, ROOT, WAIT, answered, expect, segment

pytestmark = pytest.mark.long


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
    assert (answer["version"], record["width"]) == (2, 320)
    assert (record["candidate"], record["selected"]["candidate"]) == (1, 3)
    assert record["corrected"]["snapped"] == 1
    assert segment(url, "")["kind"] == "ExpressionError"
    missing = segment(url, "dog", *OPTIONS[:-3], "base")
    assert "models --download base" in missing["error"]
    assert missing["kind"] == "WeightsError"
    assert "got unicorn" in segment(url, "dog", *OPTIONS[:6], "unicorn, dog")["error"]
    wrong = segment(url, "laptop", "reverse_blur", -1)
    assert wrong == {
        "error": "sigma: expected a number, 1 to 100, got -1",
        "kind": "OptionError",
    }
    both = segment(
        url,
        "left laptop",
        *OPTIONS,
        *("crop", 50, "argmax", 0.7, "off", 0, "", True, False, "mini", False, False),
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


BAD = {
    "sigma": [None, "50", True, 1e9, float("nan")],
    "box_threshold": ["0.3", -0.1, [0.3]],
    "text_threshold": ["", 2],
    "spatial": ["false", 0, None],
    "project": ["true", 1],
    "prompt": [3, None, "glow"],
    "rule": ["best", False],
    "correct": ["nowhere", 1],
    "models": ["huge", ["mini"]],
    "vocabulary": [7, [1]],
}


@pytest.mark.parametrize("name", BAD)
def test_case_16_bad_options_are_told_in_the_documented_form(url, name):
    client = Client(url, verbose=False)
    for value in BAD[name]:
        if value != value:  # JSON has no NaN
            continue
        asked = {"picture": handle_file(PHOTO), "expressions": "laptop", name: value}
        answer = client.predict(**asked, api_name="/segment")
        assert answer.keys() == {"error", "kind"}, (value, answer)
        assert answer["kind"] == "OptionError"
        assert name in answer["error"] or name in ("correct", "models")
    asked = {"picture": handle_file(PHOTO), "expressions": "laptop", f"{name}_b": BAD[name][0]}
    answer = client.predict(**asked, api_name="/compare")
    assert answer["kind"] == "OptionError"
    if name in NUMBERS:
        assert f"{name}_b: expected" in answer["error"]


def test_case_16_a_list_of_expressions_is_as_many_objects(url):
    client = Client(url, verbose=False)

    def asked(expressions):
        return client.predict(handle_file(PHOTO), expressions, api_name="/segment")

    both = asked(["left laptop", ["right laptop", "laptop at the right"]])["results"]
    assert [record["expressions"] for record in both] == [
        ["left laptop"],
        ["right laptop", "laptop at the right"],
    ]
    one = asked("left laptop\nright laptop | laptop at the right")["results"]
    assert [r["candidate"] for r in one] == [r["candidate"] for r in both]
    for bad in (3, [3], [[]], [""], {"a": "b"}, [["a", 1]]):
        assert asked(bad)["kind"] == "ExpressionError"


def test_case_22_a_picture_is_a_file_or_a_data_url(url):
    client = Client(url, verbose=False)
    text = "data:image/jpeg;base64," + base64.b64encode(PHOTO.read_bytes()).decode()
    for sent in ({"url": text}, {"path": None, "url": text}, text):
        [record] = client.predict(sent, "left laptop", api_name="/segment")["results"]
        assert (record["width"], record["candidate"]) == (320, 1)
    wrong = {
        "none": None,
        "an address": {"url": "https://example.com/a.jpg"},
        "no base64": {"url": "data:image/png;base64,é"},
        "another encoding": {"url": "data:image/png,abc"},
        "a number": 3,
        "a list": [text],
        "no picture": {"url": "data:image/png;base64,AAAA"},
    }
    for sent in wrong.values():
        answer = client.predict(sent, "left laptop", api_name="/segment")
        assert answer["kind"] == "PictureError", answer
    assert "handle_file" in client.predict(3, "left laptop", api_name="/segment")["error"]


def test_two_pages_share_no_uploads(monkeypatch, tmp_path):
    monkeypatch.delenv(demo_app.UPLOADS)
    before = get_upload_folder()
    with demo_app.own_uploads():
        own = Path(get_upload_folder())
        assert own.is_dir()
        (own / "a.png").write_bytes(b"x")
        monkeypatch.setenv(demo_app.UPLOADS, "")  # as another process begins
        with demo_app.own_uploads():
            assert get_upload_folder() not in (before, str(own))
        assert (own / "a.png").exists()
        monkeypatch.setenv(demo_app.UPLOADS, str(own))
    assert not own.exists()
    assert get_upload_folder() == before
    monkeypatch.setenv(demo_app.UPLOADS, str(tmp_path))
    with demo_app.own_uploads():
        assert get_upload_folder() == str(tmp_path)
    assert tmp_path.is_dir()
