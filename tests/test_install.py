"""The wheel, installed in an environment of its own outside of the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.process


def run(*command, cwd=None):
    """What a command prints; it sees no module by the environment's say."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    offline = "--no-deps", "--no-build-isolation", "--no-index"
    run(sys.executable, "-m", "pip", "wheel", *offline, "-w", folder, ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of an environment's commands: the wheel in it, and this environment's packages."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel
    )
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", code).strip())
    # A .pth file adds a folder without the .pth files in there, as an editable install has one.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_the_wheel_has_the_packages_and_what_they_read(wheel):
    names = set(ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("ssc", "train")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {
        f"ssc/{path.relative_to(ROOT)}"
        for folder in ("examples", "mini", "scenes")
        for path in (ROOT / "assets" / folder).rglob("*")
        if path.is_file()
    }
    others = {name for name in names - wanted if ".dist-info/" not in name}
    assert (wanted - names, others) == (set(), set())


def test_the_readmes_python_runs_outside_of_the_checkout(installed, tmp_path):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line]) == 5
    [picture] = re.findall(r'"(assets/[^"]*)"', code)
    (tmp_path / picture).parent.mkdir(parents=True)
    shutil.copy(ROOT / picture, tmp_path / picture)
    assert "Result('bed at the bottom' → bed" in run(installed / "python", "-c", code, cwd=tmp_path)
    overlay, own = Image.open(tmp_path / "overlay.png"), Image.open(ROOT / picture)
    assert overlay.size == own.size
    assert overlay.convert("RGB") != own.convert("RGB")


def test_the_commands_answer_outside_of_the_checkout(installed, tmp_path):
    code = "import ssc, train; from ssc.models.bundled import ASSETS; print(ssc.__file__, ASSETS)"
    module, assets = map(Path, run(installed / "python", "-c", code, cwd=tmp_path).split())
    environment = installed.parent
    assert module.is_relative_to(environment)
    assert assets.is_relative_to(environment)
    picture = assets / "examples" / "faces.jpg"
    said = run(installed / "ssc", picture, "guy with a turban", "--models", "mini", cwd=tmp_path)
    assert "faces.jpg, guy with a turban: " in said
    [result] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert result["candidates"]
    assert result["corrected"]["mask"]
    assert "sentences to a checkpoint" in run(installed / "ssc-train", "--help", cwd=tmp_path)
