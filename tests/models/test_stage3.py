"""Stage 3 for photographs: fetched from a stand-in for Google Drive, converted, kept, used."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import requests
import torch
from huggingface_hub import constants

from ssc.__main__ import main
from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.errors import InputError
from ssc.models import stage3
from ssc.models.parts import WEIGHTS
from ssc.models.sets import load, own_checkpoint
from ssc.weights.checkpoints import find_checkpoint, kept_folder
from tests.train.tiny_lavt import TRUE_DEPTHS, tiny_config

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "tests" / "data" / "golden" / "official_lavt_swinb_keys.json"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "left", "dog", "guy", "##s"]
PAGE = (
    '<html><body><form id="download-form" action="{action}" method="get">'
    '<input type="submit" value="Download anyway"/><input type="hidden" name="id" value="{id}">'
    '<input type="hidden" name="export" value="download">'
    '<input type="hidden" name="confirm" value="t"></form></body></html>'
)


class Drive(BaseHTTPRequestHandler):
    """Asks for a confirmation first, as Google Drive does of large files; takes byte ranges."""

    def do_GET(self):
        asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        server = self.server
        server.asked.append((urlsplit(self.path).path, asked, self.headers.get("Range")))
        if "confirm" not in asked:
            page = PAGE.format(action="https://drive.google.com/download", id=asked["id"]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        data, start = server.data, 0
        if came := self.headers.get("Range"):
            start = int(came.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if came else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", 'attachment; filename="checkpoint.pth"')
        self.send_header("Content-Length", str(len(data) - start))
        if came:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if server.slow and not came:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            server.half.append(True)
            time.sleep(30)  # the client is killed meanwhile
            return
        self.wfile.write(data[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with BERT's words, of a few; everything of stage 3 is tiny."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    [words] = WEIGHTS["bert-words"]
    words.path.parent.mkdir(parents=True)
    words.path.write_text("\n".join(VOCABULARY))
    monkeypatch.setattr(type(words), "present", property(lambda file: file.path.exists()))
    monkeypatch.setitem(CONFIGS, "swin_b", tiny_config(len(VOCABULARY), TRUE_DEPTHS))
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    return tmp_path


@pytest.fixture
def authors(cache):
    """A file of the authors' form: of several GPUs, with BERT's pooler and an optimizer."""
    torch.manual_seed(0)
    config = tiny_config(len(VOCABULARY), TRUE_DEPTHS)
    model = ReferringModel(config["lavt"], config["bert"])
    wrapped = {f"module.{name}": value for name, value in model.lavt.state_dict().items()}
    bert = {f"module.{name}": value for name, value in model.bert.state_dict().items()}
    bert |= {
        "module.pooler.dense.weight": torch.zeros(4, 4),
        "embeddings.position_ids": torch.arange(4),
    }
    held = {"model": wrapped, "bert_model": bert, "optimizer": {"state": {0: torch.zeros(10**6)}}}
    torch.save({**held, "args": argparse.Namespace(window12=True)}, cache / "mine.pth")
    return cache / "mine.pth", model


@pytest.fixture
def drive(authors):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Drive)
    server.data, server.asked, server.half, server.slow = authors[0].read_bytes(), [], [], False
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


CHILD = """
import sys, json
import requests
from huggingface_hub import constants
from ssc.correct.predict import CONFIGS
from ssc.weights.files import Weights
from tests.train.tiny_lavt import TRUE_DEPTHS, tiny_config
port, hub, words = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
get = requests.Session.get
def local(self, url, **options):  # Google Drive's host, here
    assert url.startswith("https://drive.google.com/"), url
    return get(self, url.replace("https://drive.google.com", f"http://127.0.0.1:{port}"), **options)
requests.Session.get = local
constants.HF_HUB_CACHE = hub
CONFIGS["swin_b"] = tiny_config(words, TRUE_DEPTHS)
Weights.present = property(lambda file: file.path.exists())
from ssc.__main__ import main
sys.exit(main(["models", "--download", "ssc-refcoco", *sys.argv[4:]]))
"""


def start(drive, cache, *options):
    command = [sys.executable, "-c", CHILD, str(drive.server_port), str(cache / "hub")]
    return subprocess.Popen(
        [*command, str(len(VOCABULARY)), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
@pytest.mark.process
def test_from_the_drive_to_an_answer_on_a_photograph_killed_once(drive, authors, cache, capsys):
    # The terms are shown, and nothing is asked of the network before they are agreed to.
    done = start(drive, cache)
    _, told = done.communicate(timeout=240)
    assert done.returncode == 2
    assert "no licence" in told
    assert "give --yes to agree" in told
    assert not drive.asked

    drive.slow = True
    killed = start(drive, cache, "--yes")
    deadline = time.monotonic() + 240
    while not (drive.half and list(kept_folder().glob("*.part"))):
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.1)
    time.sleep(1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    [part] = kept_folder().glob("*.part")
    assert 0 < part.stat().st_size < len(drive.data)
    assert own_checkpoint("base") is None

    drive.slow = False
    done = start(drive, cache, "--yes")
    out, told = done.communicate(timeout=240)
    assert done.returncode == 0, told
    assert "ssc-refcoco" in out
    assert any(
        ranged and asked["id"] == stage3.AUTHORS["ssc-refcoco"] for _, asked, ranged in drive.asked
    )
    assert sorted(path.name for path in kept_folder().iterdir()) == [
        "ssc-refcoco",
        "ssc-refcoco.lock",
    ]

    # Kept beside the other weights: every set but mini has it by itself.
    folder = kept_folder("ssc-refcoco")
    assert own_checkpoint("base") == own_checkpoint("lite") == own_checkpoint("pocket") == folder
    assert own_checkpoint("mini") != folder
    expected = authors[1].state_dict()
    loaded = Corrector.load(folder).model.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in expected.items())
    # S+S+C on a picture, by the name that it is kept under.
    picture = ROOT / "assets" / "examples" / "faces.jpg"
    options = ["--models", "mini", "--correct", "ssc-refcoco", "--out", str(cache / "out")]
    assert main([str(picture), "the left guy", *options]) == 0
    assert (cache / "out" / "faces.corrected.mask.png").exists()
    count = len(drive.asked)
    assert main(["models", "--download", "ssc-refcoco", "--yes"]) == 0  # it is here
    assert len(drive.asked) == count


def test_the_stand_ins_file_has_the_published_names(authors):
    names = json.loads(KEYS.read_text())
    held = torch.load(authors[0], weights_only=False)["model"]
    assert {name.removeprefix("module.") for name in held} == set(names)


@pytest.mark.long
def test_each_published_checkpoint_is_fetched_by_its_name(drive, authors, monkeypatch):
    get = requests.Session.get

    def local(self, url, **options):
        here = f"http://127.0.0.1:{drive.server_port}"
        return get(self, url.replace("https://drive.google.com", here), **options)

    monkeypatch.setattr(requests.Session, "get", local)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    expected = authors[1].state_dict()
    for name in reversed(stage3.AUTHORS):  # the first comes last, and is taken all the same
        assert main(["models", "--download", name, "--yes"]) == 0
        assert drive.asked[-1][1]["id"] == stage3.AUTHORS[name]
        loaded = Corrector.load(find_checkpoint(name)).model.state_dict()
        assert all(torch.equal(value, loaded[key]) for key, value in expected.items())
    assert own_checkpoint("base") == kept_folder("ssc-refcoco")


@pytest.mark.long
def test_a_file_of_ones_own(authors, cache, capsys):
    path, model = authors
    assert main(["models", "--add", str(path)]) == 0
    folder = find_checkpoint("mine")
    assert folder == kept_folder("mine")
    corrector = Corrector.load(folder)
    upper, lower = (
        corrector.tokenizer(text)["input_ids"] for text in ("The left DOGS", "the left dogs")
    )
    assert upper == lower == [2, 5, 6, 7, 9, 3]
    image = np.zeros((20, 30, 3), np.uint8)
    own = Corrector(model, corrector.tokenizer, size=corrector.size, words=corrector.words)
    np.testing.assert_allclose(
        corrector.predict(image, ["left dog"]), own.predict(image, ["left dog"]), atol=1e-6
    )
    assert load("mini", correct="mine").correct is not None
    assert main(["models"]) == 0
    rows = {row.split()[0]: row for row in capsys.readouterr().out.splitlines() if row.strip()}
    assert "yes" in rows["mine"]
    assert "no" in rows["ssc-refcocog-google"]
    with pytest.raises(InputError, match="mine: expected another name"):
        stage3.add(path, "mine")
    torch.save({"state": torch.zeros(1)}, cache / "other.pth")
    with pytest.raises(InputError, match="expected weights under model and bert_model"):
        stage3.add(cache / "other.pth", "other")
    assert not kept_folder("other").exists()


def test_downloads_off_and_a_network_that_is_not_there(cache, monkeypatch):
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    with pytest.raises(InputError, match="ssc-refcoco: downloads are switched off"):
        stage3.fetch("ssc-refcoco", True)
    monkeypatch.delenv("SSC_NO_DOWNLOADS")
    monkeypatch.setattr("gdown.download", refuse)
    with pytest.raises(
        InputError, match=r"got: no route to it; run this again, .* --add FILE\.pth"
    ):
        stage3.fetch("ssc-refcoco", True)
    assert own_checkpoint("base") is None


def refuse(**_):
    raise ConnectionError("no route to it")
