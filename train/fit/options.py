"""The options of a training, and their command line."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ssc.correct.predict import CONFIGS
from ssc.devices import computes_in_bfloat16
from ssc.writing import write_whole
from train.data import SOURCES
from train.data.places import KEPT, place_of
from train.data.usable import HELP
from train.fit.assign import MATCHES
from train.weak.names import ENCODERS, SYSTEMS

FILE = "options.json"
LEFT_OUT = "left_out.jsonl"  # which pictures cannot be used, of --data and --val
METHODS = ("bootstrap", "correct", "supervised", *SYSTEMS)
DEFAULTS: dict[str, dict[str, Any]] = {
    # The paper: batches of 60, 40 epochs. Its text says a rate of 5e-4; the LAVT recipe that it
    # follows has 5e-5, and so has this: say --lr 5e-4 for the other.
    "swin_b": {"lr": 5e-5, "batch": 60, "epochs": 40, "warmup": 0, "clip": 0.0},
    # From scratch and small: a rate as for any small transformer, and a short warm-up.
    "nano": {"lr": 1e-3, "batch": 16, "epochs": 12, "warmup": 100, "clip": 5.0},
    "mini": {"lr": 1e-3, "batch": 8, "epochs": 8, "warmup": 100, "clip": 5.0},
}
"""What depends on the model, key of `CONFIGS`."""
HEEDED_BY: dict[str, tuple[str, ...]] = {
    "--store": ("bootstrap", "correct"),
    "--reviews": ("bootstrap", "correct"),
    "--visual": ("bootstrap", "supervised", *SYSTEMS),  # `correct` starts from a checkpoint
    "--match": ("correct",),
    "--prior": ("correct",),
}
"""Option, which takes one value → the methods that heed it. All methods heed all others."""

_LEARNING = (
    "method",
    "lr",
    "weight_decay",
    "warmup",
    "clip",
    "match",
    "prior",
    "precision",
    "accumulate",
    "save_every",
    "eval_every",
    "batch",
    "expressions",
    "flip",
    "seed",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """All options of a training.

    Attributes:
        method: one of `METHODS`.
        data: source of pictures and expressions, as `train.data.open_dataset` takes it.
        out: folder of the training, or its URL.
        lr: peak of the learning rate, which falls to 0 as (1 - update / updates) ** 0.9.
        batch: pictures of an update, of all processes together.
        epochs: length of the training where `steps` is None.
        warmup: updates over which the rate rises first.
        clip: largest norm of the gradient; 0 for any.
        steps: updates of the weights.
        store: S1 and S2 of the data, by train.pseudo; None for the true masks.
        reviews: what people decided of S1 and S2 (`train.review`); None for `reviews.jsonl` beside
            the store, where it is there.
        init: checkpoint to start from; None for a new `model`.
        model: key of `CONFIGS`.
        visual: weights of the visual side of a new model, see `train.fit.initial.new_model`.
        size: (h, w) of the pictures in the model; None for the checkpoint's or the model's own.
        accumulate: batches per process that make one update.
        weight_decay: of matrices; biases, norms and relative position tables have none.
        expressions: drawn per object and update; 0 for all.
        match: key of `MATCHES`, for `correct`.
        prior: addition to the score of each object and its S2 mask, for `correct`; the paper's
            is 0.
        flip: mirrors every second picture, and its words.
        precision: "no", "bf16" or "fp16"; None for `default_precision`.
        seed: of batches, dropout and fresh weights.
        val: source with true masks, for a validation mIoU.
        eval_every, save_every: in updates.
        watch: training pictures to draw over time, see `train.fit.watch`.
        cache: folder of all cached data sets.
        cache_gb: bytes of copies of a bucket's files on the local disk, in 2**30.
        workers: processes that fill the cache; or with `stream` threads that read.
        stream: no cache of pictures: each is read when its batch comes, see `train.fit.streamed`.
        cpu: leaves a GPU alone.
        allow_missing: goes on where more than a tenth of the pictures cannot be used.
    """

    method: str
    data: str
    out: Path
    lr: float
    batch: int
    epochs: float
    warmup: int
    clip: float
    steps: int | None = None
    store: Path | None = None
    reviews: Path | None = None
    init: Path | None = None
    model: str = "mini"
    visual: str | None = None
    size: tuple[int, int] | None = None
    accumulate: int = 1
    weight_decay: float = 1e-2
    expressions: int = 0
    match: str = "greedy"
    prior: float = 0.0
    flip: bool = True
    precision: str | None = None
    seed: int = 0
    val: str | None = None
    eval_every: int = 500
    save_every: int = 250
    watch: int = 0
    cache: Path = Path("runs/cache")
    cache_gb: float = KEPT / 2**30
    workers: int = 2
    stream: bool = False
    cpu: bool = False
    allow_missing: bool = False

    def updates(self, pictures: int) -> int:
        """Updates of a training on so many pictures."""
        return self.steps or math.ceil(self.epochs * pictures / self.batch)

    def learning(self) -> dict[str, Any]:
        """The options that decide the weights, beside data, initial weights and `updates`."""
        return {name: getattr(self, name) for name in _LEARNING}

    def save(self) -> None:
        """Writes all options to `options.json` in the training's folder."""
        text = json.dumps(asdict(self), default=str, indent=2) + "\n"
        write_whole(self.out / FILE, text.encode("utf-8", "backslashreplace"))


def parse(argv: Sequence[str] | None, description: str | None = None) -> Options:
    """The options of the command line of `train.fit`; `Options` has the defaults."""
    parser = argparse.ArgumentParser(
        prog="python -m train.fit",
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("method", choices=METHODS)
    add("--data", required=True, help=SOURCES)
    add("--store", type=place_of, help="S1 and S2 of the data, by train.pseudo; or its URL")
    add("--reviews", type=Path, help="of the store, by train workbench; default: beside it")
    add("--out", type=place_of, required=True, help="folder of the training, or its URL")
    add("--init", type=place_of, help="checkpoint to start from, of --model; or its URL")
    add("--model", choices=tuple(CONFIGS), help="to build, and its defaults; default: mini")
    add(
        "--visual",
        help="weights that LAVT's visual side begins with: Microsoft's Swin .pth, safetensors, or "
        "none; default: of swin_b ImageNet's, downloaded where they are not here; without --init. "
        f"Of {', '.join(SYSTEMS)} also a published encoder in its place: {', '.join(ENCODERS)}",
    )
    add("--epochs", type=float, help=_by_model("epochs"))
    add("--size", type=int, nargs=2, metavar=("H", "W"), help="of pictures; default: --init's")
    add("--steps", type=int, help="updates, instead of --epochs")
    add("--batch", type=int, help=f"pictures of an update, all processes'; {_by_model('batch')}")
    add("--accumulate", type=int, help="batches that make one update; default: 1")
    add("--lr", type=float, help=f"LAVT's recipe 5e-5, the paper 5e-4; {_by_model('lr')}")
    add("--weight-decay", type=float, help="default: 0.01")
    add("--warmup", type=int, help=f"updates; {_by_model('warmup')}")
    add("--clip", type=float, help=f"largest norm of the gradient, 0 any; {_by_model('clip')}")
    add(
        "--expressions",
        type=int,
        help="drawn per object, 0 all; default: 1; correct, supervised 0",
    )
    add("--match", choices=tuple(MATCHES), help="default: greedy")
    add("--prior", type=float, help="weight of S2 in matching; default: the paper's, 0")
    add("--no-flip", dest="flip", action="store_false", help="no mirrored pictures (and words)")
    add("--precision", choices=("no", "bf16", "fp16"), help="bf16 where the device computes in it")
    add("--seed", type=int, help="default: 0")
    add("--val", help="data with true masks, for a validation mIoU")
    add("--eval-every", type=int, help="updates; default: 500")
    add("--watch", type=int, help="training pictures to draw over time; default: 0, train.run 32")
    add("--save-every", type=int, help="updates; default: 250")
    add("--cache", type=Path, help="default: runs/cache")
    what = "of copies of a bucket's files on the local disk, those used last; default: 20"
    add("--cache-gb", type=float, metavar="GB", help=what)
    what = "processes that fill the cache, or threads that read with --stream; default: 2"
    add("--workers", type=int, help=what)
    what = "no cache of pictures: of webdataset: each is read when its batch comes"
    add("--stream", action="store_true", help=what)
    add("--cpu", action="store_true", help="even where there is a GPU")
    add("--allow-missing", action="store_true", help=HELP)
    values = vars(parser.parse_args(argv))
    method = values["method"]
    for option, methods in HEEDED_BY.items():
        if option[2:] in values and method not in methods:
            parser.error(
                f"{option}: expected with {' or '.join(methods)}, got {method}; leave it out"
            )
    if method in HEEDED_BY["--store"] and "store" not in values:
        parser.error(f"{method} needs S1 and S2 of the data: give --store")
    if method == "correct" and "init" not in values:
        parser.error("correct starts from a bootstrapped checkpoint: give --init")
    if values.get("visual") in ENCODERS and method not in SYSTEMS:
        parser.error(f"--visual {values['visual']}: expected with {' or '.join(SYSTEMS)}")
    if "stream" in values and "store" not in values:
        parser.error(f"--stream: expected with --store, which {method} has none of; leave it out")
    if "size" in values:
        values["size"] = tuple(values["size"])
    defaults = {"expressions": 1 if method in ("bootstrap", *SYSTEMS) else 0}
    return Options(**defaults | DEFAULTS[values.get("model", Options.model)] | values)


def heeded(method: str, methods: Sequence[str], argv: Sequence[str]) -> list[str]:
    """Of options for several methods in turn, those for `method`.

    An option is left out where only others of `methods` heed it. One that none of them heeds stays,
    for `parse` to refuse.
    """
    others = {
        option
        for option, by in HEEDED_BY.items()
        if method not in by and not set(by).isdisjoint(methods)
    }
    own, rest = [], iter(argv)
    for argument in rest:
        option, equals, _ = argument.partition("=")
        if option not in others:
            own.append(argument)
        elif not equals:
            next(rest, None)  # its value
    return own


def _by_model(option: str) -> str:
    values = (f"{model} {values[option]:g}" for model, values in DEFAULTS.items())
    return f"default: {', '.join(values)}"


def default_precision(cpu: bool) -> str:
    """Of `--precision`: "bf16" where the processor, or else the accelerator, computes in it."""
    device = torch.device("cpu") if cpu else torch.accelerator.current_accelerator()
    return "bf16" if device is not None and computes_in_bfloat16(device) else "no"
