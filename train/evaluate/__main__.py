r"""Prints the accuracy tables on RefSprites or other data sets, by split and kind of expression.

python -m train.evaluate
python -m train.evaluate --scenes 20 --checkpoint mine=runs/my/checkpoint --json out.json
python -m train.evaluate --data own.jsonl --rows s+s best-box gl-clip
python -m train.evaluate --models paper --data refer:data/refcoco:unc:testA
python -m train.evaluate --models pocket --data coco62:FOLDER photos:FOLDER --rows s+s words \
    oracle --misses                                       # photographs; what goes wrong, and why
python -m train.evaluate --splits several --rows words several oracle-several   # gIoU, N-acc
python -m train.evaluate --ablations                      # Tables 2 and 3, on val

Rows (--rows):
  random         a candidate drawn at random
  whole          all of the picture
  oracle         the candidate nearest to the truth
  s+s            stages 1 and 2
  matched        S+S where no two objects of a picture take the same candidate
  words          S+S where words for place, size and relation count (not in the paper)
  several        `words` where all that is asked for is answered, and what is not there refused
  oracle-several     all candidates that lie in what is meant
  s+s+c          stage 3: where its probability is above half of its peak
  half           stage 3: where its probability is above 0.5, as in the paper
  snapped        the candidate that stage 3 agrees with best
  joint, joint-words     the one that both stages favour together, without or with words
  best-box, sam+select, gl-clip   the paper's baselines (G-DINO + SAM, SAM + Select, GL CLIP)
  gl-clip-freesolo   GL CLIP among all that FreeSOLO finds, where its weights are
and one more for each --checkpoint of stage 3, two for one of a text-supervised system (TSEG, TRIS,
Shatter & Gather, by train.fit): its map, and the candidate that it agrees with best.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.entry import command
from ssc.errors import InputError
from ssc.writing import make_place
from train.data.usable import HELP, LeftOut
from train.evaluate import grouping, words
from train.evaluate.ablations import ablations, lacking
from train.evaluate.baselines import BASELINES
from train.evaluate.checkpoints import checkpoint
from train.evaluate.counting import evaluate, mean
from train.evaluate.methods import DEFAULT, ROWS, STAGE_3, Row
from train.evaluate.several import SETS
from train.evaluate.tables import markdown, write_json

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset

SPLITS = ("testA", "testB", "hard")
SCENES = 130  # of a split, about 5.6 expressions each
NOUNS = Path(__file__).with_name("everyday_nouns.json")


def project_nouns(pipeline: Pipeline) -> dict[str, Any]:
    """Class projection on the tests' list of everyday nouns, which training does not use."""
    from train.scenes.lexicon import LEXICON

    nouns = json.loads(NOUNS.read_text())
    trained = {word for words in LEXICON.values() for word in words}
    matches = pipeline.segment.classes(list(nouns))
    right = [match.name == nouns[match.noun] for match in matches]
    unseen = [ok for ok, noun in zip(right, nouns) if noun not in trained]
    return {
        "nouns": len(nouns),
        "right": mean(right),
        "not among the training synonyms": len(unseen),
        "of these right": mean(unseen),
        "wrong": {m.noun: m.name for m, ok in zip(matches, right) if not ok},
    }


def choose_rows(
    pipeline: Pipeline,
    names: Sequence[str] | None,
    checkpoints: Sequence[str],
    *,
    together: bool = False,
) -> list[Row]:
    """The named rows, or the default ones that the pipeline allows, and a row per checkpoint.

    Args:
        names: keys of `ROWS`, `SETS` or `BASELINES`; None for the default.
        checkpoints: NAME=FOLDER each.
        together: a further row per checkpoint, of what S+S and it prefer together.

    Raises:
        InputError: no such row or checkpoint, a row that the pipeline lacks models for, or two
            rows of one name.
    """
    makers = {**ROWS, **SETS, **BASELINES}
    if names is None:
        names = [name for name in DEFAULT if pipeline.correct or name not in STAGE_3]
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise InputError(f"rows: expected some of {', '.join(makers)}, got {', '.join(unknown)}")
    rows = [makers[name](pipeline) for name in dict.fromkeys(names)]
    for pair in checkpoints:
        title, equals, folder = pair.partition("=")
        if not (title and equals and folder):
            raise InputError(f"checkpoint: expected NAME=FOLDER, got {pair!r}")
        if title in {row.title for row in rows}:
            raise InputError(f"checkpoint: expected different names, got {title!r} twice")
        rows += checkpoint(title, folder, together=together)
    return rows


def run(args: argparse.Namespace) -> dict[str, Any]:
    """The report that the command line asks for."""
    import ssc
    from ssc.segment.detect import MiniDetector, known_classes
    from train.data import RefSprites, open_dataset
    from train.data.instances import measure

    asked_of_3 = args.rows is None or set(args.rows) & set(STAGE_3)
    pipeline = ssc.load(args.models, correct=bool(asked_of_3 and not args.ablations))
    splits = args.splits or (() if args.data else ("val",) if args.ablations else SPLITS)
    scenes = args.scenes or SCENES
    data: dict[str, Dataset] = {split: RefSprites(split, scenes, args.seed) for split in splits}
    data |= {source: open_dataset(source) for source in args.data}
    report: dict[str, Any] = {"command": shlex.join(["python", "-m", "train.evaluate", *args.argv])}
    if args.ablations:
        tables = ablations(pipeline, args.models)
        report["tables"] = {
            caption: [row.title for row in rows] for caption, rows in tables.items()
        }
        report["lacking"] = lacking()
        rows = list({row.title: row for rows in tables.values() for row in rows}.values())
    else:
        rows = choose_rows(pipeline, args.rows, args.checkpoint, together=args.together)
    report["splits"], report["left out"] = {}, {}
    wrong: dict[str, list[dict[str, Any]]] = {name: [] for name in data}
    for name, source in data.items():
        count = min(args.scenes or len(source), len(source))
        left_out = LeftOut(name, count, args.allow_missing)
        noted = wrong[name] if args.misses else None
        report["splits"][name] = evaluate(
            pipeline, rows, source, args.scenes, args.seed, left_out, noted
        )
        report["left out"][name] = left_out.record()
    if args.misses:
        report["misses"] = wrong
    segment = pipeline.segment
    if not args.ablations and known_classes(segment.detector) is not None:
        report["detector"] = {
            name: figures
            for name, source in data.items()
            if (figures := measure(segment.detector, segment.segmenter, source, args.scenes))
        }
    if splits and not args.ablations and isinstance(segment.detector, MiniDetector):
        report["nouns"] = project_nouns(pipeline)
    return report


def measured_words(args: argparse.Namespace) -> dict[str, Any]:
    """The report of --words or --grouping."""
    import ssc

    pipeline = ssc.load(args.models, correct=False)
    if args.grouping:
        return grouping.measure(pipeline, args.grouping, args.scenes)
    return words.measure(pipeline, args.words, args.scenes)


@command()
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--models", default="mini", help="model set; default: mini")
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="data sets in place of RefSprites' splits: a .jsonl or .csv file with masks or boxes, "
        "refer:FOLDER:BY:SPLIT, refsprites:SPLIT:COUNT, photos:FOLDER, coco62:FOLDER",
    )
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=("val", *SPLITS, "several"),
        help=f"default: {' '.join(SPLITS)}",
    )
    parser.add_argument(
        "--scenes",
        type=int,
        help=f"pictures of each; default: {SCENES} of a split, all of SOURCE",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", nargs="+", metavar="ROW", help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="more rows: checkpoints of stage 3 or of text-supervised systems",
    )
    parser.add_argument(
        "--together",
        action="store_true",
        help="and what S+S and each checkpoint prefer together",
    )
    parser.add_argument(
        "--words",
        nargs="+",
        metavar="LIST",
        help="how well words alone are understood (train.evaluate.words): JSONL lists of image, "
        "expression, box, width and height, or data sets as of --data",
    )
    parser.add_argument(
        "--grouping",
        nargs="+",
        metavar="LIST",
        help="how well sentences of one object are found (train.data.group), with true boxes: "
        "lists as of --words, --scenes pictures of each",
    )
    parser.add_argument(
        "--misses",
        action="store_true",
        help="also list what is answered wrongly with words counted, and why",
    )
    parser.add_argument("--ablations", action="store_true", help="the paper's Tables 2 and 3")
    parser.add_argument("--allow-missing", action="store_true", help=HELP)
    parser.add_argument("--json", type=Path, help="also write the report here")
    args = parser.parse_args()
    args.argv = sys.argv[1:]
    if args.scenes is not None and args.scenes < 1:
        parser.error(f"--scenes: expected 1 or more, got {args.scenes}")
    asked = [name for name in ("words", "grouping", "ablations") if getattr(args, name)]
    if len(asked) > 1:
        parser.error(f"expected one of --{', --'.join(asked)}: each is a report of its own")
    if args.ablations and (args.rows or args.checkpoint):
        parser.error("--ablations has rows of its own: leave --rows and --checkpoint out")
    if args.json:
        make_place(args.json)  # before the models are loaded
    alone = args.words or args.grouping
    report = measured_words(args) if alone else run(args)
    if args.json:  # before it is shown
        write_json(args.json, report)
    shown = grouping.markdown if args.grouping else words.markdown if args.words else markdown
    print(shown(report))


if __name__ == "__main__":
    main()
