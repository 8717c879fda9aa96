"""Writes masks and their expressions in the form of another tool.

python -m train export runs/my --as coco --out out/coco          # S2, with what people decided
python -m train export runs/my/pseudo/reviews.jsonl --as masks --out out/reviewed
python -m train export refer:data/refcoco:unc:val --as yolo --out out/yolo
python -m train export out --images photos --as labelme --out out/labelme   # of python -m ssc

Forms (--as):
  coco       annotations.json: instances with RLE, and captions
  refcoco    refs(ssc).p and instances.json, as REFER publishes them
  grefcoco   grefs(ssc).json and instances.json: also several things, or none
  yolo       polygons for YOLO-seg
  labelme    a JSON with polygons for each picture
  masks      PNG masks and a JSONL, which --data takes
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_folder
from train.data import SOURCES
from train.data.usable import HELP
from train.export.formats import FORMATS
from train.export.items import Page, open_source


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train export", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        help="a folder of train run or train.pseudo, its reviews.jsonl, a folder of results of "
        f"python -m ssc, or data with true masks: {SOURCES}",
    )
    add("--as", dest="form", choices=tuple(FORMATS), required=True)
    add("--out", type=Path, required=True, help="folder to write to")
    add("--split", default="train", help="name of the split; default: train")
    add("--data", help="the pictures of a store that does not name them")
    add("--images", type=Path, help="folder of the pictures that python -m ssc was given")
    add("--allow-missing", action="store_true", help=HELP)
    args = parser.parse_args(argv)
    pages = open_source(args.source, args.data, args.images, args.allow_missing)
    counts = [0, 0]

    def counted() -> Iterator[Page]:
        for page in pages:
            counts[0] += 1
            counts[1] += len(page.items)
            yield page

    make_folder(args.out)
    left_out = FORMATS[args.form](counted(), args.out, args.split)
    if not counts[1]:
        raise InputError(f"{args.source}: expected objects with masks, got none")
    print(f"{args.out}: {counts[0]} pictures, {counts[1]} objects as {args.form}")
    for line in (*left_out, *pages.left_out.lines()):
        print(f"note: left out: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
