"""The house stays in order: arrows run down, files stay short, each module says what it is for."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
LONGEST = 300  # lines of a file
DATA = {"train/scenes/catalogue.py", "train/scenes/lexicon.py"}  # tables, as long as they must be
MODULES = sorted(path for package in ("ssc", "train") for path in (ROOT / package).rglob("*.py"))


def test_imports_run_down_and_in_no_circle():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_no_file_is_too_long():
    files = [*MODULES, *(ROOT / "tests").rglob("*.py"), ROOT / "demo_app.py"]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    long = {name: count for name, count in lengths.items() if count > LONGEST}
    assert long.keys() <= DATA, long


def test_each_module_says_what_it_is_for():
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_requirements_are_those_of_the_package():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (ROOT / "requirements.txt").read_text().splitlines()[1:] == project["dependencies"]
