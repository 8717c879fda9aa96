"""A server of our own, which a test can tell to cut, refuse or not resume a download."""

import hashlib
from http.server import BaseHTTPRequestHandler

from ssc.weights.files import Weights

DATA = bytes(range(256)) * 40
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()


class Server(BaseHTTPRequestHandler):
    cut = 0  # bytes after which the connection ends, once; 0 for never
    ranges = True
    token = ""  # that is asked for
    asked: list = []  # noqa: RUF012

    def do_GET(self):
        start = 0
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            return self.send_error(401 if "Authorization" not in self.headers else 403)
        if self.ranges and (given := self.headers.get("Range")):
            start = int(given.removeprefix("bytes=").rstrip("-"))
        type(self).asked.append((self.path, start))
        if not self.path.endswith("weights.bin"):
            return self.send_error(404)
        if start >= len(DATA):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        end = start + self.cut if self.cut else len(DATA)
        type(self).cut = 0
        self.wfile.write(DATA[start:end])
        return None

    def log_message(self, *_):
        pass


def weights(source, file="weights.bin", size=SIZE, sha256=SHA, revision=""):
    return Weights(file, source, revision, size, sha256, "MIT")


def left(file):
    return sorted(p.name for p in file.path.parent.iterdir() if not p.name.endswith(".lock"))


class Bar:
    """A progress bar that keeps count."""

    def __init__(self, total, initial, unit, unit_scale, desc):
        self.total, self.n, self.desc = total, initial, desc
        bars.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, n):
        self.n += n


bars: list[Bar] = []
