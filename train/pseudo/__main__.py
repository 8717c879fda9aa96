"""Runs stages 1 and 2 over a data set and stores their masks, from which stage 3 learns.

S1 is all candidates of each object, S2 the chosen one (paper §3.1, §3.2).

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
python -m train.pseudo --data webdataset:s3://… --out s3://… --ray    # on a Ray cluster
python -m train.pseudo --data … --out … --ray local --gpus-each 0.5   # two processes a GPU
python -m train.pseudo --from runs/pseudo --out runs/spatial      # S2 with words counted

The same command continues a killed run, and the result has the same bytes however many processes or
nodes there are. The nodes of a cluster have this package, and see --data and --out: both on a disk
that they share, or at URLs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ssc.entry import command
from train.data import SOURCES
from train.data.places import place_of
from train.data.usable import HELP
from train.pseudo.make import choose_anew, generate
from train.workers import add_options, opened


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.pseudo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", help=SOURCES)
    parser.add_argument(
        "--from",
        dest="source",
        type=place_of,
        help="a store instead of --data: keeps its S1 and scores, and counts words in S2",
    )
    parser.add_argument("--models", default="mini", help="model set; default: mini")
    parser.add_argument("--out", type=place_of, required=True, help="folder or URL of the store")
    add_options(parser)
    parser.add_argument("--allow-missing", action="store_true", help=HELP)
    args = parser.parse_args(argv)
    if (args.data is None) == (args.source is None):
        parser.error("expected --data or --from")
    if args.source:
        return choose_anew(args.source, args.out)
    with opened(args) as cluster:
        generate(args.data, args.models, args.out, args.workers, args.allow_missing, cluster)


if __name__ == "__main__":
    main()
