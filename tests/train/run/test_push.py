"""A checkpoint is published with a card: on a Hub that stands in for the real one."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from train.run import push

NAME = "me/my-model"


class Hub(BaseHTTPRequestHandler):
    """Takes what huggingface_hub sends; commits are held by file name."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.server.refuses:
            return self.answer({"error": "Unauthorized"}, 401)
        if self.path == "/api/repos/create":
            return self.answer({"url": f"http://{self.headers['Host']}/{NAME}"})
        if self.path.endswith("/preupload/main"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        if not self.path.endswith("/commit/main"):  # it looks at the card before
            return self.answer({"errors": [], "warnings": []})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.server.files[line["value"]["path"]] = content
        url = f"http://{self.headers['Host']}/{NAME}/commit/1"
        commit = {"commitUrl": url, "commitOid": "1"}
        return self.answer({"success": True, **commit})

    def do_GET(self):
        self.answer({"error": "Unauthorized"}, 401)  # nothing is there before

    def answer(self, content, status=200):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    import huggingface_hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.files, server.refuses = [], {}, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    own = huggingface_hub.HfApi(
        endpoint=f"http://127.0.0.1:{server.server_port}", token="hf_secret"
    )
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: own)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (folder / name).write_bytes(name.encode())
    (folder / "state.pt").write_bytes(b"the training's own")
    settings = {"data": "my/pictures.jsonl", "recipe": "paper", "model set": "mini"}
    (tmp_path / "run.json").write_text(json.dumps(settings))
    rows = {"S+S": {"mIoU": 0.4}, "S+S+C": {"mIoU": 0.512}}
    evaluation = {"splits": {"val": {"all": {"rows": rows}}}}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    return folder


def test_all_of_a_checkpoint_and_a_card_are_published(hub, checkpoint, capsys):
    push.main([str(checkpoint), NAME])
    names = {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert hub.files.keys() == names
    assert hub.files["model.safetensors"] == b"model.safetensors"
    card = hub.files["README.md"].decode()
    assert "\nlicense: apache-2.0\n" in card
    assert "| data | `my/pictures.jsonl` |" in card
    assert "| val | S+S+C | 51.2 |" in card
    assert f'correct="{NAME}"' in card
    assert {who for _, who in hub.asked} == {"Bearer hf_secret"}
    assert "published as" in capsys.readouterr().out


def test_a_refusal_is_one_line(hub, checkpoint, capsys):
    hub.refuses = True
    with pytest.raises(SystemExit):
        push.main([str(checkpoint), NAME])
    assert "me/my-model: the Hub does not take it" in capsys.readouterr().err
    assert hub.files == {}


def test_a_dry_run_shows_the_card_alone(hub, checkpoint, capsys):
    push.main([str(checkpoint), NAME, "--dry-run"])
    assert "## Figures" in capsys.readouterr().out
    assert hub.asked == []


@pytest.mark.parametrize("missing", ["checkpoint/model.safetensors", "run.json"])
def test_what_is_no_runs_checkpoint_is_refused(hub, checkpoint, missing, capsys):
    (checkpoint.parent / missing).unlink()
    with pytest.raises(SystemExit):
        push.main([str(checkpoint), NAME])
    assert "expected" in capsys.readouterr().err
    assert hub.asked == []
