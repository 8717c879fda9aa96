"""The pipeline without a browser.

python -m ssc photo.jpg "the man in blue" --out out
python -m ssc photo.jpg "left dog" "the dog on the left | dog by the door"   # two objects
python -m ssc photos/ "the red car"
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
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ssc.entry import Ended, command
from ssc.errors import ExpressionError, OptionError, told
from ssc.explain import explain
from ssc.processors import share_processors
from ssc.select.choose import RULES
from ssc.select.prompts import SIGMA, VISUAL_PROMPTS
from ssc.writing import DiskFull, make_folder, unique_stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssc.pipeline import Pipeline

COMMANDS = {"models": "ssc.models.command", "bench": "ssc.bench", "verify": "ssc.models.verify"}
PARTS = {"detector": "what finds boxes", "segmenter": "what makes masks", "clip": "stage 2's CLIP"}
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
        help="how objects choose. argmax: each takes its best candidate; matching: no two take the "
        "same one; default: argmax",
    )
    parser.add_argument(
        "--paper",
        action="store_true",
        default=None,
        help="the paper's rule: one nearest class for a noun, and CLIP's score alone; by default, "
        "words for place, size and relation count too",
    )
    large = "overlays as PNGs, large and slow, not as JPEGs"
    parser.add_argument("--lossless", action="store_true", help=large)
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

    import ssc
    from ssc.images import find_pictures, several, suffixes
    from ssc.pipeline import check_objects

    paths, others = find_pictures(args.image)
    for expression in args.expressions:
        if Path(expression).suffix.lower() in suffixes() and Path(expression).is_file():
            raise ExpressionError(f"expected words, got the file {expression}; quote the glob")
    objects = check_objects([expression.split(" | ") for expression in args.expressions])
    stems = unique_stems(paths)
    if paths == [Path(args.image)]:
        image = ssc.load_image(paths[0])  # before the models: a bad picture is told at once
        make_folder(args.out)
        pipeline = build(args, load)
        segment(pipeline, image, paths[0], objects, args.out, stems[0], args.lossless)
        return 0
    if others:
        print(f"note: passed over, as no pictures: {several(others)}", file=sys.stderr)
    make_folder(args.out)
    pipeline = build(args, load)

    def fails(path: Path, stem: str) -> bool:
        try:
            segment(
                pipeline, ssc.load_image(path), path, objects, args.out / stem, stem, args.lossless
            )
        except DiskFull:  # so would all others
            raise
        except Exception as error:  # of any kind: one picture's failure is that picture's
            named = "" if str(path) in str(error) else f"{path}: "
            tqdm.write(f"error: {named}{told(error)}", file=sys.stderr)
            return True
        return False

    named = list(zip(paths, stems))
    failed = sum(fails(path, stem) for path, stem in tqdm(named, unit="image"))
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
    )


def segment(
    pipeline: Pipeline,
    image: NDArray[np.uint8],
    path: Path,
    objects: Sequence[Sequence[str]],
    folder: Path,
    stem: str,
    lossless: bool,
) -> None:
    """Segments one image, writes the results and says what came of it."""
    from tqdm import tqdm

    from ssc.export import write_result

    results = pipeline(image, objects)
    written = write_result(folder, stem, image, results, path.name, lossless=lossless)
    lines = [f"{path.name}, {' | '.join(r.expressions)}: {explain(r)}" for r in results]
    lines += [f"  {file}" for file in written]
    tqdm.write("\n".join(lines), file=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
