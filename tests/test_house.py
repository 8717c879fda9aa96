"""The house stays in order: arrows run down, files stay short, each module says what it is for."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
LONGEST = 300  # lines of a file
DATA = {"train/scenes/catalogue.py", "train/scenes/lexicon.py"}  # tables, as long as they must be
# Imported where they are installed.
OPTIONAL = {"gdown", "groundingdino", "nltk", "onnxruntime", "spaces", "supervision"}
OPTIONAL |= {"datasets", "pyarrow", "ray", "upath"}  # of the extra `cluster`
OTHERS = {"gradio_client", "playwright", "typing_extensions"}  # of gradio, of dev, for types alone
MODULES = sorted(path for package in ("ssc", "train") for path in (ROOT / package).rglob("*.py"))


def test_imports_run_down_and_in_no_circle():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_architecture_lists_every_room():
    """The block of rooms in docs/architecture.md has the rooms of the layers' contracts."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    text = (ROOT / "docs" / "architecture.md").read_text().split("## The rooms")[1]
    for contract in tool["contracts"]:
        if contract["type"] == "layers":
            rooms = {room for layer in contract["layers"] for room in layer.split(" | ")}
            (package,) = contract["containers"]
            block = re.search(rf"^{package}/ .*\n((    .*\n)+)", text, re.MULTILINE)
            listed = re.split(r"  +|, |\n", block[1])  # what a room is for has blanks in it
            assert rooms <= set(listed), rooms - set(listed)


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


def test_no_test_imports_another():
    """What several use is a fixture of a conftest, or a module that holds no tests."""
    files = (ROOT / "tests").rglob("*.py")
    pattern = re.compile(r"^\s*(from|import) tests\.(\w+\.)*test_", re.MULTILINE)
    assert [str(path.relative_to(ROOT)) for path in files if pattern.search(path.read_text())] == []


def test_requirements_are_those_of_the_package():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (ROOT / "requirements.txt").read_text().splitlines()[1:] == project["dependencies"]


def test_imported_packages_are_declared():
    listed = (ROOT / "requirements.txt").read_text().splitlines()[1:]
    declared = {_normal(re.split(r"[<>=]", line)[0]) for line in listed}
    homes = packages_distributions()
    imported = {
        name.partition(".")[0]
        for path in [*MODULES, ROOT / "demo_app.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _absolute_names(node)
    }
    imported -= {"ssc", "train", *sys.stdlib_module_names, *OPTIONAL, *OTHERS}
    missing = {
        name for name in imported if declared.isdisjoint(map(_normal, homes.get(name, [name])))
    }
    assert missing == set()


def _absolute_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []


def _normal(name):
    return name.lower().replace("_", "-")
