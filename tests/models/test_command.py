"""`python -m ssc models`."""

import subprocess
import sys

import pytest
from huggingface_hub import constants

from ssc.__main__ import main
from ssc.models import command as models_command
from ssc.models.parts import WEIGHTS
from ssc.models.published import SETS, files_of
from ssc.models.sets import MODEL_SETS


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_lists_sets_parts_sizes_and_what_is_here(cache, capsys):
    file = WEIGHTS["sam-vit-b"][0]
    file.path.parent.mkdir(parents=True)
    with file.path.open("wb") as sparse:
        sparse.truncate(file.size)
    assert main(["models"]) == 0
    rows = {row.split()[0]: row for row in capsys.readouterr().out.splitlines() if row.strip()}
    assert "bundled  yes" in rows["mini"]
    assert "375 MB  yes" in rows["sam-vit-b"]
    assert "2,565 MB  no" in rows["sam-vit-h"]
    assert "3 of" not in rows["grounding-dino-tiny"]
    assert "2,269 MB  1 of 8" in rows["base"]
    assert set(MODEL_SETS) == {"mini", *SETS}
    assert {*MODEL_SETS, *WEIGHTS} <= rows.keys()


def test_download(cache, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(models_command, "download", asked.append)
    assert main(["models", "--download", "paper"]) == 0
    assert main(["models", "--download", "sam-vit-l"]) == 0
    assert main(["models", "--download", "mini"]) == 0
    assert asked == [files_of("paper"), files_of("sam-vit-l")]
    assert "nothing to download" in capsys.readouterr().out
    assert main(["models", "--download", "nothing"]) == 2
    assert "expected one of pocket, lite, base, paper" in capsys.readouterr().err


def test_a_part_of_limited_use_is_fetched_once_its_terms_are_agreed_to(cache, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(models_command, "download", asked.append)
    monkeypatch.setattr("sys.stdin", None)
    assert main(["models", "--download", "freesolo"]) == 2
    told = capsys.readouterr().err
    assert "research or evaluation only" in told
    assert "give --yes to agree" in told
    assert not asked
    assert main(["models", "--download", "freesolo", "--yes"]) == 0
    assert asked == [files_of("freesolo")]


def test_a_parts_file_that_is_here_is_kept_where_it_is_the_one(cache, tmp_path, capsys):
    [file] = files_of("freesolo")
    own = tmp_path / file.file
    own.write_bytes(b"weights")
    assert main(["models", "--add", str(own)]) == 0
    assert file.path.read_bytes() == b"weights"
    assert own.exists()
    assert "freesolo: kept in" in capsys.readouterr().out
    [stated] = files_of("sam-vit-b")
    wrong = tmp_path / stated.file
    wrong.write_bytes(b"weights")
    assert main(["models", "--add", str(wrong)]) == 2
    assert f"expected {stated.size} bytes" in capsys.readouterr().err
    assert [path.name for path in stated.path.parent.iterdir()] == []
    assert main(["models", "--add", str(tmp_path / "none" / file.file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert file.path.read_bytes() == b"weights"


def test_asking_for_base_without_weights_is_one_line(cache, tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    assert main([str(tmp_path / "a.png"), "a dog", "--models", "base"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "run python -m ssc models --download base" in told


@pytest.mark.process
def test_help_loads_nothing_heavy():
    heavy = "torch transformers open_clip segment_anything huggingface_hub"
    code = (
        f"import sys, ssc.__main__ as m\ntry: m.main(['--help'])\nfinally: print([n for n in "
        f"{heavy.split()} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("[]")
