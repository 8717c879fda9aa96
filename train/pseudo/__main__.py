"""Runs stages 1 and 2 over a data set: S1 and S2, what the correct stage learns from.

python -m train.pseudo --data refsprites:train:4000 --out runs/pseudo --workers 2
torchrun --nproc_per_node 4 -m train.pseudo --data … --out … --workers 1
python -m train.pseudo --from runs/pseudo --out runs/spatial      # S2 anew, with words for a place

Processes with the same --out share the work, however they are started; each shard is done once. A
killed run goes on where it stopped when the same command is given again, with the same bytes in the
end. One without anything left to do ends at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssc.errors import InputError
from train.data import SOURCES
from train.pseudo.make import choose_anew, generate


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.pseudo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", help=SOURCES)
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        help="a store instead of --data: its S1 and scores, chosen from anew with spatial guidance",
    )
    parser.add_argument("--models", default="mini", help="model set; default: mini")
    parser.add_argument("--out", type=Path, required=True, help="folder of the store")
    parser.add_argument("--workers", type=int, default=1, help="processes here; default: 1")
    args = parser.parse_args(argv)
    if (args.data is None) == (args.source is None):
        parser.error("expected --data or --from")
    try:
        if args.source:
            return choose_anew(args.source, args.out)
        generate(args.data, args.models, args.out, args.workers)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
