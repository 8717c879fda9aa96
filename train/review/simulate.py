"""A reviewer who knows the truth: how many decisions each order takes to put a store right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.formats import rle
from ssc.metrics import mask_iou, pairwise_iou
from ssc.writing import write_whole
from train.data.usable import LeftOut
from train.review.apply import reviewed
from train.review.decisions import Decision, Reviews, line_of, now
from train.review.doubt import ORDERS, Doubt, doubts_of
from train.review.third import choices_of_stage_3

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ssc.correct.predict import Corrector
    from train.pseudo.records import PseudoObject, PseudoPicture
    from train.review.opened import Opened

RIGHT = 0.5  # IoU with the true mask that makes a mask the right one
GOAL = 0.9  # share of right choices that the orders are compared at


@dataclass(frozen=True)
class Scene:
    """A picture of a store with the true mask of each object, by name."""

    picture: PseudoPicture
    truth: dict[str, NDArray[np.bool_]]


def read_scenes(
    opened: Opened, corrector: Corrector | None
) -> tuple[list[Scene], list[Doubt], list[Doubt]]:
    """All pictures with true masks, the doubts of S2 alone, and those with stage 3's beside it."""
    from tqdm import trange

    left_out = LeftOut(opened.dataset.name, len(opened.store))
    scenes: list[Scene] = []
    alone: list[Doubt] = []
    both: list[Doubt] = []
    for index in trange(len(opened.store), desc="pictures", mininterval=2):
        name, read = partial(opened.store.name, index), partial(_read, opened, index)
        scene, image = left_out.tried(name, read) or (None, None)
        if scene is None or image is None:
            continue
        pseudo, place = scene.picture, len(scenes)
        scenes.append(scene)
        alone += doubts_of(pseudo, place, opened.spatial)
        if corrector is not None:
            favoured = choices_of_stage_3(corrector, image, pseudo)
            both += doubts_of(pseudo, place, opened.spatial, lambda t: favoured.get(t.name, -1))  # noqa: B023
    left_out.say()
    return scenes, alone, both


def _read(opened: Opened, index: int) -> tuple[Scene | None, NDArray[np.uint8]]:
    """A picture of the store with its truth, None where that is not known, and as it looks."""
    pseudo, picture = opened.store.picture(index), opened.dataset[index]
    truth = {t.name: t.mask for t in picture.objects if t.mask is not None}
    known = pseudo.error is None and len(truth) >= len(pseudo.objects)
    return Scene(pseudo, truth) if known else None, picture.image


def answer(scene: Scene, referent: PseudoObject) -> Decision:
    """What a person who knows the truth says: the candidate nearest to it, or none."""
    chosen: tuple[int, ...] = ()
    if len(referent.candidates):
        overlap = pairwise_iou(referent.candidates.masks, scene.truth[referent.name][None])[:, 0]
        chosen = (int(overlap.argmax()),) if overlap.max() >= RIGHT else ()
    masks = tuple(rle(referent.candidates.masks[k])["counts"] for k in chosen)
    return Decision(
        picture=scene.picture.name,
        object=referent.name,
        who="simulated",
        when=now(),
        size=scene.picture.size,
        masks=masks,
        candidates=chosen,
    )


def right_of(scene: Scene, reviews: Reviews, spatial: bool) -> int:
    """How many objects have the right mask in S2, or are left out as none is right."""
    result = {t.name: t for t in reviewed(scene.picture, reviews, spatial).objects}
    count = 0
    for referent in scene.picture.objects:
        own, truth = result.get(referent.name), scene.truth[referent.name]
        if own is None:
            overlap = pairwise_iou(referent.candidates.masks, truth[None])
            count += not (overlap >= RIGHT).any()
        elif own.chosen >= 0:
            count += mask_iou(own.candidates.masks[own.chosen], truth) >= RIGHT
    return count


def review(
    scenes: Sequence[Scene], order: Sequence[Doubt], spatial: bool, path: Path
) -> list[float]:
    """The share of right objects after 0, 1, 2, … decisions in this order.

    Args:
        path: a file that is not there; nothing is written.
    """
    reviews = Reviews(path)
    right = [right_of(scene, reviews, spatial) for scene in scenes]
    total, objects = sum(right), sum(len(scene.picture.objects) for scene in scenes)
    shares = [total / objects]
    for doubt in order:
        scene = scenes[doubt.picture]
        reviews.take(answer(scene, scene.picture.objects[doubt.number]))
        before = right[doubt.picture]
        right[doubt.picture] = right_of(scene, reviews, spatial)
        total += right[doubt.picture] - before
        shares.append(total / objects)
    return shares


def all_doubts(opened: Opened) -> list[Doubt]:
    """The doubts of S2 alone about all objects; no picture is opened."""
    outlines = map(opened.store.outline, range(len(opened.store)))
    return [
        doubt
        for index, pseudo in enumerate(outlines)
        if pseudo.error is None
        for doubt in doubts_of(pseudo, index, opened.spatial)
    ]


def decide(opened: Opened, chosen: Sequence[Doubt], path: Path) -> int:
    """Writes a simulated reviewer's decisions on some objects to a file, in their order.

    Only their pictures are opened; an object whose true mask is not known is passed over.

    Args:
        path: of the file, which is replaced when all are made.

    Returns:
        How many there are.
    """
    from tqdm import tqdm

    numbers: dict[int, list[int]] = {}  # picture → objects: each picture is opened once
    for doubt in chosen:
        numbers.setdefault(doubt.picture, []).append(doubt.number)
    left_out = LeftOut(opened.dataset.name, len(numbers))
    answers: dict[tuple[int, int], Decision] = {}
    for index, own in tqdm(sorted(numbers.items()), desc="pictures", mininterval=2):
        name, read = partial(opened.store.name, index), partial(_read, opened, index)
        scene, _ = left_out.tried(name, read) or (None, None)
        if scene is not None:
            answers |= {(index, k): answer(scene, scene.picture.objects[k]) for k in own}
    left_out.say()
    decided = [answers[key] for d in chosen if (key := (d.picture, d.number)) in answers]
    write_whole(path, b"".join(map(line_of, decided)))
    return len(decided)


def clicks_to(shares: Sequence[float], goal: float) -> int | None:
    """Decisions until the share is reached; None where it never is."""
    return next((k for k, share in enumerate(shares) if share >= goal), None)


def measure(opened: Opened, corrector: Corrector | None, seeds: int, path: Path) -> dict[str, Any]:
    """Shares and clicks of each order; those at random are the mean over seeds."""
    scenes, alone, both = read_scenes(opened, corrector)
    runs = {"doubtful": review(scenes, ORDERS["doubtful"](alone, 0), opened.spatial, path)}
    if both:
        order = ORDERS["doubtful"](both, 0)
        runs["doubtful, with stage 3"] = review(scenes, order, opened.spatial, path)
    drawn = [
        review(scenes, ORDERS["random"](alone, seed), opened.spatial, path) for seed in range(seeds)
    ]
    runs["random"] = np.mean(drawn, axis=0).tolist()
    clicks = {name: clicks_to(shares, GOAL) for name, shares in runs.items()}
    at_random = clicks["random"]
    return {
        "pictures": len(scenes),
        "objects": len(alone),
        "goal": GOAL,
        "clicks": clicks,
        "of random's": {
            name: None if own is None or not at_random else own / at_random
            for name, own in clicks.items()
        },
        "shares": {name: [round(share, 4) for share in shares] for name, shares in runs.items()},
    }


def draw(figures: dict[str, Any]) -> Figure:
    """Share of right choices against decisions."""
    from matplotlib.figure import Figure

    colours = {"doubtful": "#0072b2", "doubtful, with stage 3": "#009e73", "random": "#d55e00"}
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, shares in figures["shares"].items():
        x = 100 * np.arange(len(shares)) / figures["objects"]
        axes.plot(x, 100 * np.array(shares), color=colours[name], label=name, linewidth=2)
    axes.axhline(100 * figures["goal"], color="#888", linewidth=1, linestyle=":")
    axes.set_xlabel(f"objects decided, % of {figures['objects']:,}")
    axes.set_ylabel("right choices, %")
    axes.set_xlim(0, 100)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
