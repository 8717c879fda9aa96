"""Compares greedy matching with the optimal assignment: agreement, accuracy and time.

python -m train matching --data refsprites:train:500 --store runs/pseudo \\
    --checkpoint runs/mini/lavt-bootstrap --json runs/matching.json

Agreement is measured on the scores of the checkpoint's forward pass; the paper says that greedy is
"often" optimal (§3.3). Where the data has true masks, accuracy is the share of objects that get
their own mask, see `matching_measures`. Times are for 32 images of 4 objects, 5 candidates and 3
expressions with masks of 120×160, beside Algorithm 1 written as a loop.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor
from tqdm import tqdm

from ssc.correct.matching import (
    UNMATCHED,
    greedy_match,
    match_images,
    object_scores,
    optimal_match,
    soft_iou,
)
from ssc.entry import command
from ssc.writing import make_place
from train.data import SOURCES, Dataset, open_dataset
from train.data.usable import LeftOut
from train.evaluate.matching_measures import markdown, measure, open_scenes, pooled
from train.evaluate.tables import write_json
from train.fit.assign import picture_scores
from train.fit.batches import Sampler, inputs
from train.fit.initial import open_checkpoint, open_examples

IMAGES, OBJECTS, CANDIDATES, EXPRESSIONS, SIZE = 32, 4, 5, 3, (120, 160)


def loop_match(iou: Tensor, object_of: Tensor, allowed: Tensor) -> Tensor:
    """Algorithm 1 line by line, for one image; the reference for `greedy_match` and its times.

    Args:
        iou, object_of, allowed: as `object_scores` takes them.

    Returns:
        int64 J, the candidate of each object, -1 for none. Of equal IoUs the lower object goes
        first, then the lower candidate.
    """
    pairs = [
        (-value, j, c)
        for j, row in zip(object_of.tolist(), iou.tolist())
        for c, value in enumerate(row)
        if allowed[j, c]
    ]
    assignment = torch.full((len(allowed),), UNMATCHED)
    excluded: set[int] = set()
    for _, j, c in sorted(pairs):
        if assignment[j] == UNMATCHED and c not in excluded:
            assignment[j] = c
            excluded.add(c)
    return assignment


def seconds(times: int, work: Callable[[], object]) -> float:
    """Median seconds of `times` runs, after one that does not count."""
    work()
    seconds = []
    for _ in range(times):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return sorted(seconds)[times // 2]


def times() -> dict[str, float]:
    """Milliseconds for a batch of images: the product, the matching beyond it, and the loop."""
    rng = torch.Generator().manual_seed(0)
    probability = torch.rand(IMAGES, OBJECTS * EXPRESSIONS, *SIZE, generator=rng)
    masks = torch.rand(IMAGES, CANDIDATES, *SIZE, generator=rng) > 0.7
    object_of = torch.arange(OBJECTS).repeat_interleave(EXPRESSIONS)
    allowed = torch.rand(IMAGES, OBJECTS, CANDIDATES, generator=rng) < 0.8

    iou = soft_iou(probability, masks)

    def scores() -> list[Tensor]:
        return [object_scores(own, object_of, may) for own, may in zip(iou, allowed)]

    def loop() -> list[Tensor]:
        return [loop_match(own, object_of, may) for own, may in zip(iou, allowed)]

    assert all(map(torch.equal, match_images(scores()), loop()))
    return {
        "soft IoU": 1e3 * seconds(5, lambda: soft_iou(probability, masks)),
        "scores and greedy": 1e3 * seconds(20, lambda: match_images(scores())),
        "scores and optimal": 1e3 * seconds(20, lambda: match_images(scores(), optimal_match)),
        "scores and the loop": 1e3 * seconds(20, loop),
    }


@torch.no_grad()
def tables(data: str, store: Path, checkpoint: Path, cache: Path, workers: int) -> Iterator[Tensor]:
    """float J×C of each picture of a data set, with all expressions of each object."""
    model, tokenizer, config = open_checkpoint(checkpoint)
    examples = open_examples(data, store, config["size"], cache, workers)
    sampler = Sampler(examples)
    for position in tqdm(range(len(examples)), desc="matching", mininterval=2):
        batch = sampler.batch(position)
        logits = model(*inputs(batch, tokenizer, config, torch.device("cpu")))
        [scores] = picture_scores(batch, logits)
        yield scores


def agreement(tables: Iterable[Tensor]) -> dict[str, float]:
    """Counts over the pictures' scores, each float J×C."""
    count = {"pictures": 0, "with a choice": 0, "same": 0, "same with a choice": 0}
    total = {"greedy": 0.0, "optimal": 0.0}
    for scores in tables:
        greedy, optimal = greedy_match(scores), optimal_match(scores)
        same, choice = torch.equal(greedy, optimal), _choice(scores)
        count["pictures"] += 1
        count["with a choice"] += choice
        count["same"] += same
        count["same with a choice"] += same and choice
        for name, assignment in (("greedy", greedy), ("optimal", optimal)):
            matched = (assignment != UNMATCHED).nonzero()[:, 0]
            total[name] += scores[matched, assignment[matched]].sum().item()
    return count | {"greedy's total / optimal's": total["greedy"] / max(total["optimal"], 1e-9)}


def _choice(scores: Tensor) -> bool:
    """Whether objects compete: two or more, one of which may have two candidates or more."""
    allowed = (scores > -torch.inf).sum(1)
    return bool((allowed > 0).sum() > 1 and (allowed > 1).any())


@command()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train matching", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--data", default="refsprites:train:4000", help=SOURCES)
    add(
        "--store",
        type=Path,
        required=True,
        help="S1 and S2 of --data, or of a data set that begins with it",
    )
    add("--checkpoint", type=Path, required=True, help="of stage 3")
    add(
        "--cache",
        type=Path,
        default=Path("runs/mini/cache"),
        help="used for data without true masks",
    )
    add("--workers", type=int, default=2, help="processes that fill the cache")
    add("--seed", type=int, default=0, help="for drawing expressions")
    add("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    if args.json:
        make_place(args.json)
    figures, table = report(args)
    if args.json:
        write_json(args.json, figures)
    for name, value in figures["milliseconds"].items():
        print(f"{name}: {value:.2f} ms")
    for name, value in figures["agreement"].items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    print(f"\n{table}" if table else "The data has no true masks: no accuracy.")


def has_masks(dataset: Dataset) -> bool:
    """Whether the first picture that can be used has true masks."""
    left_out = LeftOut(dataset.name, len(dataset))
    for index in range(len(dataset)):
        name = dataset.picture_name(index)
        picture = left_out.tried(lambda: name, lambda: dataset[index])  # noqa: B023
        if picture is not None:
            return any(referent.mask is not None for referent in picture.objects)
    return False


def report(args: argparse.Namespace) -> tuple[dict, str]:
    """All figures, and the table of those that need true masks, else an empty text."""
    dataset, accuracy = open_dataset(args.data), None
    scores: Iterable[Tensor]
    if has_masks(dataset):
        scenes, objects = open_scenes(dataset, args.store, args.checkpoint)
        scores, accuracy = pooled(scenes), measure(scenes, objects, args.seed)
    else:
        scores = tables(args.data, args.store, args.checkpoint, args.cache, args.workers)
    figures = {
        "data": args.data,
        "store": str(args.store),
        "checkpoint": str(args.checkpoint),
        "seed": args.seed,
        "agreement": agreement(scores),
        "accuracy": accuracy,
        "milliseconds": times(),
    }
    return figures, markdown(accuracy) if accuracy else ""


if __name__ == "__main__":
    main()
