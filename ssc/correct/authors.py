"""The authors' S+S+C checkpoints into ours, and ours into their form."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.errors import InputError
from ssc.weights.reading import fill, read_pth, unfilled
from ssc.writing import written

TOKENIZER = "bert-base-uncased"
PREFIXES = {"model": "lavt.", "bert_model": "bert."}
"""Entry of the authors' file → what its names begin with in ours."""

_UNREAD = re.compile(r"((^|\.)position_ids|^pooler\..*)$")
"""0, 1, 2, … in BERTs saved by transformers 4; and BERT's pooler, which LAVT does not read."""
_WRAPPED = "module."
"""Begins all names of a network that was trained on several GPUs."""


def from_authors(source: Path, target: Path, tokenizer: Any = TOKENIZER) -> None:
    """The authors' S+S+C file → a checkpoint folder that `Corrector.load` reads.

    Args:
        source: a .pth with `model` (LAVT with Swin-B) and `bert_model` (BERT-base); what else it
            holds, such as an optimizer or BERT's pooler, is left out.
        target: made where it does not exist.
        tokenizer: BERT's, or where it is: a folder or a name on the Hub.

    Raises:
        InputError: not such a file, a name or shape that is not the network's, or no tokenizer.
    """
    held = _read(source)
    weights = {
        prefix + name: value
        for entry, prefix in PREFIXES.items()
        for wrapped, value in held[entry].items()
        if not _UNREAD.search(name := wrapped.removeprefix(_WRAPPED))
    }
    config = CONFIGS["swin_b"]
    with unfilled():
        model = ReferringModel(config["lavt"], config["bert"])
    fill(model, weights, source)
    words = _find(tokenizer) if isinstance(tokenizer, str) else tokenizer
    Corrector.save(target, model, words, config)


def _find(tokenizer: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected BERT's tokenizer in {tokenizer} or on the Hub, got: "
            f"{str(error).partition(chr(10))[0]}; name a folder that has it with --tokenizer"
        ) from error


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
