"""Runs stages 1 and 2 over a data set and stores their masks, from which stage 3 learns.

S1 is all candidates of each object, S2 the chosen one (paper §3.1, §3.2).

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
torchrun --nproc_per_node 4 -m train.pseudo --data … --out … --workers 1
python -m train.pseudo --data webdataset:s3://… --out s3://… --ray auto    # on a Ray cluster
python -m train.pseudo --from runs/pseudo --out runs/spatial      # S2 with words counted

Processes with the same --out share the work, however they are started. The same command continues
a killed run, and the result has the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ssc.entry import command
from train.data import SOURCES
from train.data.places import place_of
from train.data.usable import HELP
from train.pseudo.make import choose_anew, generate


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
    parser.add_argument("--workers", type=int, default=1, help="processes; default: 1")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="an actor for each processor of a Ray cluster instead of --workers; default: the "
        "cluster that this machine is of; local: this machine alone",
    )
    parser.add_argument("--gpus-each", type=float, default=0, help="share of a GPU of each actor")
    parser.add_argument("--allow-missing", action="store_true", help=HELP)
    args = parser.parse_args(argv)
    if (args.data is None) == (args.source is None):
        parser.error("expected --data or --from")
    if args.source:
        return choose_anew(args.source, args.out)
    if args.gpus_each and args.ray is None:
        parser.error("expected --ray with --gpus-each")
    settings = args.data, args.models, args.out, args.workers, args.allow_missing
    if args.ray is None:
        return generate(*settings)
    from train.pseudo.cluster import Cluster

    with Cluster(args.ray, args.gpus_each) as cluster:
        generate(*settings, cluster)


if __name__ == "__main__":
    main()
