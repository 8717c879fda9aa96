"""Answers all sentences of a data set by S+S and S+S+C, as a table in files of Parquet.

python -m train batch photos.jsonl --out answers
python -m train batch webdataset:s3://bucket/p-{000000..000999}.tar --out s3://bucket/a --ray
python -m train batch refer:data/refcoco:unc:testA --models base --out answers --workers 2

A row is a sentence of a picture: answer, S+S and S+S+C as COCO RLE, box, how sure, message; what
fails is a row with its reason. OUT/answers holds the files, for pyarrow, pandas or DuckDB:

    pandas.read_parquet("answers/answers")

The same command continues a killed run, and the files have the same bytes however many processes or
nodes there are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ssc.entry import command
from ssc.errors import InputError
from train.batch.make import EACH, answer_all
from train.data import SOURCES
from train.data.places import place_of
from train.workers import add_options, opened


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 where some of the pictures have an error, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m train batch", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("source", metavar="SOURCE", help=SOURCES)
    add("--out", type=place_of, required=True, help="folder or URL")
    add("--models", default="mini", help="model set; default: mini")
    add(
        "--correct",
        metavar="CHECKPOINT|off",
        help="stage 3: folder or Hub id of a checkpoint, or off; default: the model set's own",
    )
    add("--paper", action="store_true", help="the paper's rule, see python -m ssc --help")
    add("--each", type=int, default=EACH, help=f"pictures a file; default: {EACH}")
    add_options(parser)
    args = parser.parse_args(argv)
    if args.each < 1:
        raise InputError(f"each: expected 1 picture a file or more, got {args.each}")
    correct = {None: True, "off": False}.get(args.correct, args.correct)
    with opened(args) as cluster:
        failed = answer_all(
            args.source,
            args.models,
            args.out,
            correct=correct,
            paper=args.paper,
            each=args.each,
            workers=args.workers,
            cluster=cluster,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
