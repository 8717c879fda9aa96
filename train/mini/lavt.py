"""Trains the mini LAVT in ten steps, the last eight of them stage 3 (paper §3.3).

1. Pixel classification in rendered scenes, in place of ImageNet's weights.
2. Class names in the same scenes, in place of BERT's knowledge.
3. Bootstrap on S2. 4. Bootstrap on S2 with words counted.
5. and 6. Two rounds of matching. 7. A third round on four times as many pictures.
8. The same with S2 as a prior. 9. With larger pictures. 10. On new pictures.

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
python -m train.pseudo --data refsprites:train:16000 --out runs/wide --workers 2
python -m train.pseudo --data refsprites:train:16000:16000 --out runs/fresh --workers 2
python -m train.mini lavt --store runs/pseudo --wide-store runs/wide --fresh-store runs/fresh
python -m train.mini lavt --pretrain-only              # steps 1 and 2: what stage 3 starts from
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ssc.correct.mask import mask_at, threshold_of
from ssc.correct.predict import CONFIGS, Corrector
from ssc.errors import InputError
from ssc.metrics import Scores
from train.data import Dataset, RefSprites
from train.fit.__main__ import main as fit
from train.fit.initial import new_model, open_checkpoint, open_examples
from train.mini.card import head, write_card
from train.mini.pixels import Scenes, pretrain
from train.pseudo.make import choose_anew

SIZE = CONFIGS["mini"]["size"]
OTHER_SCENES = 1_000_003  # added to the seed, so that no scene is in the referring data
DECODER = 32  # width in pixel classification, which does not keep it
PRIOR = 0.5  # added for S2's choice in the last rounds; see train.evaluate.matching_accuracy
LARGE = (144, 192)  # size of pictures in the last two rounds; 1.5 times as slow as SIZE
STEPS = ["names", "bootstrap", "spatial", "correct", "again", "wide", "prior", "large", "fresh"]
ABOUT = """LAVT (Swin with pixel-word attention, and BERT) of {parameters:.1f} M parameters at
144×192 pixels (96×128 until its last two steps). It learns from images and grouped expressions by
the paper's stage 3, and reads no true mask of a referred object. It starts on the masks that stages
1 and 2 of this model set choose (ZSBootstrap). Beyond the paper, it goes on with those they choose
where words for places count. Constrained greedy matching over all candidates follows: on the same
pictures, on four times as many, with stage 2's choice as a prior, with larger pictures, and on new
ones. In place of ImageNet's weights, its visual layers begin with pixel classification on other
rendered scenes; in place of BERT's weights, the whole network learns class names there ("dog": the
pixels of all dogs). Both read class masks, which tell what is a dog, not which dog. It knows
rendered scenes of emoji sprites, not photographs. The loss still falls at the end."""
HEAD = "image-segmentation", "lavt"


def train_lavt(args: argparse.Namespace) -> None:
    """Runs all steps and writes `args.out`/lavt; a killed step continues where it stops."""
    stores = {
        "spatial": (args.data, args.store),
        "spatial-wide": (args.wide, args.wide_store),
        "spatial-fresh": (args.fresh, args.fresh_store),
    }
    for data, store in stores.values():  # before anything is trained
        if not args.pretrain_only and not (store and store.exists()):
            raise InputError(f"expected pseudo-masks of {data} by train.pseudo, got {store}")
    scenes = Scenes("train", args.pretrain_scenes, args.seed + OTHER_SCENES, SIZE)
    visual, seconds = pretrain(
        "mini",
        scenes,
        args.pretrain_steps,
        args.seed,
        args.runs / "lavt-pixels",
        args.workers,
        decoder=DECODER,
    )
    examples = open_examples(args.data, args.store, SIZE, args.runs / "cache", args.workers)
    begin = args.runs / "lavt-begin"
    Corrector.save(begin, *new_model("mini", examples, str(visual), args.seed))
    same = f":{args.pretrain_scenes}:0:{args.seed + OTHER_SCENES}"
    whole = {"--data": "classes:train" + same, "--lr": 1e-3, "--expressions": 1}
    names = _fit(args, "supervised", "names", begin, args.names_epochs, 8, **whole)
    if args.pretrain_only:
        return
    guided, wide, fresh = (_guided(args, store, name) for name, (_, store) in stores.items())
    s2 = {"--store": args.store}
    boot = _fit(args, "bootstrap", "bootstrap", names, args.bootstrap_epochs, 8, **s2)
    s2 = {"--store": guided}
    boot = _fit(args, "bootstrap", "spatial", boot, args.spatial_epochs, 16, **s2)
    corrected = _fit(args, "correct", "correct", boot, args.correct_epochs, 16, **s2)
    # A seed of its own, so that batches differ from the first round's.
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
    if args.rows:  # each replaces one step or two, from the same start
        _fit(args, "bootstrap", "plus", boot, args.correct_epochs, 16, **s2)
        s2["--prior"] = PRIOR
        _fit(args, "correct", "prior-8", boot, args.correct_epochs, 16, **s2)
        teacher = _fit(args, "supervised", "told", guided_by_s2, args.large_epochs, 16, **large)
        _fit(args, "supervised", "supervised", teacher, args.fresh_epochs, 16, **unseen)
    steps = args.pretrain_steps
    for step in STEPS:
        state = torch.load(args.runs / f"lavt-{step}" / "state.pt", weights_only=True)
        seconds, steps = seconds + state["seconds"], steps + state["update"]
    publish(last, args.out / "lavt", args, seconds, steps)


def _guided(args: argparse.Namespace, store: Path, name: str) -> Path:
    """A store with words counted in S2 of `store`."""
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
    Corrector.save(part, trained.model, trained.tokenizer, config, dtype=torch.float16)
    figures = measure(Corrector.load(part), RefSprites("val", args.measure))
    parameters = sum(p.numel() for p in trained.model.parameters()) / 1e6
    write_card(
        part,
        "Mini LAVT",
        ABOUT.format(parameters=parameters),
        head(*HEAD),
        trained.model,
        figures,
        seed=args.seed,
        steps=steps,
        seconds=seconds,
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    print(figures)


def measure(corrector: Corrector, dataset: Dataset, *, several: bool = False) -> dict[str, float]:
    """oIoU, mIoU and P@0.5 in the pictures' own frame.

    Args:
        several: whether an expression may mean several objects, as a class's name does.
    """
    scores = Scores()
    for i in tqdm(range(len(dataset)), desc="measuring", mininterval=5):
        picture = dataset[i]
        for referred in picture.objects:
            assert referred.mask is not None  # RefSprites has them all
            for probability in corrector.predict(picture.image, referred.expressions):
                mask = mask_at(probability, threshold_of(probability), several=several)
                scores.add(mask, referred.mask)
    return {"mIoU": scores.miou, "oIoU": scores.oiou, "P@0.5": scores.precision(0.5)}
