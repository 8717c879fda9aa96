"""What reviews are worth: a simulated reviewer, who knows the true masks, puts a store right.

python -m train pseudo --data refsprites:testB:200 --out runs/testB
python -m train review runs/testB --simulate --json out/review.json --plot out/review.png
python -m train review runs/testB --simulate --decide 0.05 --out out/reviews.jsonl

Prints how many decisions each order takes until 90 % of the objects have the right mask in S2, or
are left out where no candidate is right. With --decide it writes this reviewer's decisions on a
share of the objects instead, for train.fit --reviews. The page for people is
python -m train workbench.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_place, write_whole, written
from train.review.doubt import ORDERS


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train review", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("place", metavar="RUN_OR_STORE", help="a folder of train run or train.pseudo")
    add("--simulate", action="store_true", required=True, help="a reviewer who knows the truth")
    add("--data", help="the pictures of a store that does not name them")
    add("--checkpoint", default="mini", help="of stage 3, or off; default: the bundled one")
    add("--seeds", type=int, default=5, help="of the random order; default: 5")
    add("--json", type=Path, help="also write the figures here")
    add("--plot", type=Path, help="also draw them here, a PNG")
    add("--decide", type=float, metavar="SHARE", help="of the objects to decide, 0 to 1")
    add("--order", choices=tuple(ORDERS), default="doubtful", help="of --decide")
    add("--seed", type=int, default=0, help="of --order random; default: 0")
    add("--out", type=Path, help="file of the decisions of --decide")
    args = parser.parse_args(argv)
    if (args.decide is None) != (args.out is None) or not 0 <= (args.decide or 0) <= 1:
        raise InputError("--decide: expected a share, 0 to 1, and --out, a file")
    for file in (args.json, args.plot, args.out):
        if file:
            make_place(file)

    from ssc.correct.predict import Corrector
    from ssc.models.bundled import ASSETS
    from train.review.opened import open_reviewed
    from train.review.simulate import all_doubts, decide, draw, measure

    opened = open_reviewed(args.place, args.data)
    if args.decide is not None:
        doubts = ORDERS[args.order](all_doubts(opened), args.seed)
        count = decide(opened, doubts[: round(args.decide * len(doubts))], args.out)
        print(f"{args.out}: {count} decisions")
        return
    bundled = ASSETS / "mini" / "lavt"
    corrector = None
    if args.checkpoint != "off":
        corrector = Corrector.load(bundled if args.checkpoint == "mini" else args.checkpoint)
    with TemporaryDirectory() as folder:
        figures = measure(opened, corrector, args.seeds, Path(folder) / "none.jsonl")
    if not figures["objects"]:
        raise InputError(f"{args.place}: expected pictures with true masks, got none")
    if args.json:
        write_whole(args.json, (json.dumps(figures) + "\n").encode())
    if args.plot:
        with written(args.plot) as beside:
            draw(figures).savefig(beside, dpi=110, format="png")
    print(f"{figures['pictures']} pictures, {figures['objects']} objects")
    for name, shares in figures["shares"].items():
        clicks = figures["clicks"][name]
        reach = "never reached" if clicks is None else f"after {clicks} decisions"
        print(f"{name}: {100 * shares[0]:.1f} % right at first; 90 % {reach}")


if __name__ == "__main__":
    main()
