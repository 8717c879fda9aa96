"""The pipeline without a browser.

python -m ssc photo.jpg "the man in blue" --out out
python -m ssc photo.jpg "left dog" "the dog on the left | dog by the door"   # two objects
python -m ssc photos/ "the red car" --out out --resume                  # go on after a kill
python -m ssc "photos/*.png" "the red car" --prompt red_ellipse
python -m ssc photo.jpg "left dog" "right dog" --rule matching          # never the same candidate
python -m ssc photo.jpg "the man on the left" --paper                   # looks alone count
python -m ssc photo.jpg "the corgi" --models base --vocabulary "corgi, poodle"
python -m ssc photo.jpg "the man in blue" --correct my/checkpoint       # a folder, or a Hub id
python -m ssc models --download base                                    # the published networks
python -m ssc photo.jpg "the man in blue" --models base --segmenter sam2.1-tiny
python -m ssc verify --models base                                      # whether they work here
python -m ssc bench --models base paper                                 # how fast they are
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ssc.entry import Ended, command
from ssc.errors import ExpressionError, OptionError, told
from ssc.explain import explain
from ssc.models import PARTS
from ssc.processors import share_processors
from ssc.select.choose import RULES
from ssc.select.prompts import SIGMA, VISUAL_PROMPTS
from ssc.writing import make_folder

if TYPE_CHECKING:
    from ssc.batch import PictureResults
    from ssc.pipeline import Pipeline

COMMANDS = {"models": "ssc.models.command", "bench": "ssc.bench", "verify": "ssc.models.verify"}
SIGMAS = 1, 100  # pixels; beyond, a blur takes seconds


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}; see python -m ssc --help")


Load = Callable[..., "Pipeline"]


def main(argv: Sequence[str] | None = None, load: Load | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments, by default the process's.
        load: model set and stage 3 → pipeline, by default `ssc.load`.

    Returns:
        Exit code: 1 where some of several images failed, else as `ssc.entry` has them.
    """
    try:
        return _main(argv, load)
    except Ended as end:
        return int(end.code or 0)


@command()
def _main(argv: Sequence[str] | None, load: Load | None) -> int:
    share_processors()
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS and all(w.startswith("-") for w in words[1:2]):
        return import_module(COMMANDS[words[0]]).main(words[1:])
    return run(parse(words), load)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m ssc",
        description="Segments what an expression refers to. Writes, for each image, the answer, "
        "which all stages favour together, the candidates, and the choices of S+S (files named "
        "selected) and S+S+C (files named corrected). result.json holds everything.",
        epilog="python -m ssc models lists the model sets and downloads them; python -m ssc verify "
        "checks one; python -m ssc bench measures their speed.",
    )
    parser.add_argument("image", metavar="IMAGE", help="a picture, a folder, or a quoted glob")
    parser.add_argument(
        "expressions",
        metavar="EXPRESSION",
        nargs="+",
        help='what to segment, one object each; "a | b" are two expressions of one object',
    )
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("out"), help="default: out")
    parser.add_argument(
        "--models",
        metavar="SET",
        help="mini, pocket, lite, base or paper; default: $SSC_MODELS, else the best that is here",
    )
    for part, what in PARTS.items():
        parser.add_argument(
            f"--{part}", metavar="PART", help=f"{what} in place of the model set's; see models"
        )
    parser.add_argument(
        "--vocabulary",
        metavar="FILE|WORDS",
        help='your own classes: a text file with one per line, or "word, word"; the mini and '
        "pocket sets know only COCO's 80, the others take any words; default: COCO's 80",
    )
    parser.add_argument(
        "--no-projection",
        dest="project",
        action="store_false",
        default=None,
        help="look for the noun itself instead of the nearest class of the vocabulary",
    )
    parser.add_argument(
        "--box-threshold",
        metavar="SCORE",
        type=between(0, 1),
        help="leave out boxes of a lower score; default: the detector's own",
    )
    parser.add_argument(
        "--text-threshold",
        metavar="SCORE",
        type=between(0, 1),
        help="score that a word needs to name a box's class, for detectors that read text (mini's "
        "does not); default: the detector's own",
    )
    parser.add_argument(
        "--prompt",
        choices=list(VISUAL_PROMPTS),
        default="reverse_blur",
        help="how each candidate is marked for CLIP; default: reverse_blur",
    )
    parser.add_argument(
        "--sigma",
        metavar="PIXELS",
        type=between(*SIGMAS),
        help=f"blur of reverse_blur, the only prompt that takes it, in pixels of a picture 640 "
        f"long; default: {SIGMA:g}",
    )
    parser.add_argument(
        "--rule",
        choices=list(RULES),
        default="argmax",
        help="argmax, the default: each object takes its best candidate; matching: no two take one",
    )
    parser.add_argument(
        "--paper",
        action="store_true",
        default=None,
        help="the paper's rule: one nearest class for a noun, CLIP's score alone, and one object",
    )
    what = 'one object, also where several are asked for ("both dogs") or what is not there'
    parser.add_argument("--one", action="store_true", help=what)
    what = "overlays as PNGs, large and slow, not as JPEGs"
    parser.add_argument("--lossless", action="store_true", help=what)
    what = (
        "of a folder or glob: pass over pictures whose results of the same expressions are in --out"
    )
    parser.add_argument("--resume", action="store_true", help=what)
    what = "look on for what is not found, and say what there is; default: unless it takes long"
    parser.add_argument("--nearest", action="store_true", default=None, help=what)
    parser.add_argument(
        "--correct",
        metavar="CHECKPOINT|off",
        help="stage 3: folder or Hub id of a checkpoint, or off; default: the model set's own",
    )
    return parser.parse_intermixed_args(argv)


def between(low: float, high: float) -> Callable[[str], float]:
    """What reads an argument that is a number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a number, {low} to {high}, got {text!r}")
        return value

    return read


def run(args: argparse.Namespace, load: Load | None) -> int:
    """Segments each image, reports on it, and goes on to the next where one of several is bad."""
    from tqdm import tqdm

    from ssc.batch import PictureFailure, ask_all, is_done, segment_each, segment_one
    from ssc.images import find_pictures, load_image, several, suffixes
    from ssc.pipeline import check_objects

    paths, others = find_pictures(args.image)
    for expression in args.expressions:
        if Path(expression).suffix.lower() in suffixes() and Path(expression).is_file():
            raise ExpressionError(f"expected words, got the file {expression}; quote the glob")
    objects = check_objects([expression.split(" | ") for expression in args.expressions])
    pictures = ask_all(paths, objects)
    path_of = {query.stem: path for query, path in zip(pictures, paths)}
    if paths == [Path(args.image)]:
        if args.resume:
            raise OptionError("resume: expected a folder or a glob, got one picture; leave it out")
        image = load_image(paths[0])  # before the models: a bad picture is told at once
        make_folder(args.out)
        pipeline = build(args, load)
        only = replace(pictures[0], open=lambda: (image, objects))
        tell(segment_one(pipeline, only, args.out, args.lossless))
        return 0
    if others:
        print(f"note: passed over, as no pictures: {several(others)}", file=sys.stderr)
    make_folder(args.out)
    pipeline = build(args, load)
    if args.resume:
        pictures = [query for query in pictures if not is_done(query, args.out, objects)]
        print(f"note: {len(paths) - len(pictures)} of {len(paths)} are done", file=sys.stderr)
    failed = 0
    done = segment_each(pipeline, pictures, args.out, args.lossless)
    for outcome in tqdm(done, total=len(pictures), unit="image"):
        if isinstance(outcome, PictureFailure):
            failed += 1
            path = path_of[outcome.query.stem]
            named = "" if str(path) in str(outcome.error) else f"{path}: "
            tqdm.write(f"error: {named}{told(outcome.error)}", file=sys.stderr)
        else:
            tell(outcome)
    if failed:
        print(f"error: {failed} of {len(paths)} images failed", file=sys.stderr)
    return 1 if failed else 0


def read_words(text: str) -> list[str]:
    """The words of --vocabulary: lines of a file, or parted by commas.

    Raises:
        OptionError: no such file; see also `load_vocabulary`.
    """
    from ssc.words.vocabulary import load_vocabulary

    named = "," not in text and re.search(r"[/\\]|\.\w+$", text)  # as no class is
    if named or os.path.isfile(text):  # Path.is_file raises where a list of words is long
        return [*load_vocabulary(Path(text))]
    return [*load_vocabulary(text.split(","))]


def build(args: argparse.Namespace, load: Load | None) -> Pipeline:
    """The pipeline that the options describe; says where it has no stage 3."""
    import ssc
    from ssc.models.sets import default_set

    words = None if args.vocabulary is None else read_words(args.vocabulary)
    correct = {None: True, "off": False}.get(args.correct, args.correct)
    models = args.models or default_set()
    by_picture = args.models is None and models == "pocket" and not os.environ.get("SSC_MODELS")
    parts = {part: name for part in PARTS if (name := getattr(args, part))}
    pipeline = (load or ssc.load)(None if by_picture else models, correct=correct, **parts)
    if pipeline.correct is None and correct:
        print(
            f"The {models} set has no model for stage 3: the answer is S+S alone. "
            "Name a checkpoint with --correct: a folder or an id on the Hub.",
            file=sys.stderr,
        )
    return pipeline.with_options(
        prompt=args.prompt,
        sigma=args.sigma,
        rule=args.rule,
        box_threshold=args.box_threshold,
        text_threshold=args.text_threshold,
        vocabulary=words,
        project=args.project,
        paper=args.paper,
        nearest=args.nearest,
        several=False if args.one else None,
    )


def tell(outcome: PictureResults) -> None:
    """Says what came of a picture, and which files it has."""
    from tqdm import tqdm

    name, results = outcome.query.name, outcome.results
    lines = [f"{name}, {' | '.join(r.expressions)}: {explain(r)}" for r in results]
    lines += [f"  {file}" for file in outcome.written]
    tqdm.write("\n".join(lines), file=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
