"""What a training starts from: data, pseudo-masks and weights, opened by name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from ssc.correct.predict import CONFIGS, ReferringModel
from ssc.errors import InputError
from ssc.models.parts import WEIGHTS
from ssc.weights.downloads import download
from ssc.weights.reading import read_pth
from train.data import open_dataset
from train.data.places import is_url, names_in, read
from train.fit.examples import Examples
from train.fit.streamed import Streamed
from train.fit.tokenizer import learn_tokenizer
from train.review.decisions import FILE as REVIEWS
from train.review.decisions import Reviews
from train.weak.build import load

if TYPE_CHECKING:
    from accelerate import Accelerator

BERT = WEIGHTS["bert-base-uncased"][0]
SWIN = WEIGHTS["swin-base-22k"][0]
FRESH = "none"  # as --visual: random weights
T = TypeVar("T")

_SWIN_PART = re.compile(r"backbone\.(patch_embed\.|layers\.\d+\.(blocks|downsample)\.)")
_SWIN_ONLY = re.compile(r"(head|norm)\.|.*\.attn_mask$")
"""Of ImageNet's Swin, what LAVT has none of: the classifier and its norm; masks are recomputed."""


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
    data: str,
    store: Path | None,
    size: Sequence[int],
    cache: Path,
    workers: int,
    allow_missing: bool = False,
    reviews: Path | None = None,
    unmasked: bool = False,
    stream: bool = False,
) -> Examples:
    """The examples of `--data` with the masks of `--store`, or with true masks.

    Args:
        unmasked: without masks, see `Examples.cached`.
        reviews: what people decided of the store; None for the file beside it, where there is one
            and the store is no URL.
        stream: of a store, without a cache of pictures.

    Raises:
        InputError: as `Examples.cached`; or `stream` with what people decided.
    """
    masks, manifest = open_store(store) if store else (None, "")
    beside = store / REVIEWS if store and not is_url(store) else None
    given = reviews or beside
    decided = Reviews(given) if store and given else None
    reviewed = decided if decided is not None and decided.any() else None
    dataset = open_dataset(data)
    if masks is not None and stream:
        if reviewed is not None:
            raise InputError(
                f"--stream: expected a store without reviews, got {given}; leave --stream out"
            )
        return Streamed.of(
            dataset,
            masks,
            size,
            cache,
            workers=workers,
            manifest=manifest,
            allow_missing=allow_missing,
        )
    return Examples.cached(
        dataset,
        masks,
        size,
        cache,
        workers=workers,
        manifest=manifest,
        allow_missing=allow_missing,
        reviews=reviewed,
        unmasked=unmasked,
    )


def open_store(folder: Path) -> tuple[Any, str]:
    """S1 and S2 in a folder, and the text that tells them from any others."""
    from train.pseudo.store import Store

    settings = sorted(name for name in names_in(folder) if name.endswith(".json"))
    return Store.open(folder), "".join(read(folder / name).decode() for name in settings)


def new_model(
    name: str, examples: Examples, visual: str | None, seed: int
) -> tuple[ReferringModel, Any, dict[str, Any]]:
    """A model to start from, its tokenizer and its configuration.

    Args:
        name: key of `CONFIGS`. `nano` and `mini` learn their words from the examples, `swin_b`
            takes BERT's.
        visual: weights of LAVT's visual side: a .pth of Microsoft's Swin, or any of `LAVT`'s as
            .safetensors; "none" for fresh ones; None for what a training of that name begins
            with, which for `swin_b` is ImageNet's Swin-B, downloaded where it is not here.

    Raises:
        InputError: BERT or Swin is not to be had, or `visual` does not fit.
    """
    config = copy.deepcopy(CONFIGS[name])
    torch.manual_seed(seed)
    if name != "swin_b":
        tokenizer = learn_tokenizer(examples.expressions, config["words"])
        config["bert"]["vocab_size"] = len(tokenizer)
        model = ReferringModel(config["lavt"], config["bert"])
        visual = visual or FRESH
    else:
        model = ReferringModel(config["lavt"], config["bert"])
        tokenizer, model.bert = _bert()
    if visual != FRESH:
        fill_visual(model, Path(visual) if visual else _swin())
    return model, tokenizer, config


def _bert() -> tuple[Any, Any]:
    """BERT and its tokenizer, of the Hub or its cache."""
    from transformers import AutoTokenizer, BertModel

    try:
        return (
            AutoTokenizer.from_pretrained(BERT.source, revision=BERT.revision),
            BertModel.from_pretrained(BERT.source, add_pooling_layer=False, revision=BERT.revision),
        )
    except OSError as error:
        raise InputError(
            f"expected {BERT.source} on the Hugging Face Hub or in its cache, got: {error}"
        ) from error


def _swin() -> Path:
    """ImageNet's Swin-B."""
    try:
        download([SWIN])
    except InputError as error:
        raise InputError(
            f"LAVT's visual side begins with ImageNet's Swin-B. {error}. Or name the file with "
            "--visual FILE, or begin with random weights: --visual none"
        ) from error
    return SWIN.path


def fill_visual(model: ReferringModel, path: Path) -> None:
    """Loads weights of LAVT's visual side, in place.

    Args:
        path: .pth, all of Swin's as Microsoft publishes them; else safetensors with some of
            `LAVT`'s.

    Raises:
        InputError: another file, or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    own = model.lavt.state_dict()
    if path.suffix == ".pth":
        weights = read_swin(path)
        expected = {name for name in own if _SWIN_PART.match(name)}
    else:
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: expected weights as safetensors, got: {error}") from error
        expected = set(weights)
    differing = sorted(expected ^ set(weights)) + [
        f"{name} {tuple(value.shape)}"
        for name, value in weights.items()
        if name in expected and (name not in own or own[name].shape != value.shape)
    ]
    if differing:
        raise InputError(
            f"{path}: expected weights of LAVT's visual side as --model builds it, got "
            f"{len(differing)} that differ, first {differing[0]}"
        )
    model.lavt.load_state_dict(weights, strict=False)


def read_swin(path: Path) -> dict[str, Tensor]:
    """A Swin of Microsoft's release by LAVT's names.

    Raises:
        InputError: not such a file.
    """
    held = read_pth(path)
    if not isinstance(held.get("model"), dict):
        raise InputError(
            f'{path}: expected weights under "model", as Swin\'s releases have them, got '
            f"{', '.join(map(str, list(held)[:5])) or 'nothing'}"
        )
    return {
        f"backbone.{name}": value
        for name, value in held["model"].items()
        if not _SWIN_ONLY.match(name)
    }


def open_checkpoint(folder: Path) -> tuple[ReferringModel, Any, dict[str, Any]]:
    """Model, tokenizer and configuration of `--init`."""
    corrector = load(folder)
    return corrector.model, corrector.tokenizer, json.loads((folder / "config.json").read_text())
