"""Matching accuracy: the share of objects that get their own mask, judged by true masks.

Algorithm 1 and the optimal assignment (paper §3.3) use the scores of one expression drawn per
object, of two, and of all. Further rows use the mean over all expressions, or add a prior for
stage 2's choice. A second table leaves objects with a low soft IoU without a mask. Stage 2's choice
and the oracle stand beside them. One forward pass per picture serves all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.correct.matching import (
    UNMATCHED,
    add_prior,
    greedy_match,
    object_scores,
    optimal_match,
    soft_iou,
)
from ssc.errors import InputError
from ssc.metrics import pairwise_iou
from train.markdown import percent, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.correct.predict import Corrector
    from train.data import Dataset, Picture
    from train.pseudo.records import PseudoPicture

RIGHT = 0.5  # IoU with the true mask that makes a candidate the right one
DRAWN = {"one": 1, "two": 2, "all": None}  # expressions of each object
PRIORS = (0.1, 0.2, 0.3, 0.5, 1.0)  # added for S2's choice, `train.fit`'s --prior
THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.3)  # of the soft IoU with the matched mask
TITLES = {"one": "one drawn", "two": "two drawn", "all": "all (Algorithm 1 as printed)"}


@dataclass(frozen=True)
class Scene:
    """One picture's objects and all their candidates, each once.

    Attributes:
        iou: float N×C, soft IoU of each expression's prediction and each candidate.
        object_of: int64 N, object in [0, J) of each expression.
        allowed: bool J×C, the candidates of an object.
        right: int64 J, the right candidate of each object, -1 where there is none.
        chosen: int64 J, the candidate in S2, -1 where there is none.
    """

    iou: Tensor
    object_of: Tensor
    allowed: Tensor
    right: Tensor
    chosen: Tensor


def open_scene(picture: Picture, pseudo: PseudoPicture, corrector: Corrector) -> Scene | None:
    """The scene of a picture; None where it has no candidate.

    Raises:
        InputError: an object has no true mask.
    """
    truth = []
    for referent in picture.objects:
        if referent.mask is None:
            raise InputError(f"{picture.name}: expected a true mask of object {referent.name}")
        truth.append(referent.mask)
    numbers: dict[bytes, int] = {}
    masks: list[NDArray[np.bool_]] = []
    own: list[list[int]] = []
    for obj in pseudo.objects:
        own.append([])
        for mask in obj.candidates.masks:
            own[-1].append(numbers.setdefault(mask.tobytes(), len(masks)))
            if own[-1][-1] == len(masks):
                masks.append(mask)
    if not masks:
        return None
    candidates, count = np.stack(masks), len(pseudo.objects)
    allowed = torch.zeros(count, len(masks), dtype=torch.bool)
    right = torch.full((count,), -1)
    for j, places in enumerate(own):
        allowed[j, places] = True
        overlap = pairwise_iou(truth[j][None], candidates)[0] * allowed[j].numpy()
        if overlap.max() >= RIGHT:
            right[j] = int(overlap.argmax())
    chosen = [own[j][x.chosen] if x.chosen >= 0 else -1 for j, x in enumerate(pseudo.objects)]
    texts = [text for referent in pseudo.objects for text in referent.expressions]
    object_of = [j for j, referent in enumerate(pseudo.objects) for _ in referent.expressions]
    iou = soft_iou(
        torch.from_numpy(corrector.predict(picture.image, texts)), torch.from_numpy(candidates)
    )
    return Scene(iou, torch.tensor(object_of), allowed, right, torch.tensor(chosen))


def scores_of(scene: Scene, drawn: int | None, pooled: str, rng: np.random.Generator) -> Tensor:
    """float J×C: the "best" or the "mean" of the expressions drawn, -inf where not allowed.

    Args:
        drawn: expressions of each object; None for all.
    """
    order = torch.from_numpy(rng.permutation(len(scene.object_of)))
    rows_of = [order[scene.object_of[order] == j][:drawn] for j in range(len(scene.allowed))]
    if pooled == "mean":
        mean = torch.stack([scene.iou[own].mean(0) for own in rows_of])
        return mean.masked_fill(~scene.allowed, -torch.inf)
    rows = torch.cat(rows_of)
    return object_scores(scene.iou[rows], scene.object_of[rows], scene.allowed)


def open_scenes(dataset: Dataset, folder: Path, checkpoint: Path) -> tuple[list[Scene], int]:
    """Pictures with a candidate, and how many objects all pictures have.

    What people decided beside the store is heeded; objects that they left out are.

    Raises:
        InputError: no such store or checkpoint, the store is not of these pictures and
            expressions, or an object has no true mask.
    """
    from tqdm import tqdm

    from ssc.correct.predict import Corrector
    from train.pseudo.scores import counts_words
    from train.pseudo.store import Store
    from train.review.apply import reviewed
    from train.review.decisions import FILE as REVIEWS
    from train.review.decisions import Reviews

    store, corrector = Store.open(folder), Corrector.load(checkpoint)
    reviews = Reviews(folder / REVIEWS)
    if len(store) < len(dataset):
        raise InputError(f"{folder}: expected S1 of {len(dataset)} pictures, got {len(store)}")
    scenes, objects = [], 0
    for index in tqdm(range(len(dataset)), desc="matching", mininterval=2):
        pseudo = store.picture(index)
        if pseudo.error is not None:  # a picture that cannot be read
            continue
        picture = dataset[index]
        expressions = [referent.expressions for referent in picture.objects]
        if pseudo.name != picture.name or [x.expressions for x in pseudo.objects] != expressions:
            raise InputError(
                f"{folder}: expected S1 and S2 of {dataset.name}, got other pictures or "
                f"expressions ({pseudo.name} where {picture.name} stands)"
            )
        pseudo = reviewed(pseudo, reviews, counts_words(store.manifest))
        names = {referent.name for referent in pseudo.objects}
        own = tuple(referent for referent in picture.objects if referent.name in names)
        picture = replace(picture, objects=own)
        objects += len(own)
        scene = open_scene(picture, pseudo, corrector)
        scenes += [] if scene is None else [scene]
    return scenes, objects


def pooled(scenes: Sequence[Scene]) -> list[Tensor]:
    """float J×C of each picture: the best of all expressions of an object."""
    return [scores_of(scene, None, "best", np.random.default_rng(0)) for scene in scenes]


def measure(scenes: Sequence[Scene], objects: int, seed: int = 0) -> dict[str, Any]:
    """What each way of matching gets right.

    Args:
        scenes: pictures with a candidate.
        objects: how many all pictures have.
        seed: of the expressions drawn; those of "one" are among those of "two".

    Returns:
        `objects`, those `found` (with a candidate), and those `matchable` (with a right one);
        `rows`: of "one", "two" and "all" expressions, accuracy of "greedy" and "optimal" (share
        of the matchable whose mask is right) and "same", the share of pictures in which the two
        agree in all objects; `mean`: accuracy of greedy by the mean of all expressions; `priors`:
        weight → that by the best of all and S2's choice as a prior; `S2`, `oracle` and, as
        matching gives no mask twice, the best that any matching can reach, `oracle, no mask
        twice`: accuracies; `none`: for each threshold,
        of "all, greedy", how many of the objects found are `left` without a mask and how many are
        `kept`, and two shares: `left rightly`, of those left without a right candidate, and `kept
        rightly`, of those kept with the right mask. A share of nothing is None.
    """
    right = _joined([scene.right for scene in scenes])
    covered = _joined([scene.allowed.any(1).long() for scene in scenes]).bool()
    matchable = right != UNMATCHED

    def accuracy(matched: Sequence[Tensor]) -> float | None:
        return _share((_joined(matched) == right) & matchable, matchable)

    rows = {}
    for key, drawn in DRAWN.items():
        scores = [
            scores_of(scene, drawn, "best", np.random.default_rng([seed, k]))
            for k, scene in enumerate(scenes)
        ]
        greedy, optimal = [greedy_match(x) for x in scores], [optimal_match(x) for x in scores]
        same = torch.tensor([torch.equal(a, b) for a, b in zip(greedy, optimal)], dtype=torch.bool)
        rows[key] = {
            "greedy": accuracy(greedy),
            "optimal": accuracy(optimal),
            "same": _share(same, torch.ones_like(same)),
        }
    mean = [scores_of(x, None, "mean", np.random.default_rng(0)) for x in scenes]
    best = pooled(scenes)
    priors = {
        str(weight): accuracy(
            [greedy_match(add_prior(x, s.chosen, weight)) for x, s in zip(best, scenes)]
        )
        for weight in PRIORS
    }
    places = sum(len(set(scene.right.tolist()) - {UNMATCHED}) for scene in scenes)
    count = int(matchable.sum())
    return {
        "objects": objects,
        "found": int(covered.sum()),
        "matchable": count,
        "rows": rows,
        "mean": accuracy([greedy_match(x) for x in mean]),
        "priors": priors,
        "S2": accuracy([scene.chosen for scene in scenes]),
        "oracle": accuracy([scene.right for scene in scenes]),
        "oracle, no mask twice": places / count if count else None,
        "none": _none(best, right, covered),
    }


def _none(scores: Sequence[Tensor], right: Tensor, covered: Tensor) -> dict[str, dict[str, Any]]:
    """What `measure` returns of each threshold."""
    assigned = [greedy_match(x) for x in scores]
    matched = _joined(assigned)
    value = torch.cat(
        [
            torch.zeros(0),
            *(x.gather(1, a.clamp(min=0)[:, None])[:, 0] for x, a in zip(scores, assigned)),
        ]
    )
    rows = {}
    for threshold in THRESHOLDS:
        # Greedy matching takes the best pairs first, so pairs may as well be left out after it.
        keep = (matched != UNMATCHED) & (value >= threshold)
        left, rest = covered & ~keep, covered & keep
        rows[str(threshold)] = {
            "left": int(left.sum()),
            "left rightly": _share(right == UNMATCHED, left),
            "kept": int(rest.sum()),
            "kept rightly": _share(matched == right, rest),
        }
    return rows


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([torch.zeros(0, dtype=torch.long), *parts])


def _share(true: Tensor, of: Tensor) -> float | None:
    return (true & of).sum().item() / of.sum().item() if of.any() else None


def markdown(figures: dict[str, Any]) -> str:
    """The figures of `measure` as two tables."""
    counts = (
        f"{figures['objects']} objects, {figures['found']} with a candidate, "
        f"{figures['matchable']} with one that is right (IoU ≥ {RIGHT} with the true mask)."
    )
    rows = [
        [TITLES[key], *(percent(row[name]) for name in ("greedy", "optimal", "same"))]
        for key, row in figures["rows"].items()
    ]
    alone = [("mean of all", figures["mean"])]
    alone += [(f"all, plus {weight} for S2's choice", s) for weight, s in figures["priors"].items()]
    alone += [("S2's own choice (CLIP)", figures["S2"])]
    alone += [(name, figures[name]) for name in ("oracle, no mask twice", "oracle")]
    rows += [[title, percent(share), "", ""] for title, share in alone]
    matched = table(
        ["expressions", "greedy, right %", "optimal, right %", "greedy = optimal, % of pictures"],
        rows,
    )
    none = (
        [
            *(threshold, str(row["left"]), percent(row["left rightly"])),
            *(str(row["kept"]), percent(row["kept rightly"])),
        ]
        for threshold, row in figures["none"].items()
    )
    left_out = table(
        ["least soft IoU", "objects left out", "rightly, %", "objects kept", "rightly, %"], none
    )
    return f"{counts}\n\n{matched}\n\n{left_out}"
