"""Trains the correct stage from sentences alone (paper §3.3), and its supervised upper bound.

python -m train.fit bootstrap  --data refsprites:train:4000 --store runs/pseudo --out runs/boot
python -m train.fit correct    --data refsprites:train:4000 --store runs/pseudo --out runs/correct \
                               --init runs/boot
python -m train.fit bootstrap  … --init runs/boot --out runs/plus       # the paper's "+40 epochs"
python -m train.fit supervised --data refsprites:train:4000 --out runs/supervised
torchrun --nproc_per_node 4 -m train.fit bootstrap …                    # several GPUs or processes

A killed run goes on where it stopped when the same command is given again.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence

import torch
from accelerate import Accelerator

from ssc.correct.predict import CONFIGS
from ssc.errors import InputError
from train.fit.batches import Plan
from train.fit.initial import in_turn, new_model, open_checkpoint, open_examples
from train.fit.loop import fit
from train.fit.options import default_precision, parse, settings_of

# Seconds that the other processes of a machine leave to the first one to say what all of them met;
# torchrun ends them with it.
PATIENCE = 30


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv, __doc__)
    # Said where there is nothing else, for unsaid several processes would not find each other.
    cpu = args.cpu or not torch.accelerator.is_available()
    args.precision = args.precision or default_precision(cpu)
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=args.precision,
        gradient_accumulation_steps=args.accumulate,
    )
    # Of the 1×1 convolution, where both strides are the same memory; it costs nothing.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    try:
        run(args, accelerator)
    except InputError as error:
        if not accelerator.is_local_main_process:
            time.sleep(PATIENCE)
        sys.exit(f"error: {error}")


def run(args: argparse.Namespace, accelerator: Accelerator) -> None:
    """Opens what the options name, and trains."""
    known = open_checkpoint(args.init) if args.init else None
    size = args.size or (known[2] if known else CONFIGS[args.model])["size"]
    wanted = [(args.data, args.store)] + ([(args.val, None)] if args.val else [])
    examples, *val = in_turn(
        accelerator,
        lambda: [open_examples(*source, size, args.cache, args.workers) for source in wanted],
    )
    model, tokenizer, config = known or new_model(args.model, examples, args.visual, args.seed)
    config["size"] = list(size)
    plan = Plan(
        args.batch,
        accelerator.num_processes * args.accumulate,
        args.expressions,
        not args.no_flip,
        args.seed,
    )
    fit(
        settings_of(args, len(examples)),
        plan,
        examples,
        model,
        tokenizer,
        config,
        args.out,
        accelerator,
        *(val or [None]),
        watched=args.watch,
    )


if __name__ == "__main__":
    main()
