"""The prose outside of the code: links, paths and commands that it names are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from train.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("assets/mini/*/README.md")]
MADE = ("runs/", "out/", "assets/study/")  # paths that commands write


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_are_there(page):
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text)
    assert [link for link in links if link and not (page.parent / link).exists()] == []
    own = re.sub(r"https?://\S+", "", text)
    named = re.findall(r"\b(?:ssc|train|tests|assets|docs)/[\w./-]*\w", own)
    named = [name for name in named if not name.startswith(MADE)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.process
def test_commands_are_there(page):
    text = page.read_text()
    assert {*re.findall(r"python -m train ([a-z][\w-]*)", text)} <= {*COMMANDS}
    modules = [name.replace(".", "/") for name in re.findall(r"-m (train\.[\w.]*\w)", text)]
    there = [(ROOT / f"{name}.py").exists() or (ROOT / name).is_dir() for name in modules]
    assert all(there), modules
    options = re.findall(r"python -m ssc [^`\n]*?(--[\w-]+)", text)
    known = subprocess.run(
        [sys.executable, "-m", "ssc", "--help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    known += "--download --add --yes --models --targets --help"  # of `models` and `bench`
    assert {*options} <= {*re.findall(r"--[\w-]+", known)}


def test_the_readme_is_short_and_starts_a_space():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert len(re.findall(r"^.*-m pytest.*$", text, re.M)) == 1  # .ci/run runs this line
    head = yaml.safe_load(text.split("---")[1])
    assert head["sdk"] == "gradio"
    assert (ROOT / head["app_file"]).exists()
    assert (ROOT / "assets" / "readme.png").stat().st_size <= 400_000


def test_the_citation_is_the_papers():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper = cited["preferred-citation"]
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert {"type", "title", "authors"} <= paper.keys()
    readme = (ROOT / "README.md").read_text()
    names = [f"{who['family-names']}, {who['given-names']}" for who in paper["authors"]]
    assert f"author = {{{' and '.join(names)}}}" in readme
    assert paper["title"] in readme
