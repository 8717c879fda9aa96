"""Published checkpoints into ours, and ours into the authors' form.

python -m train.convert sscorrect.pth runs/refcoco    # the authors' S+S+C → a checkpoint
python -m train.convert runs/refcoco sscorrect.pth    # and back
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssc.correct.authors import TOKENIZER, from_authors, to_authors
from ssc.entry import command


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m train.convert",
        description="Converts the authors' S+S+C .pth to a checkpoint folder, or back.",
    )
    parser.add_argument("source", type=Path, help="a .pth file, or a checkpoint folder")
    parser.add_argument("target", type=Path, help="a folder, or a .pth file")
    parser.add_argument(
        "--tokenizer",
        default=TOKENIZER,
        metavar="NAME",
        help=f"of BERT, a folder or a name on the Hub; default: {TOKENIZER}",
    )
    args = parser.parse_args(argv)
    if args.source.is_dir():
        to_authors(args.source, args.target)
    else:
        from_authors(args.source, args.target, args.tokenizer)
    print(f"wrote {args.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
