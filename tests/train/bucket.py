"""A bucket of moto's server, behind what drops, cuts off and delays requests."""

import itertools
import logging
import random
import socket
import threading
import time

SHARE = 0.05  # of requests that are dropped, as many that are cut off and as many delayed
DELAY = 0.2  # seconds
NUMBERS = itertools.count()  # of buckets: what is in them stays, whichever server had them


class Bucket:
    """A server on this machine, from `with` to its end.

    Attributes:
        url: of the bucket.
        environment: what a process needs to find it.
        files: names that were sent, in the order in which they came.
        got: names that were asked for, likewise.
        dropped: the requests that were not looked at.
        cut: those that were done, and whose answer ended in its middle.
    """

    def __init__(self):
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._chance = random.Random(0)
        self.files, self.got, self.dropped, self.cut = [], [], [], []
        self._server = make_server("127.0.0.1", 0, self._flaky, threaded=True)
        self.url = ""
        self.environment = {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_MAX_ATTEMPTS": "1",  # it is this package that tries again
        }

    def __enter__(self):
        self.empty()
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def empty(self):
        """Another bucket takes the place of the one before."""
        from werkzeug.test import Client

        name = f"own{next(NUMBERS)}"
        self.url = f"s3://{name}"
        host = self.environment["AWS_ENDPOINT_URL"]
        head = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request"}
        assert Client(self._moto).put(f"/{name}", host, headers=head).status_code == 200

    def _flaky(self, environ, start_response):
        method, name = environ["REQUEST_METHOD"], environ["PATH_INFO"].rpartition("/")[2]
        drawn = self._chance.random()
        if drawn < SHARE:
            self.dropped.append(name)
            _close(environ)
        {"PUT": self.files, "GET": self.got}.get(method, []).append(name)
        if drawn > 1 - SHARE:
            time.sleep(DELAY)
        answer = self._moto(environ, start_response)
        if drawn > 2 * SHARE:
            return answer
        self.cut.append(name)
        return _half(environ, b"".join(answer))

    def kill_at_work(self, process, chance, most=1):
        """Kills a process at a random moment after it has sent a random number of files."""
        enough = len(self.files) + chance.randint(1, most)
        while process.is_alive() and len(self.files) < enough:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.join()


def _half(environ, answer):
    if answer:
        yield answer[: len(answer) // 2]
    _close(environ)


def _close(environ):
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
