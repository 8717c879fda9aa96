"""Pages to look at what a training learns from, to put it right, to train, and to take it away.

python -m train workbench                            # http://127.0.0.1:7861, new work in runs/
python -m train workbench runs/my                    # also review of this run's S1 and S2
python -m train workbench runs/pseudo --data my/pictures.jsonl --checkpoint runs/my/checkpoint
python -m train workbench runs/my --host 0.0.0.0 --auth ann:secret

PLACE is a folder of train run or train.pseudo, or one for new work. Decisions are lines of
reviews.jsonl beside S1 and S2, which train.fit and train run heed. docs/workbench.md describes the
pages.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ssc.entry import command

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ssc.page.choices import Choices
    from ssc.segment.masks import Segmenter
    from train.workbench.bench import Bench

PORT = 7861
PLACE = "runs"


def open_workbench(
    place: str,
    auth: tuple[str, str] | None,
    choices: Choices | None = None,
    data: str | None = None,
    checkpoint: str | None = None,
    seed: int = 0,
) -> FastAPI:
    """All pages: review where `place` is a run or a store; many pictures, and trainings, beside it.

    Args:
        auth: of `check_access`.
        choices: model sets and checkpoints; it learns of those that are trained here. None for
            those of the page as it opens by itself.
        data, checkpoint, seed: of `open_bench`.

    Raises:
        InputError: no such folder; or as `open_bench`.
    """
    from ssc.errors import InputError
    from train.pseudo.store import MANIFEST
    from train.review.opened import RUN
    from train.workbench.folder_calls import FolderCalls
    from train.workbench.server import build
    from train.workbench.trainings import Trainings

    folder, bench = Path(place), None
    reviewed = (folder / RUN).exists() or (folder / MANIFEST).exists()
    if reviewed or data or checkpoint:
        bench = open_bench(place, data, checkpoint, seed)
    elif not folder.is_dir() and place != PLACE:
        raise InputError(f"{place}: expected a run, a store or a folder for new work, got none")
    home = folder.resolve().parent if reviewed else folder
    trainings = Trainings(home)

    def offered() -> Choices:
        from ssc.page.choices import find_choices

        own = choices or find_choices()
        own.found = trainings.checkpoints
        return own

    calls = FolderCalls(home, offered)
    if choices:
        choices.found = trainings.checkpoints
    return build(bench, auth, calls, trainings)


def open_bench(
    place: str, data: str | None = None, checkpoint: str | None = None, seed: int = 0
) -> Bench:
    """The workbench over a run or a store; stage 3's choices take a forward pass a picture.

    Raises:
        InputError: as `open_reviewed`; no such checkpoint.
    """
    from tqdm import trange

    from ssc.models.published import SETS
    from train.review.opened import open_reviewed
    from train.workbench.bench import Bench
    from train.workbench.prompted import Prompted

    opened = open_reviewed(place, data)
    models = opened.store.manifest.get("models", "mini")

    def segmenter() -> Segmenter:
        import ssc

        return ssc.load(models, correct=False).segment.segmenter

    prompted = Prompted(segmenter, takes_points=models in SETS)  # each has one of SAM's family
    if checkpoint is None:
        return Bench(opened, prompted, seed=seed)

    from ssc.correct.predict import Corrector
    from train.data.usable import LeftOut
    from train.review.third import choices_of_stage_3

    corrector, favourites = Corrector.load(checkpoint), {}
    left_out = LeftOut(place, len(opened.store), allowed=True)

    def choices(index: int) -> dict[str, int]:
        pseudo = opened.store.picture(index)
        if pseudo.error is not None or not pseudo.objects:
            return {}
        return choices_of_stage_3(corrector, opened.dataset[index].image, pseudo)

    for index in trange(len(opened.store), desc="stage 3", unit="picture", mininterval=2):
        name, look = partial(opened.store.name, index), partial(choices, index)
        favourites[index] = left_out.tried(name, look) or {}
    left_out.say()
    return Bench(opened, prompted, favourites.__getitem__, seed)


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train workbench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    what = f"a folder of train run or train.pseudo, or one for new work; default: {PLACE}"
    add("place", metavar="PLACE", nargs="?", default=PLACE, help=what)
    add("--data", help="the pictures of a store that does not name them")
    add("--checkpoint", help="of stage 3, whose choice is shown beside S2's")
    add("--host", default="127.0.0.1", help="address to listen on; default: this machine alone")
    add("--port", type=int, default=PORT, help=f"default: {PORT}")
    add("--auth", metavar="USER:PASSWORD", help="needed with --host")
    add("--seed", type=int, default=0, help="of the random order; default: 0")
    args = parser.parse_args(argv)

    import uvicorn

    from train.workbench.server import check_access

    auth = check_access(args.host, args.auth)
    app = open_workbench(args.place, auth, None, args.data, args.checkpoint, args.seed)
    print(f"{args.place}: http://{args.host}:{args.port}", flush=True)
    uvicorn.run(app, host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
