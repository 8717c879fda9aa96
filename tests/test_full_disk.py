"""Full disks: each write says which file, what it needs, what is free, and goes on afterwards."""

import asyncio
import errno
import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
import torch
from accelerate.state import AcceleratorState

import demo_app
from ssc import writing
from ssc.__main__ import main
from ssc.entry import Ended
from ssc.errors import WriteError
from ssc.page.full import tell_full
from ssc.page.handlers import Handlers
from ssc.page.parked import park
from ssc.page.session import Session
from ssc.writing import (
    DiskFull,
    check_space,
    explained,
    make_folder,
    make_place,
    write_whole,
    written,
)
from tests.fake_pipeline import SCENE, SCENES, fake_pipeline, scene_image
from tests.train import toy
from tests.train.slice_pictures import pictures
from train.data.export import export
from train.run import __main__ as run

SAYS = re.compile(r"(\S+): No space left on the disk: it needs .+, .+ are free; make room or")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
@pytest.mark.parametrize("size", ["8k", "24k", "40k", "64k"])
def test_ssc_names_the_file_and_goes_on(disk, tmp_path, capsys, size):
    photo = str(SCENES / f"{SCENE}.jpg")
    load = lambda name, correct: fake_pipeline()  # noqa: E731
    main([photo, "left laptop", "--out", str(tmp_path / "whole")], load)
    capsys.readouterr()
    command = [photo, "left laptop", "--out", str(disk(size) / "out")]
    assert main(command, load) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert SAYS.search(err), err
    assert str(disk(size)) in err
    half = files(disk(size))
    whole = files(tmp_path / "whole")
    assert all(whole[name] == data for name, data in half.items())  # whole, or not there
    disk("64m")
    assert main(command, load) == 0
    after = files(disk("64m"))
    assert after.keys() == whole.keys()
    assert all(after[name] == whole[name] for name in whole if name.endswith(".png"))


@pytest.mark.long
@pytest.mark.parametrize("share", [0.1, 0.45, 0.8, 0.95])
def test_a_training_goes_on_to_the_same_bytes(disk, tmp_path, share):
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    common = {"cache": tmp_path / "cache", "save_every": 2, "pictures": 16}
    toy.train("bootstrap", tmp_path / "whole", 4, **common)
    whole = files(tmp_path / "whole")
    size = sum(map(len, whole.values()))
    out = disk(int(size * share)) / "out"
    with pytest.raises(WriteError, match=SAYS) as full:
        toy.train("bootstrap", out, 4, **common)
    assert str(out) in str(full.value)
    disk(size * 8)
    toy.train("bootstrap", out, 4, **common)
    assert (out / "model.safetensors").read_bytes() == whole["model.safetensors"]
    assert not list(out.rglob("*.tmp"))


def run_in(command, out):
    AcceleratorState._reset_state(reset_partial_state=True)
    run.main([*command, "--out", str(out)])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The command of a small run, and the folder of one that met no full disk."""
    folder, scenes = tmp_path_factory.mktemp("unbroken"), list(pictures(6))
    data = export(scenes[:4], folder / "data" / "train.jsonl")
    val = export(scenes[4:], folder / "data" / "val.jsonl", masks=True)
    command = ["--data", str(data), "--val", str(val), "--init", "none", "--precision", "no"]
    command += ["--batch", "2", "--steps", "2", "--save-every", "1"]
    run_in(command, folder / "whole")
    return command, folder / "whole"


@pytest.mark.long
@pytest.mark.parametrize(
    "share",
    [
        *(pytest.param(share, marks=pytest.mark.slow) for share in (0.001, 0.03, 0.2, 0.8, 0.97)),
        0.55,
    ],
)
def test_a_run_goes_on_to_the_same_bytes(disk, unbroken, capsys, share):
    """Full in stages 1 and 2, the cache, either training, the checkpoint or the report."""
    command, whole = unbroken
    before = files(whole)
    size = sum(map(len, before.values()))
    out = disk(int(size * share)) / "out"
    capsys.readouterr()
    with pytest.raises(Ended) as ended:
        run_in(command, out)
    assert ended.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "error" in line.lower()]
    assert SAYS.search(line), line
    assert str(out) in line
    disk(size * 8)
    run_in(command, out)
    after = files(out)
    assert not [name for name in after if name.endswith((".tmp", ".part"))]
    shards = [name for name in before if name.startswith("shard-")]
    assert shards
    assert all(after[name] == before[name] for name in shards)
    for name in ("bootstrap", "correct", "checkpoint"):
        weights = f"{name}/model.safetensors"
        assert (out / weights).read_bytes() == (whole / weights).read_bytes()
    tables = [json.loads(found["evaluation.json"])["splits"] for found in (before, after)]
    assert tables[0] == tables[1]


def test_a_cache_that_cannot_fit_says_so_before_it_begins(disk, monkeypatch):
    read = []
    monkeypatch.setattr(toy.Squares, "__getitem__", lambda *_: read.append(1))
    with pytest.raises(DiskFull, match=SAYS):
        toy.examples(disk("40k"))
    assert not read


def test_the_pages_archive(disk, monkeypatch):
    image = scene_image()
    session = park(Session("photo.jpg", image, fake_pipeline()(image, ["left laptop"])))
    warned = []
    monkeypatch.setattr(gr, "Warning", warned.append)
    monkeypatch.setattr(tempfile, "tempdir", str(disk("64k")))
    ui = SimpleNamespace(state="state", package="package")
    on = Handlers(ui, SimpleNamespace(corrects=[]), None, None)
    assert on.pack(session, "files") == {"state": session}
    assert "No space left" in warned[0]
    disk("8m")
    assert Path(on.pack(session, "files")["package"]).stat().st_size > 100_000


@pytest.mark.long
def test_an_upload_to_the_page(disk, monkeypatch):
    """Gradio keeps it in a file before any code of ours runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk("16k")))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(disk("16k")))
    with gr.Blocks() as page:
        gr.Markdown("The page.")
    _, url, _ = demo_app.serve(page, server_port=None, prevent_thread_lock=True, quiet=True)
    try:
        sent = {"files": ("photo.png", bytes(100_000))}
        answer = httpx.post(f"{url}gradio_api/upload", files=sent, timeout=60)
        assert answer.status_code == 507
        assert answer.text.startswith("No space left on the server's disk; ")
        disk("8m")
        assert httpx.post(f"{url}gradio_api/upload", files=sent, timeout=60).status_code == 200
    finally:
        page.close()


def test_another_error_of_a_route_stays():
    error = OSError(errno.EIO, "of a disk")
    # A thread of its own: a browser's tests may have left a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(asyncio.run, tell_full(SimpleNamespace(), error))
    assert answer.exception() is error


def test_a_writer_of_ones_own_that_meets_a_full_disk(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for error in (full, lambda *_: (_ for _ in ()).throw(RuntimeError("unexpected pos 8 vs 4"))):
        monkeypatch.setattr(writing, "free_bytes", lambda _: 5)
        with (
            pytest.raises(DiskFull, match=r"a\.bin: No space .* needs 2\.5 kB, 5 bytes are free"),
            written(tmp_path / "a.bin", 2500),
        ):
            error()
    assert files(tmp_path) == {"a.bin": b"old"}
    monkeypatch.setattr(writing, "free_bytes", lambda _: 1 << 40)
    with pytest.raises(RuntimeError, match="unexpected"), explained(tmp_path / "a.bin"):
        raise RuntimeError("unexpected: a fault of its own")
    with pytest.raises(DiskFull, match=r"needs 2000000\.0 GB"):
        check_space(tmp_path / "none" / "b", 2 * 10**15)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EROFS, "a disk that can only be read; choose another place (--out, --cache"),
        (errno.EACCES, "no permission; choose another place"),
        (errno.EIO, "Input/output error; choose another place"),
    ],
)
def test_what_cannot_be_written_names_what_to_choose(tmp_path, number, says):
    with pytest.raises(WriteError, match=re.escape(says)), explained(tmp_path / "x"):
        raise OSError(number, "Input/output error")


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
def test_case_24_a_disk_that_can_only_be_read(disk, tmp_path):
    place = disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    for work in (lambda: make_folder(place / "runs" / "cache"), lambda: make_folder(place)):
        with pytest.raises(WriteError, match=r"only be read; choose another place .--out, --cache"):
            work()
    with pytest.raises(WriteError, match="only be read"):
        make_place(place / "check.png")
    with pytest.raises(WriteError, match="expected a file to write to, got a folder"):
        make_place(tmp_path)
    with pytest.raises(WriteError, match="only be read"):
        write_whole(place / "check.png", b"x")
