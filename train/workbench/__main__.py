"""A page to look at the masks that a training learns from, and to put them right.

python -m train workbench runs/my                    # http://127.0.0.1:7861
python -m train workbench runs/pseudo --data my/pictures.jsonl --checkpoint runs/my/checkpoint
python -m train workbench runs/my --host 0.0.0.0 --auth ann:secret

RUN_OR_STORE is a folder of train run or train.pseudo. Decisions are lines of reviews.jsonl beside
S1 and S2, which train.fit and train run heed. docs/workbench.md describes the page.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssc.entry import command

if TYPE_CHECKING:
    from ssc.segment.masks import Segmenter
    from train.workbench.bench import Bench

PORT = 7861


def open_bench(
    place: str, data: str | None = None, checkpoint: str | None = None, seed: int = 0
) -> Bench:
    """The workbench over a run or a store; stage 3's choices take a forward pass a picture.

    Raises:
        InputError: as `open_reviewed`; no such checkpoint.
    """
    from tqdm import trange

    from train.review.opened import open_reviewed
    from train.workbench.bench import Bench

    opened = open_reviewed(place, data)
    models = opened.store.manifest.get("models", "mini")

    def segmenter() -> Segmenter:
        import ssc

        return ssc.load(models, correct=False).segment.segmenter

    if checkpoint is None:
        return Bench(opened, segmenter, seed=seed)

    from ssc.correct.predict import Corrector
    from train.review.third import choices_of_stage_3

    corrector, favourites = Corrector.load(checkpoint), {}
    for index in trange(len(opened.store), desc="stage 3", unit="picture", mininterval=2):
        pseudo = opened.store.picture(index)
        if pseudo.error is None and pseudo.objects:
            image = opened.dataset[index].image
            favourites[index] = choices_of_stage_3(corrector, image, pseudo)
    return Bench(opened, segmenter, lambda index: favourites.get(index, {}), seed)


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train workbench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("place", metavar="RUN_OR_STORE", help="a folder of train run or train.pseudo")
    add("--data", help="the pictures of a store that does not name them")
    add("--checkpoint", help="of stage 3, whose choice is shown beside S2's")
    add("--host", default="127.0.0.1", help="address to listen on; default: this machine alone")
    add("--port", type=int, default=PORT, help=f"default: {PORT}")
    add("--auth", metavar="USER:PASSWORD", help="needed with --host")
    add("--seed", type=int, default=0, help="of the random order; default: 0")
    args = parser.parse_args(argv)

    import uvicorn

    from train.workbench.server import build, check_access

    auth = check_access(args.host, args.auth)
    bench = open_bench(args.place, args.data, args.checkpoint, args.seed)
    print(f"{args.place}: {len(bench)} objects; http://{args.host}:{args.port}", flush=True)
    uvicorn.run(build(bench, auth), host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
