"""What a training can be told: the settings that decide its weights, and the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ssc.correct.predict import CONFIGS
from ssc.devices import computes_in_bfloat16
from train.data import SOURCES
from train.fit.assign import MATCHES

METHODS = ("bootstrap", "correct", "supervised")
DEFAULTS: dict[str, dict[str, Any]] = {
    # The paper: batches of 60, 40 epochs. Its text says a rate of 5e-4; the LAVT recipe that it
    # follows has 5e-5, and so has this: say --lr 5e-4 for the other.
    "swin_b": {"lr": 5e-5, "batch": 60, "epochs": 40, "warmup": 0, "clip": 0.0},
    # From scratch and small: a rate as for any small transformer, and a short warm-up.
    "nano": {"lr": 1e-3, "batch": 16, "epochs": 8, "warmup": 100, "clip": 5.0},
    "mini": {"lr": 1e-3, "batch": 8, "epochs": 8, "warmup": 100, "clip": 5.0},
}


@dataclass(frozen=True)
class Settings:
    """What decides the weights that come out, beside data and initial weights.

    Attributes:
        method: one of `METHODS`.
        updates: of the weights, in all; the horizon of the learning rate.
        lr: at its peak; falls to 0 as (1 - update / updates) ** 0.9.
        weight_decay: of matrices; biases, norms and relative position tables have none.
        warmup: updates over which the rate first rises.
        clip: largest norm of the gradient; 0 for any.
        match: key of `MATCHES`, for `correct`.
        prior: added to the score of each object and its S2 mask, for `correct`; the paper's is 0.
        precision: "no", "bf16" or "fp16".
        accumulate: batches per process that make one update.
        save_every, eval_every: in updates.
    """

    method: str
    updates: int
    lr: float
    weight_decay: float
    warmup: int
    clip: float
    match: str
    prior: float
    precision: str
    accumulate: int
    save_every: int
    eval_every: int


def parse(argv: Sequence[str] | None, description: str | None = None) -> argparse.Namespace:
    """The options of `train.fit`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.fit", description=description, allow_abbrev=False
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("method", choices=METHODS)
    add("--data", required=True, help=SOURCES)
    add("--store", type=Path, help="S1 and S2 of the same data, by train.pseudo")
    add("--out", type=Path, required=True)
    add("--init", type=Path, help="checkpoint to start from, of --model")
    add("--model", choices=tuple(CONFIGS), default="mini", help="to build, and its defaults")
    add(
        "--visual",
        help="weights that LAVT's visual side begins with: Microsoft's Swin .pth, safetensors, or "
        "none; default: of swin_b ImageNet's, downloaded where they are not here; without --init",
    )
    add("--epochs", type=float, help="mini 8, swin_b 40")
    add("--size", type=int, nargs=2, metavar=("H", "W"), help="to look at pictures; else --init's")
    add("--steps", type=int, help="updates, instead of --epochs")
    add("--batch", type=int, help="pictures of an update, all processes'; mini 8, swin_b 60")
    add("--accumulate", type=int, default=1, help="batches that make one update")
    add("--lr", type=float, help="mini 1e-3, swin_b 5e-5 (LAVT's recipe; the paper says 5e-4)")
    add("--weight-decay", type=float, default=1e-2)
    add("--warmup", type=int, help="updates; mini 100, swin_b 0")
    add("--clip", type=float, help="largest norm of the gradient; mini 5, swin_b 0 (any)")
    add("--expressions", type=int, help="drawn per object; bootstrap 1, else 0 (all)")
    add("--match", choices=tuple(MATCHES), default="greedy")
    add("--prior", type=float, default=0.0, help="weight of S2 in matching; the paper's is 0")
    add("--no-flip", action="store_true", help="no mirrored pictures (and words)")
    add("--precision", choices=("no", "bf16", "fp16"), help="bf16 where the device computes in it")
    add("--seed", type=int, default=0)
    add("--val", help="data with true masks to measure mIoU on now and then")
    add("--eval-every", type=int, default=500)
    add("--watch", type=int, default=0, help="of its pictures, to draw over time; train.run 32")
    add("--save-every", type=int, default=250)
    add("--cache", type=Path, default=Path("runs/cache"))
    add("--workers", type=int, default=2, help="processes that fill the cache")
    add("--cpu", action="store_true", help="even where there is a GPU")
    args = parser.parse_args(argv)
    if (args.store is None) != (args.method == "supervised"):
        parser.error("bootstrap and correct need --store, supervised must not have it")
    if args.method == "correct" and args.init is None:
        parser.error("correct starts from a bootstrapped checkpoint: give --init")
    if args.expressions is None:
        args.expressions = 1 if args.method == "bootstrap" else 0
    for name, value in DEFAULTS[args.model].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def settings_of(args: argparse.Namespace, pictures: int) -> Settings:
    """The settings of a training on so many pictures, by its options."""
    return Settings(
        args.method,
        updates_of(args, pictures),
        args.lr,
        args.weight_decay,
        args.warmup,
        args.clip,
        args.match,
        args.prior,
        args.precision,
        args.accumulate,
        args.save_every,
        args.eval_every,
    )


def updates_of(args: argparse.Namespace, pictures: int) -> int:
    """Updates of a training on so many pictures, by its options."""
    return args.steps or math.ceil(args.epochs * pictures / args.batch)


def default_precision(cpu: bool) -> str:
    """Of `--precision`: "bf16" where the processor, or else the accelerator, computes in it."""
    device = torch.device("cpu") if cpu else torch.accelerator.current_accelerator()
    return "bf16" if device is not None and computes_in_bfloat16(device) else "no"
