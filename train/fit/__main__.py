"""Trains the correct stage from sentences alone (paper §3.3), its supervised upper bound, and the
text-supervised systems that it is compared with.

python -m train.fit bootstrap  --data refsprites:train:4000 --store runs/pseudo --out runs/boot
python -m train.fit correct    --data refsprites:train:4000 --store runs/pseudo --out runs/correct \
                               --init runs/boot
python -m train.fit bootstrap  … --init runs/boot --out runs/plus       # the paper's "+40 epochs"
python -m train.fit supervised --data refsprites:train:4000 --out runs/supervised
python -m train.fit tseg       --data refsprites:train:4000 --out runs/tseg --init assets/mini/nano
                               # or tris, gather: text-supervised systems of Table 1 (train.weak)
torchrun --nproc_per_node 4 -m train.fit bootstrap …                    # several GPUs or processes
torchrun --nnodes 2 --nproc_per_node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29400 \
         --max-restarts 9 -m train.fit bootstrap … --out s3://bucket/boot    # on each of two nodes

A killed run goes on where it stopped when the same command is given again. Of several nodes, those
that are left wait for one that has died, and go on from the last state when the command is given
there again. --out is on a disk that they share, or at a URL.
"""

from __future__ import annotations

import json
import signal
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from ssc.correct.predict import CONFIGS
from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_folder, write_whole
from train.data import places
from train.data.places import is_url
from train.fit.copies import Copy
from train.fit.initial import FRESH, in_turn, new_model, open_checkpoint, open_examples
from train.fit.loop import fit
from train.fit.options import LEFT_OUT, Options, default_precision, parse
from train.weak.build import begin
from train.weak.names import ENCODERS, SYSTEMS

# Others wait for the process that fills the cache, which takes hours of millions of pictures; where
# one dies, torchrun ends them.
CACHING = timedelta(days=2)
# Seconds that the other processes of a machine leave to the first one to say what all of them met;
# torchrun ends them with it.
PATIENCE = 30


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv, __doc__)
    # Set also where there is nothing else: several processes would not find each other otherwise.
    cpu = options.cpu or not torch.accelerator.is_available()
    options = replace(options, precision=options.precision or default_precision(cpu))
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=options.precision,
        gradient_accumulation_steps=options.accumulate,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=CACHING)],
    )
    # Of the 1×1 convolution, where both strides are the same memory; it costs nothing.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    try:
        run(options, accelerator)
    except InputError:
        if not accelerator.is_local_main_process:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # in silence: the first one says it
            time.sleep(PATIENCE)
        raise


def run(options: Options, accelerator: Accelerator) -> None:
    """Opens what the options name, and trains."""
    places.KEPT = int(options.cache_gb * 2**30)
    places_of = {"out": options.out, "init": options.init}
    copies = {name: Copy(url) for name, url in places_of.items() if url and is_url(url)}
    if copies:
        with accelerator.local_main_process_first():
            for copy in copies.values() if accelerator.is_local_main_process else ():
                copy.bring()
        folders: dict[str, Any] = {name: copy.folder for name, copy in copies.items()}
        options = replace(options, **folders)
    make_folder(options.out)  # before anything is loaded
    make_folder(options.cache)
    start = open_checkpoint(options.init) if options.init else None
    size = options.size or (start[2] if start else CONFIGS[options.model])["size"]
    sources = [(options.data, options.store, options.method in SYSTEMS)]
    sources += [(options.val, None, False)] if options.val else []
    examples, *val = in_turn(
        accelerator,
        lambda: [
            open_examples(
                data,
                store,
                size,
                options.cache,
                options.workers,
                options.allow_missing,
                options.reviews,
                unmasked,
                options.stream,
            )
            for data, store, unmasked in sources
        ],
    )
    encoder = options.visual if options.visual in ENCODERS else None
    model, tokenizer, config = start or new_model(
        options.model, examples, FRESH if encoder else options.visual, options.seed
    )
    model, config = begin(options.method, model, config, options.seed, encoder)
    config["size"] = list(size)
    if accelerator.is_main_process:
        named = zip(("data", "val"), (examples, *val))
        record = {name: own.record for name, own in named}
        write_whole(options.out / LEFT_OUT, (json.dumps(record) + "\n").encode())
    saved = copies["out"].send if "out" in copies else None
    fit(options, examples, model, tokenizer, config, accelerator, *val, saved=saved)


if __name__ == "__main__":
    main()
