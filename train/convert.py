"""Published checkpoints into ours, and ours into the authors' form.

python -m train.convert sscorrect.pth runs/refcoco    # the authors' S+S+C → a checkpoint
python -m train.convert runs/refcoco sscorrect.pth    # and back
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.entry import command
from ssc.errors import InputError
from ssc.weights.reading import fill, read_pth
from ssc.writing import written

TOKENIZER = "bert-base-uncased"
PREFIXES = {"model": "lavt.", "bert_model": "bert."}
"""Entry of the authors' file → what its names begin with in ours; nothing else differs."""

_RECOMPUTED = re.compile(r"(^|\.)position_ids$")
"""0, 1, 2, … in BERTs saved by transformers 4; transformers 5 saves none."""


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train.convert",
        description="Converts the authors' S+S+C .pth to a checkpoint folder, or back.",
    )
    parser.add_argument("source", type=Path, help="a .pth file, or a checkpoint folder")
    parser.add_argument("target", type=Path, help="a folder, or a .pth file")
    parser.add_argument(
        "--tokenizer",
        default=TOKENIZER,
        metavar="NAME",
        help=f"of BERT, a folder or a name on the Hub; default: {TOKENIZER}",
    )
    args = parser.parse_args(argv)
    if args.source.is_dir():
        to_authors(args.source, args.target)
    else:
        from_authors(args.source, args.target, args.tokenizer)
    print(f"wrote {args.target}")
    return 0


def from_authors(source: Path, target: Path, tokenizer: str = TOKENIZER) -> None:
    """The authors' S+S+C file → a checkpoint folder that `Corrector.load` reads.

    Args:
        source: a .pth with `model` (LAVT with Swin-B) and `bert_model` (BERT-base, no pooler);
            what else it holds, such as an optimizer, is left out.
        target: made where it does not exist.
        tokenizer: a folder or a name on the Hub.

    Raises:
        InputError: not such a file, a name or shape that is not the network's, or no tokenizer.
    """
    from transformers import AutoTokenizer

    held = _read(source)
    weights = {
        prefix + name: value
        for entry, prefix in PREFIXES.items()
        for name, value in held[entry].items()
        if not _RECOMPUTED.search(name)
    }
    config = CONFIGS["swin_b"]
    model = ReferringModel(config["lavt"], config["bert"])
    fill(model, weights, source)
    try:
        words = AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected BERT's tokenizer in {tokenizer} or on the Hub, got: "
            f"{str(error).partition(chr(10))[0]}; name a folder that has it with --tokenizer"
        ) from error
    Corrector.save(target, model, words, config)


def to_authors(source: Path, target: Path) -> None:
    """A checkpoint folder → a .pth of the authors' form; the tokenizer is not in it.

    Raises:
        InputError: not a checkpoint.
    """
    weights = Corrector.load(source).model.state_dict()
    held = {
        entry: {
            name.removeprefix(prefix): value
            for name, value in weights.items()
            if name.startswith(prefix)
        }
        for entry, prefix in PREFIXES.items()
    }
    with written(target, sum(value.nbytes for value in weights.values())) as beside:
        torch.save(held, beside)


def _read(path: Path) -> dict[str, dict[str, Tensor]]:
    """A .pth file of which each entry of `PREFIXES` is names and tensors."""
    # The authors' training files hold their arguments too, in a plain class.
    with torch.serialization.safe_globals([argparse.Namespace]):
        held: dict[str, Any] = read_pth(path)
    absent = [entry for entry in PREFIXES if not isinstance(held.get(entry), dict)]
    if absent:
        raise InputError(
            f"{path}: expected weights under {' and '.join(PREFIXES)}, got "
            f"{', '.join(map(str, list(held)[:5])) or 'nothing'}"
        )
    return held


if __name__ == "__main__":
    sys.exit(main())
