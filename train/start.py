"""What a training starts from: data, pseudo-masks and weights, opened by name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.types import InputError
from train.data import open_dataset
from train.examples import Examples
from train.words import learn_tokenizer

if TYPE_CHECKING:
    from accelerate import Accelerator

BERT = "bert-base-uncased"
T = TypeVar("T")


def in_turn(accelerator: Accelerator, work: Callable[[], T]) -> T:
    """What `work` returns: the main process is first, as it makes what the others then read.

    Raises:
        InputError: in all processes where the main one meets it, so that none waits for it.
    """
    from accelerate.utils import broadcast_object_list

    error = None
    if accelerator.is_main_process:
        try:
            done = work()
        except InputError as met:
            error = str(met)
    [error] = broadcast_object_list([error])
    if error is not None:
        raise InputError(error)
    return done if accelerator.is_main_process else work()


def open_examples(
    data: str, store: Path | None, size: Sequence[int], cache: Path, workers: int
) -> Examples:
    """The cached examples of `--data` with the masks of `--store`, or with true masks."""
    masks, manifest = open_store(store) if store else (None, "")
    dataset = open_dataset(data)
    return Examples.cached(dataset, masks, size, cache, workers=workers, manifest=manifest)


def open_store(folder: Path) -> tuple[Any, str]:
    """S1 and S2 in a folder, and the text that tells them from any others."""
    from train.store import Store

    return Store.open(folder), "".join(path.read_text() for path in sorted(folder.glob("*.json")))


def new_model(
    name: str, examples: Examples, visual: Path | None, seed: int
) -> tuple[ReferringModel, Any, dict[str, Any]]:
    """A model to start from, its tokenizer and its configuration.

    Args:
        name: key of `CONFIGS`. `mini` learns its words from the examples, `swin_b` takes BERT's.
        visual: weights of `LAVT`, any of them, as safetensors: what stands for ImageNet.

    Raises:
        InputError: BERT is not to be had, or `visual` does not fit.
    """
    from safetensors.torch import load_file

    config = copy.deepcopy(CONFIGS[name])
    torch.manual_seed(seed)
    if name == "mini":
        tokenizer = learn_tokenizer(examples.expressions, config["words"])
        config["bert"]["vocab_size"] = len(tokenizer)
        model = ReferringModel(config["lavt"], config["bert"])
    else:
        from transformers import AutoTokenizer, BertModel

        model = ReferringModel(config["lavt"], config["bert"])
        try:
            tokenizer = AutoTokenizer.from_pretrained(BERT)
            model.bert = BertModel.from_pretrained(BERT, add_pooling_layer=False)
        except OSError as error:
            raise InputError(
                f"expected {BERT} on the Hugging Face Hub or in its cache, got: {error}"
            ) from error
    if visual is not None:
        fit_in = model.lavt.load_state_dict(load_file(visual), strict=False)
        if fit_in.unexpected_keys:
            raise InputError(
                f"{visual}: expected weights of LAVT, got {fit_in.unexpected_keys[0]} too"
            )
    return model, tokenizer, config


def open_checkpoint(folder: Path) -> tuple[ReferringModel, Any, dict[str, Any]]:
    """Model, tokenizer and configuration of `--init`."""
    corrector = Corrector.load(folder)
    return corrector.model, corrector.tokenizer, json.loads((folder / "config.json").read_text())
