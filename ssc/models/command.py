"""`python -m ssc models`: which model sets there are, their sizes, what is here, and the rest.

python -m ssc models                      # the sets, and what they are made of
python -m ssc models --download base      # a set
python -m ssc models --download sam-vit-l # or one of its parts
python -m ssc models --download ssc-refcoco         # stage 3 for photographs: the authors' weights
python -m ssc models --add my.pth                   # or one's own, of their form
python -m ssc models --add FreeSOLO_R101_30k_pl.pth # a part's file that is here already
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ssc.models import stage3
from ssc.models.parts import WEIGHTS
from ssc.models.published import SETS, files_of
from ssc.models.sets import MODEL_SETS
from ssc.models.terms import TERMS, agree
from ssc.weights.checkpoints import kept
from ssc.weights.downloads import download
from ssc.weights.files import keep

_FILES = [(part, file) for part, files in WEIGHTS.items() for file in files if not file.package]
_COUNTS = Counter(file.file for _, file in _FILES)
ADDED = {file.file: (part, file) for part, file in _FILES if _COUNTS[file.file] == 1}
"""File name → part and file: those that can be known by their names."""


def main(argv: Sequence[str]) -> int:
    """Lists the sets, or downloads one; returns the exit code.

    Raises:
        OptionError: no such set or part, or terms that are not agreed to.
        DownloadError: a download failed.
        WeightsError: what is added is no such file.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ssc models", description="Lists the model sets, or downloads one."
    )
    parser.add_argument(
        "--download", metavar="NAME", help="a set or a part, as listed; goes on where it stopped"
    )
    parser.add_argument(
        "--add",
        metavar="FILE.pth",
        type=Path,
        help="keep a part's file that is here already, known by its name; or else a checkpoint of "
        "stage 3 of the authors' form, under the file's name",
    )
    parser.add_argument("--yes", action="store_true", help="agree to the terms of what is fetched")
    args = parser.parse_args(argv)
    name = args.download
    if args.add and args.add.name in ADDED:
        part, file = ADDED[args.add.name]
        keep(file, args.add)
        print(f"{part}: kept in {file.path}")
    elif args.add:
        print(f"{args.add.stem}: kept in {stage3.add(args.add, args.add.stem)}")
    elif name in stage3.AUTHORS:
        print(f"{name}: in {stage3.fetch(name, args.yes)}, stage 3 of every set but mini")
    elif name in MODEL_SETS and name not in SETS:
        print(f"{name}: comes with the program, nothing to download")
    elif name is not None:
        if name in TERMS:
            agree(name, TERMS[name], args.yes)
        download(files_of(name))
        print(f"{name}: all of its {len(files_of(name))} files are in {_folder()}")
    else:
        print(listing())
    return 0


def listing() -> str:
    """Sets and parts, a line each: name, size, whether it is here, licence, source."""
    lines = [_row("model set", "size", "here")]
    lines += [
        _row(name, _size(name), _here(name)) if name in SETS else _row(name, "bundled", "yes")
        for name in MODEL_SETS
    ]
    lines += ["", _row("part", "size", "here", "licence", "source")]
    for name, (weights, *_) in WEIGHTS.items():
        sets = ", ".join(key for key, parts in SETS.items() if name in parts)
        source = f"{weights.source} ({sets})" if sets else weights.source
        lines.append(_row(name, _size(name), _here(name), weights.licence, source))
    lines += ["", _row("stage 3", "size", "here", "licence", "source")]
    lines += [
        _row(
            name, "unknown", "yes" if name in kept() else "no", "none", "the authors, Google Drive"
        )
        for name in stage3.AUTHORS
    ]
    lines += [_row(name, "", "yes", "", "added") for name in kept() if name not in stage3.AUTHORS]
    lines += ["", f"Weights are kept in {_folder()}."]
    absent = [name for name in SETS if not all(file.present for file in files_of(name))]
    lines += [f"To get {name}: python -m ssc models --download {name}" for name in absent]
    return "\n".join(lines)


def _row(name: str, size: str, here: str, licence: str = "", source: str = "") -> str:
    return f"{name:<24}{size:>10}  {here:<8}{licence:<15}{source}".rstrip()


def _size(name: str) -> str:
    sizes = [file.size for file in files_of(name) if file.size]
    return f"{sum(sizes) / 1e6:,.0f} MB" if sizes else "unknown"


def _here(name: str) -> str:
    files = files_of(name)
    here = sum(file.present for file in files)
    return "yes" if here == len(files) else "no" if not here else f"{here} of {len(files)}"


def _folder() -> str:
    from huggingface_hub import constants

    return constants.HF_HUB_CACHE
