"""Trains the bundled mini models into assets/mini/.

python -m train.mini detector --steps 3000 --batch 8 --seed 0
python -m train.mini clip --steps 3000 --batch 144 --scenes 9000 --seed 0
python -m train.mini lavt --store runs/pseudo --wide-store runs/wide --fresh-store runs/fresh

A killed run goes on where it stopped (its state is in runs/mini). Rendering needs the emoji font
(Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from ssc.models.sets import ASSETS

MINI = ASSETS / "mini"

ABOUT_DETECTOR = """FCOS (torchvision) on a four-stage convolutional backbone: boxes of COCO's
80 classes, and a class-agnostic mask head, so that a box alone gives a mask. Trained from scratch
on RefSprites' rendered boxes and masks, as Grounding DINO and SAM are trained on theirs; it stands
in for both. It knows rendered scenes of emoji sprites, not photographs, and of COCO's classes only
the 65 that have sprites."""

ABOUT_CLIP = """A CLIP (open_clip, ModifiedResNet and a three-layer text transformer) with its own
byte-pair tokenizer. Trained from scratch on RefSprites scenes in which one object is sharp and the
rest blurred to a random degree (with the rendered mask), captioned with class, colour, looks and
size; one caption in twenty says where it is. Also on 7,000 synonyms of COCO's classes
(`train/lexicon.py`), so that class projection works. It knows rendered scenes, not photographs."""


def detector(args: argparse.Namespace) -> None:
    from ssc.models.sets import load_mini_network
    from ssc.segment.mini import CONFIG
    from train.mini.card import write_card, write_model
    from train.mini.detector import choose_threshold, measure, train_detector

    model, seconds = train_detector(args.steps, args.batch, args.seed, args.runs, args.start)
    folder = args.out / "detector"
    config = {"network": CONFIG, "threshold": 0.5}
    write_model(folder, model, config)
    config["threshold"] = choose_threshold(load_mini_network(folder), args.measure)
    write_model(folder, model, config)
    figures = {"box threshold": config["threshold"]}
    figures |= measure(load_mini_network(folder), "val", args.measure, seed=0)
    write_card(
        folder,
        "Mini detector and segmenter",
        ABOUT_DETECTOR,
        model,
        figures,
        seed=args.seed,
        steps=args.steps,
        seconds=seconds,
    )
    print(figures)


def clip(args: argparse.Namespace) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    from ssc.models.sets import load_mini_clip
    from train.mini.card import write_card, write_model
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


def _lavt_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--pretrain-steps", type=int, default=3600, help="of pixel classification")
    add("--pretrain-scenes", type=int, default=5000, help="rendered once")
    add("--pretrain-only", action="store_true", help="stop before pseudo-masks are needed")
    add("--names-epochs", type=float, default=4.5, help="of learning class names in those scenes")
    add("--data", default="refsprites:train:4000")
    add("--store", type=Path, help="pseudo-masks of --data, by train.pseudo")
    add("--val", default="refsprites:val:100", help="to watch; nothing is chosen by it")
    add("--bootstrap-epochs", type=float, default=4, help="on S2")
    add("--spatial-epochs", type=float, default=5, help="on S2 that heeds words for a place")
    add("--correct-epochs", type=float, default=8)
    add("--again-epochs", type=float, default=5, help="of matching once more, from the full rate")
    add("--wide", default="refsprites:train:16000", help="more pictures, --data's among them")
    add("--wide-store", type=Path, help="pseudo-masks of --wide, by train.pseudo")
    add("--wide-epochs", type=float, default=7, help="of matching in these")
    add("--prior-epochs", type=float, default=2.6, help="of the same with S2 as a prior")
    add("--large-epochs", type=float, default=1.5, help="of the same with larger pictures")
    add("--fresh", default="refsprites:train:16000:16000", help="as many more that it never saw")
    add("--fresh-store", type=Path, help="pseudo-masks of --fresh, by train.pseudo")
    add("--fresh-epochs", type=float, default=2, help="of the same on those")
    add("--rows", action="store_true", help="train the rows of the table that are not shipped too")
    add("--workers", type=int, default=1, help="processes that render")
    add("--seed", type=int, default=0)
    add("--measure", type=int, default=200, help="val scenes to measure on")
    add("--runs", type=Path, default=Path("runs/mini"))
    add("--out", type=Path, default=MINI)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.mini", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)
    for run, steps, batch in ((detector, 3000, 8), (clip, 3000, 144)):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        command.add_argument("--steps", type=int, default=steps)
        command.add_argument("--batch", type=int, default=batch)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--measure", type=int, default=200, help="val scenes to measure on")
        command.add_argument("--runs", type=Path, default=Path("runs/mini"))
        command.add_argument("--out", type=Path, default=MINI)
        if run is detector:
            command.add_argument("--start", type=Path, help="an earlier detector's, to go on from")
        if run is clip:
            command.add_argument("--scenes", type=int, default=9000, help="rendered once")
    command = commands.add_parser("lavt")
    command.set_defaults(run=lavt)
    _lavt_options(command)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.run(args)


if __name__ == "__main__":
    main()
