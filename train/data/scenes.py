"""Previews RefSprites, exports scenes as a data set, and writes the slice that tests use.

python -m train scenes preview --split hard --count 24 --out out/preview.png
python -m train scenes export DIR --count 60                       # DIR/train.jsonl and PNGs
python -m train scenes export DIR --split val --count 20 --masks   # DIR/val.jsonl, with the truth
python -m train scenes slice                  # assets/scenes and assets/examples
python -m train scenes speed                  # scenes a second on one core
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from tqdm import tqdm

from ssc.entry import command
from ssc.formats import png
from ssc.writing import make_place, write_whole
from train.data import Picture, RefSprites
from train.data.export import export
from train.data.slice import write_slice
from train.scenes.render import SEVERAL, SPLITS, Scene, render

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178))
FONT = cv2.FONT_HERSHEY_SIMPLEX


def sheet(scenes: list[Scene], columns: int = 4) -> np.ndarray:
    """RGB uint8: each scene, its masks outlined and its expressions in the mask's colour."""
    tiles = []
    for scene in scenes:
        h, w = scene.ids.shape
        picture = scene.image.copy()
        text = np.full((h // 2 + 24, w, 3), 255, np.uint8)
        y = 12
        for k, mask in enumerate(scene.masks):
            outline, _ = cv2.findContours(
                mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            colour = COLOURS[k % len(COLOURS)] if k in scene.referred else (255, 255, 255)
            cv2.drawContours(picture, outline, -1, colour, 2 if k in scene.referred else 1)
            for expression in scene.referred.get(k, ()):
                cv2.rectangle(text, (2, y - 8), (8, y - 2), colour, -1)
                line = f"{expression.text} [{expression.kind}]"
                cv2.putText(text, line, (12, y - 1), FONT, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
                y += 14
        for question in scene.questions:
            numbers = ",".join(str(k) for k in question.answer) or "none"
            line = f"{question.text} [{question.kind}: {numbers}]"
            cv2.putText(text, line, (12, y - 1), FONT, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
            y += 14
        tiles.append(np.vstack([picture, text]))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _pictures(split: str, count: int, seed: int, classes: int) -> Iterator[Picture]:
    scenes = RefSprites(split, count, seed, classes=classes)
    return (scenes[index] for index in range(count))


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train scenes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", choices=("preview", "export", "slice", "speed"))
    parser.add_argument("folder", nargs="?", type=Path, help="folder that export writes to")
    parser.add_argument("--split", choices=(*SPLITS, SEVERAL), default="train")
    parser.add_argument("--count", type=int, default=24, help="scenes; default: 24")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", type=int, default=0, help="of the world; default: all")
    parser.add_argument("--masks", action="store_true", help="also export the true masks")
    parser.add_argument("--out", type=Path, default=Path("out/preview.png"), help="of preview")
    args = parser.parse_args(argv)
    if (args.folder is None) == (args.command == "export"):
        parser.error("expected a folder with export, and none with the other commands")
    if args.command == "slice":
        write_slice()
        return
    cv2.setNumThreads(1)
    if args.command == "export":
        pictures = tqdm(
            _pictures(args.split, args.count, args.seed, args.classes), args.split, args.count
        )
        file = export(pictures, args.folder / f"{args.split}.jsonl", args.masks)
        print(f"wrote {file} and its pictures")
        return
    if args.command == "preview":
        make_place(args.out)
    if args.command == "speed":
        for index in range(args.count):  # draws the sprites once
            render(args.split, index, args.seed + 1, classes=args.classes)
    start = perf_counter()
    scenes = [
        render(args.split, index, args.seed, classes=args.classes) for index in range(args.count)
    ]
    seconds = perf_counter() - start
    print(f"{args.count} scenes in {seconds:.2f} s: {args.count / seconds:.1f} a second")
    if args.command == "preview":
        write_whole(args.out, png(sheet(scenes)))
        print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
