"""Trains the bundled mini models into assets/mini/.

python -m train.mini detector --steps 3000 --batch 8 --seed 0
python -m train.mini clip --steps 3000 --batch 144 --scenes 9000 --seed 0
python -m train.mini lavt --store runs/pseudo --wide-store runs/wide --fresh-store runs/fresh
python -m train.mini nano

The same command continues a killed run; its state is in runs/mini. Rendering needs the emoji font
(Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2

from ssc.entry import command
from ssc.models.bundled import ASSETS

MINI = ASSETS / "mini"

ABOUT_DETECTOR = """FCOS (torchvision) on a four-stage convolutional backbone: boxes of COCO's
80 classes, and a class-agnostic mask head that turns any box into a mask. It stands in for
Grounding DINO and SAM, and learns from RefSprites' rendered boxes and masks. It knows rendered
scenes of emoji sprites, not photographs, and only the 65 of COCO's classes that have sprites."""

ABOUT_CLIP = """A CLIP (open_clip: ModifiedResNet and a three-layer text transformer) with its own
byte-pair tokenizer. It learns from RefSprites scenes in which one object is sharp and the rest is
blurred to a random degree (by the rendered mask). Captions tell class, colour, looks and size; one
in twenty tells the place. For class projection it also learns 7,000 synonyms of COCO's classes
(`train/scenes/lexicon.py`). It knows rendered scenes, not photographs."""

HEAD_DETECTOR = "object-detection", "instance-segmentation"
HEAD_CLIP = "zero-shot-image-classification", "clip"


def detector(args: argparse.Namespace) -> None:
    from ssc.models.bundled import load_mini_network
    from ssc.segment.detect import MiniDetector
    from ssc.segment.masks import MiniSegmenter
    from ssc.segment.mini import CONFIG
    from train.data import RefSprites
    from train.data.instances import measure
    from train.mini.card import head, write_card, write_model
    from train.mini.detector import choose_threshold, train_detector

    model, seconds = train_detector(args.steps, args.batch, args.seed, args.runs, args.start)
    folder = args.out / "detector"
    config: dict[str, Any] = {"network": CONFIG, "threshold": 0.5}
    write_model(folder, model, config)
    config["threshold"] = choose_threshold(load_mini_network(folder), args.measure)
    write_model(folder, model, config)
    figures: dict[str, float] = {"box threshold": config["threshold"]}
    network = load_mini_network(folder)
    boxes = MiniDetector(network, threshold=config["threshold"])
    figures |= measure(boxes, MiniSegmenter(network), RefSprites("val", args.measure))
    write_card(
        folder,
        "Mini detector and segmenter",
        ABOUT_DETECTOR,
        head(*HEAD_DETECTOR),
        model,
        figures,
        seed=args.seed,
        steps=args.steps,
        seconds=seconds,
    )
    print(figures)


def clip(args: argparse.Namespace) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    from ssc.models.bundled import load_mini_clip
    from train.mini.card import head, write_card, write_model
    from train.mini.clip import config, measure, train_clip

    folder = args.out / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    merges = folder / "merges.txt.gz"
    model, seconds = train_clip(args.steps, args.batch, args.scenes, args.seed, args.runs, merges)
    write_model(folder, model, {"network": config(SimpleTokenizer(str(merges)).vocab_size)})
    figures = measure(load_mini_clip(folder), args.measure, seed=0)
    write_card(
        folder,
        "Mini CLIP",
        ABOUT_CLIP,
        head(*HEAD_CLIP),
        model,
        figures,
        seed=args.seed,
        steps=args.steps,
        seconds=seconds,
    )
    print(figures)


def lavt(args: argparse.Namespace) -> None:
    from train.mini.lavt import train_lavt

    train_lavt(args)


def nano(args: argparse.Namespace) -> None:
    from train.mini.nano import train_nano

    train_nano(args)


def _nano_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--data", default="refsprites:train:4000:classes=16", help="whose words it is given")
    add("--scenes", type=int, default=8000, help="to learn pixels and class names from")
    add("--pixel-steps", type=int, default=5000, help="updates of pixel classification")
    add("--pixel-batch", type=int, default=32)
    add("--steps", type=int, default=400, help="updates with class names")
    add("--batch", type=int, default=64)
    add("--lr", type=float, default=2e-3)
    _common(command)


def _common(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--workers", type=int, default=1, help="processes that render")
    add("--seed", type=int, default=0)
    add("--measure", type=int, default=200, help="val scenes to measure on")
    add("--runs", type=Path, default=Path("runs/mini"), help="folder for states and logs")
    add("--out", type=Path, default=MINI, help="folder for the model; default: the bundled one")


def _lavt_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--pretrain-steps", type=int, default=3600, help="1: updates of pixel classification")
    add("--pretrain-scenes", type=int, default=5000, help="scenes for steps 1 and 2")
    add("--pretrain-only", action="store_true", help="stop after step 2")
    add("--names-epochs", type=float, default=4.5, help="2: class names in those scenes")
    add("--data", default="refsprites:train:4000", help="pictures for steps 3 to 6")
    add("--store", type=Path, help="S1 and S2 of --data, by train.pseudo")
    add("--val", default="refsprites:val:100", help="data for the curve; chooses nothing")
    add("--bootstrap-epochs", type=float, default=4, help="3: on S2")
    add("--spatial-epochs", type=float, default=5, help="4: on S2 with words counted")
    add("--correct-epochs", type=float, default=8, help="5: matching")
    add("--again-epochs", type=float, default=5, help="6: a second round of matching")
    add("--wide", default="refsprites:train:16000", help="pictures for steps 7 to 9")
    add("--wide-store", type=Path, help="S1 and S2 of --wide, by train.pseudo")
    add("--wide-epochs", type=float, default=7, help="7: matching on --wide")
    add("--prior-epochs", type=float, default=2.6, help="8: matching with S2 as a prior")
    add("--large-epochs", type=float, default=1.5, help="9: the same with larger pictures")
    add("--fresh", default="refsprites:train:16000:16000", help="pictures for step 10")
    add("--fresh-store", type=Path, help="S1 and S2 of --fresh, by train.pseudo")
    add("--fresh-epochs", type=float, default=2, help="10: the same on --fresh")
    add("--rows", action="store_true", help="also train models to compare with, not shipped")
    _common(command)


@command(goes_on=True)
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.mini", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)
    for run, steps, batch in ((detector, 3000, 8), (clip, 3000, 144)):
        one = commands.add_parser(run.__name__)
        one.set_defaults(run=run)
        one.add_argument("--steps", type=int, default=steps)
        one.add_argument("--batch", type=int, default=batch)
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--measure", type=int, default=200, help="val scenes to measure on")
        one.add_argument("--runs", type=Path, default=Path("runs/mini"), help="for states, logs")
        one.add_argument("--out", type=Path, default=MINI, help="default: the bundled folder")
        if run is detector:
            one.add_argument("--start", type=Path, help="weights to start from")
        if run is clip:
            one.add_argument("--scenes", type=int, default=9000, help="scenes to draw from")
    for run, add_options in ((lavt, _lavt_options), (nano, _nano_options)):
        one = commands.add_parser(run.__name__)
        one.set_defaults(run=run)
        add_options(one)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.run(args)


if __name__ == "__main__":
    main()
