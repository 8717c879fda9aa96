"""The page of a checkout, started for what measures it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "demo_app.py"
PATIENCE = 300  # seconds


def start_page(port: int) -> subprocess.Popen[bytes]:
    """The page's process, once it answers.

    Raises:
        SystemExit: this is no checkout, or the page ends or does not answer within `PATIENCE`.
    """
    if not PAGE.exists():
        raise SystemExit(f"error: expected {PAGE}, found no such file: run this in a checkout")
    command = [sys.executable, str(PAGE), "--port", str(port)]
    page = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    while page.poll() is None and time.monotonic() < until:
        if _answers(port):
            return page
        time.sleep(0.1)
    page.terminate()
    raise SystemExit(
        f"error: {PAGE}: expected an answer on port {port} within {PATIENCE} s, got none"
    )


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
