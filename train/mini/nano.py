"""Trains what the nano LAVT of `train study` starts from: it knows class names, and no more.

It stands in for ImageNet's weights and BERT's, with which the paper's stage 3 begins (§4.1). First
the visual layers learn the class of each pixel of rendered scenes, then the whole network their
class names ("dog": the pixels of all dogs). Both tell what is a dog, not which dog. None of these
scenes is in the referring data.

python -m train.mini nano
"""

from __future__ import annotations

import argparse
import os
import shutil

import torch

from ssc.correct.predict import CONFIGS, Corrector
from train.data import open_dataset
from train.fit.__main__ import main as fit
from train.fit.initial import new_model, open_checkpoint, open_examples
from train.mini.card import head, write_card
from train.mini.lavt import measure
from train.mini.pixels import Scenes, pretrain

CLASSES = 16
WORLD = f"classes={CLASSES}"
FIRST = 20_000  # scene; those before are the referring data's
ABOUT = """LAVT (Swin with pixel-word attention, and BERT) of {parameters:.1f} M parameters at 72×96
pixels, which knows the names of 16 classes and no referring expression. `python -m train study`
starts from it, as the paper's stage 3 starts from ImageNet's and BERT's weights. It learns the
classes of pixels first, then class names, both from class masks of rendered scenes, which tell what
is a dog, not which dog. The figures below are of class names too."""


def train_nano(args: argparse.Namespace) -> None:
    """Trains on class names and writes `args.out`/nano; a killed run continues."""
    begin, names = args.runs / "nano-begin", args.runs / "nano"
    cache, size = args.runs / "cache", CONFIGS["nano"]["size"]

    # The class of each pixel.
    scenes = Scenes("train", args.scenes, 0, size, FIRST, CLASSES)
    folder = args.runs / "nano-pixels"
    visual, seconds = pretrain(
        "nano", scenes, args.pixel_steps, args.seed, folder, args.workers, batch=args.pixel_batch
    )

    # Class names, by a network that has the words of the study's own expressions.
    expressions = open_examples(args.data, None, size, cache, args.workers)
    Corrector.save(begin, *new_model("nano", expressions, str(visual), args.seed))
    options: dict[str, object] = {
        "--data": f"classes:train:{args.scenes}:{FIRST}:{WORLD}",
        "--model": "nano",
    }
    options |= {"--init": begin, "--out": names, "--steps": args.steps, "--batch": args.batch}
    options |= {"--lr": args.lr, "--expressions": 1, "--seed": args.seed}
    options |= {"--cache": cache, "--workers": args.workers}
    fit(["supervised", *(str(part) for option in options.items() for part in option)])

    # Published in half precision, measured as published.
    trained, _, config = open_checkpoint(names)
    part = args.out / "nano.part"
    shutil.rmtree(part, ignore_errors=True)
    Corrector.save(part, trained, Corrector.load(names).tokenizer, config, dtype=torch.float16)
    data = open_dataset(f"classes:val:{args.measure}:{WORLD}")
    figures = measure(Corrector.load(part), data, several=True)
    state = torch.load(names / "state.pt", weights_only=True)
    write_card(
        part,
        "Nano LAVT",
        ABOUT.format(parameters=sum(p.numel() for p in trained.parameters()) / 1e6),
        head("image-segmentation", "lavt"),
        trained,
        figures,
        seed=args.seed,
        steps=args.pixel_steps + args.steps,
        seconds=seconds + state["seconds"],
    )
    shutil.rmtree(args.out / "nano", ignore_errors=True)
    os.replace(part, args.out / "nano")
    print(figures)
