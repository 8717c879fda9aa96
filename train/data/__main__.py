"""Checks a data set before training, packs it into tar files, and groups its sentences.

python -m train.data check my/pictures.jsonl
python -m train.data check refer:data/refcoco:unc:val --pictures 500
python -m train.data pack my/pictures.jsonl --out s3://bucket/pictures    # tar files
python -m train.data group one-sentence-a-row.jsonl --out groups.json
python -m train run --data grouped:groups.json:one-sentence-a-row.jsonl --out runs/own
python -m train.data group ungrouped:refsprites:val:40 --out g.json    # precision and recall
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_place, write_whole
from train.data import SOURCES, open_dataset
from train.data.usable import HELP, LeftOut
from train.workers import add_options


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 where pictures do not open or expressions contradict, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m train.data", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|group|pack")
    add = commands.add_parser(
        "check", help="counts, broken pictures, doubtful expressions"
    ).add_argument
    add("data", metavar="DATA", help=SOURCES)
    add("--pictures", type=int, help="check this many, evenly spread; default: all")
    add(
        "--models",
        default="mini",
        help="model set that finds nouns and their classes; default: mini",
    )
    add("--low", type=float, help="list nouns less similar to their class; default: 0.7")
    add("--sheet", type=int, default=12, help="pictures on the contact sheet; default: 12")
    add("--out", type=Path, default=Path("check.png"), help="the contact sheet; default: check.png")
    packs = commands.add_parser("pack", help="writes tar files as webdataset has them")
    add = packs.add_argument
    add("data", metavar="DATA", help=SOURCES)
    add("--out", required=True, help="folder or URL (s3://bucket/folder) of the tar files")
    add("--each", type=int, default=1000, help="pictures a file; default: 1000")
    add("--allow-missing", action="store_true", help=HELP)
    add_options(packs)
    add = commands.add_parser("group", help="proposes which sentences name one object").add_argument
    add("data", metavar="DATA", help=SOURCES)
    add("--pictures", type=int, help="group this many, from the first on; default: all")
    add("--models", default="mini", help="model set that looks at the pictures; default: mini")
    out = "default: groups.json; what it has from before is kept, so a run that was killed goes on"
    add("--out", type=Path, default=Path("groups.json"), help=out)
    add("--allow-missing", action="store_true", help=HELP)
    args = parser.parse_args(argv)
    work = {"check": run, "pack": write_shards, "group": propose_groups}[args.command]
    try:
        return work(args)
    except InputError as error:
        if len(problems := getattr(error, "problems", [])) < 2:
            raise
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2


def write_shards(args: argparse.Namespace) -> int:
    from train.data.pack import pack_all
    from train.data.places import place_of
    from train.workers import opened

    if args.each < 1:
        raise InputError(f"each: expected 1 picture a file or more, got {args.each}")
    with opened(args) as cluster:
        source = pack_all(
            args.data,
            place_of(args.out),
            each=args.each,
            allow_missing=args.allow_missing,
            workers=args.workers,
            cluster=cluster,
        )
    print(f"--data '{source}'")
    return 0


def propose_groups(args: argparse.Namespace) -> int:
    import ssc
    from train.data.grouped import propose

    if args.out.suffix != ".json":
        raise InputError(f"out: expected a name that ends in .json, got {args.out}")
    if args.pictures is not None and args.pictures < 1:
        raise InputError(f"pictures: expected 1 or more, got {args.pictures}")
    dataset = open_dataset(args.data)
    count = len(dataset) if args.pictures is None else min(args.pictures, len(dataset))
    left_out = LeftOut(args.data, count, args.allow_missing)
    pipeline = ssc.load(args.models, correct=False)
    report = propose(pipeline, dataset, args.out, left_out, models=args.models)
    left_out.say()
    print(
        f"{report['sentences']} sentences of {report['pictures']} pictures "
        f"({report['of these known']} known from before) name {report['objects']} objects; "
        f"wrote {args.out}"
    )
    if "precision" in report:
        print(
            f"of pairs of sentences that are joined, {100 * report['precision']:.1f} % name one "
            f"object; of those that do, {100 * report['recall']:.1f} % are joined"
        )
    return 0


def run(args: argparse.Namespace) -> int:
    dataset = open_dataset(args.data)
    make_place(args.out)  # before the models are loaded

    from tqdm import tqdm

    import ssc
    from ssc.formats import png
    from train.data.check import LOW, check, describe, draw_sheet

    step = max(1, len(dataset) // args.pictures) if args.pictures else 1
    indices = range(0, len(dataset), step)[: args.pictures]
    segment = ssc.load(args.models, correct=False).segment.with_options(paper=True)
    findings = check(dataset, tqdm(indices, unit="picture", mininterval=1), segment, args.sheet)
    if findings.sheet:
        write_whole(args.out, png(draw_sheet(findings.sheet)))
    print(describe(findings, LOW if args.low is None else args.low))
    if findings.sheet:
        print(f"Wrote {args.out}: {len(findings.sheet)} pictures with their expressions")
    return 1 if findings.broken or findings.contradictions else 0


if __name__ == "__main__":
    sys.exit(main())
