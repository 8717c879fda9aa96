"""Trains the mini LAVT: pixel classes in place of ImageNet, class names in place of BERT's nouns,
then the paper's two steps (§3.3): the first on S2, and again on S2 with spatial guidance; the
second twice, a third time on four times as many pictures, then with S2 as a prior, then with
larger pictures, and last on as many that it has not seen.

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
python -m train.pseudo --data refsprites:train:16000 --out runs/wide --workers 2
python -m train.pseudo --data refsprites:train:16000:16000 --out runs/fresh --workers 2
python -m train.mini lavt --store runs/pseudo --wide-store runs/wide --fresh-store runs/fresh
python -m train.mini lavt --pretrain-only              # what needs no pseudo-masks
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ssc.correct import threshold_of
from ssc.correct.predict import Corrector
from ssc.errors import InputError
from ssc.metrics import Scores
from train.data import RefSprites
from train.fit.__main__ import main as fit
from train.fit.initial import new_model, open_checkpoint, open_examples
from train.mini.card import write_card
from train.mini.pixels import OTHER_SCENES, SIZE, pretrain
from train.pseudo.make import choose_anew

PRIOR = 0.5  # what S2's choice counts for in the last rounds; see train.evaluate.matching_accuracy
LARGE = (144, 192)  # of the pictures in the last two rounds; half as dear again as SIZE
STEPS = ["names", "bootstrap", "spatial", "correct", "again", "wide", "prior", "large", "fresh"]
ABOUT = """LAVT (Swin with pixel-word attention, and BERT) of {parameters:.1f} M parameters at
144×192 pixels (96×128 until its last two steps). Trained from images and grouped expressions alone,
by the paper's stage 3: first on the masks that stages 1 and 2 of this very model set chose
(ZSBootstrap), then, beyond the paper, on those they choose with spatial guidance, then with
constrained greedy matching over all candidates, at last on four times as many pictures and with
what stage 2 chose as a prior, with larger pictures, and on others again. No true mask of a referred
object was read. Its visual layers began, where the paper's begin with ImageNet's weights, with
pixel classification on other rendered scenes, and the whole went on, where the paper's text encoder
is BERT, with names of classes there ("dog": the pixels of all dogs). Both do read class masks: what
is a dog's pixel, not which dog. It knows rendered scenes of emoji sprites, not photographs. Its
last seven steps ran as two processes (torchrun), which give the same up to rounding; its loss still
falls."""


def train_lavt(args: argparse.Namespace) -> None:
    """All steps into `args.out`/lavt; each picks up where it was killed."""
    visual, seconds = pretrain(
        args.pretrain_steps, args.pretrain_scenes, args.seed, args.runs, args.workers
    )
    if args.pretrain_only:
        return
    guided, wide, fresh = (
        _guided(args, data, store, name)
        for data, store, name in (
            (args.data, args.store, "spatial"),
            (args.wide, args.wide_store, "spatial-wide"),
            (args.fresh, args.fresh_store, "spatial-fresh"),
        )
    )
    examples = open_examples(args.data, args.store, SIZE, args.runs / "cache", args.workers)
    begin = args.runs / "lavt-begin"
    Corrector.save(begin, *new_model("mini", examples, str(visual), args.seed))
    scenes = f":{args.pretrain_scenes}:0:{args.seed + OTHER_SCENES}"
    whole = {"--data": "classes:train" + scenes, "--lr": 1e-3, "--expressions": 1}
    names = _fit(args, "supervised", "names", begin, args.names_epochs, 8, **whole)
    s2 = {"--store": args.store}
    boot = _fit(args, "bootstrap", "bootstrap", names, args.bootstrap_epochs, 8, **s2)
    s2 = {"--store": guided}
    boot = _fit(args, "bootstrap", "spatial", boot, args.spatial_epochs, 16, **s2)
    corrected = _fit(args, "correct", "correct", boot, args.correct_epochs, 16, **s2)
    # A seed of its own: other batches than in the round before.
    again = _fit(
        args,
        "correct",
        "again",
        corrected,
        args.again_epochs,
        16,
        **s2,
        **{"--seed": args.seed + 1},
    )
    more = {"--data": args.wide, "--lr": 7e-4}
    s1 = {**more, "--store": wide}
    wider = _fit(args, "correct", "wide", again, args.wide_epochs, 16, **s1)
    both = {**s1, "--lr": 5e-4, "--prior": PRIOR, "--seed": args.seed + 1}
    guided_by_s2 = _fit(args, "correct", "prior", wider, args.prior_epochs, 16, **both)
    large = {"--data": args.wide, "--lr": 5e-4, "--seed": args.seed + 2, "--size": LARGE}
    both = {**large, "--store": wide, "--prior": PRIOR}
    larger = _fit(args, "correct", "large", guided_by_s2, args.large_epochs, 16, **both)
    unseen = {**large, "--data": args.fresh, "--seed": args.seed + 3}
    both = {**unseen, "--store": fresh, "--prior": PRIOR}
    last = _fit(args, "correct", "fresh", larger, args.fresh_epochs, 16, **both)
    if args.rows:  # each in place of one step or two, from the same start
        _fit(args, "bootstrap", "plus", boot, args.correct_epochs, 16, **s2)
        s2["--prior"] = PRIOR
        _fit(args, "correct", "prior-8", boot, args.correct_epochs, 16, **s2)
        told = _fit(args, "supervised", "told", guided_by_s2, args.large_epochs, 16, **large)
        _fit(args, "supervised", "supervised", told, args.fresh_epochs, 16, **unseen)
    steps = args.pretrain_steps
    for step in STEPS:
        state = torch.load(args.runs / f"lavt-{step}" / "state.pt", weights_only=True)
        seconds, steps = seconds + state["seconds"], steps + state["update"]
    publish(last, args.out / "lavt", args, seconds, steps)


def _guided(args: argparse.Namespace, data: str, store: Path | None, name: str) -> Path:
    """S2 of `store` chosen anew with words for a place."""
    if not store or not store.exists():
        raise InputError(f"expected pseudo-masks of {data} by train.pseudo, got {store}")
    choose_anew(store, args.runs / name)
    return args.runs / name


def _fit(
    args: argparse.Namespace,
    method: str,
    step: str,
    init: Path,
    epochs: float,
    batch: int,
    **others: Any,
) -> Path:
    """Runs `train.fit`; returns the checkpoint's folder."""
    folder = args.runs / f"lavt-{step}"
    options = {"--data": args.data, "--lr": 5e-4, "--expressions": 2, "--val": args.val}
    options |= {"--init": init, "--out": folder, "--epochs": epochs, "--batch": batch}
    options |= {"--seed": args.seed, "--workers": args.workers, "--cache": args.runs / "cache"}
    options |= others
    if options["--data"].startswith("classes"):
        del options["--val"]
    argv = [method]
    for name, value in options.items():
        argv += [name, *(str(x) for x in (value if isinstance(value, tuple) else (value,)))]
    fit(argv)
    return folder


def publish(
    source: Path, folder: Path, args: argparse.Namespace, seconds: float, steps: int
) -> None:
    """Stores the checkpoint in half precision, measures it, and writes its card."""
    trained = Corrector.load(source)
    config = open_checkpoint(source)[2]
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    Corrector.save(part, trained.model, trained.tokenizer, config, torch.float16)
    figures = measure(Corrector.load(part), RefSprites("val", args.measure))
    parameters = sum(p.numel() for p in trained.model.parameters()) / 1e6
    write_card(
        part,
        "Mini LAVT",
        ABOUT.format(parameters=parameters),
        trained.model,
        figures,
        seed=args.seed,
        steps=steps,
        seconds=seconds,
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    print(figures)


def measure(corrector: Corrector, dataset: RefSprites) -> dict[str, float]:
    """oIoU, mIoU and P@0.5 in the pictures' own frame."""
    scores = Scores()
    for i in tqdm(range(len(dataset)), desc="measuring", mininterval=5):
        picture = dataset[i]
        for thing in picture.objects:
            for seen in corrector.predict(picture.image, thing.expressions):
                scores.add(seen > threshold_of(seen), thing.mask)
    return {"mIoU": scores.miou, "oIoU": scores.oiou, "P@0.5": scores.precision(0.5)}
