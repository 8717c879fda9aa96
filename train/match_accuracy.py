"""Which way of matching finds the right masks: an ablation of what `correct` learns from.

python -m train.match_accuracy --data refsprites:train:200 --store runs/pseudo \\
    --checkpoint assets/mini/lavt --json runs/match.json

The data set's true masks say which candidate is an object's own. Rows are S2's choice, Algorithm 1
with one expression drawn for each object, with two and with all of them (the best of their scores,
or, beyond the paper, the mean), the optimal assignment of each, and Algorithm 1 with S2's choice
added to the scores; then what leaving an object without a mask, where its best soft IoU is low,
would leave out. Nothing is trained: it is one forward pass of the checkpoint over each picture.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.correct.matching import add_prior, greedy_match, object_scores, optimal_match, soft_iou
from ssc.correct.predict import Corrector
from ssc.metrics import pairwise_iou
from ssc.types import InputError
from train.data import SOURCES, open_dataset
from train.store import PseudoPicture, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.data import Picture

RIGHT = 0.5  # IoU with the true mask from which on a candidate is an object's own
DRAWN = {"one": 1, "two": 2, "all": None}  # expressions of each object
MATCHES = {"greedy": greedy_match, "optimal": optimal_match}
PRIORS = (0.1, 0.2, 0.3, 0.5, 1.0)  # what S2's choice counts for, as train.fit's --prior
THRESHOLDS = (0.05, 0.1, 0.2, 0.3)  # of the best soft IoU


@dataclass(frozen=True)
class Scene:
    """One picture's objects and all their candidates, each once.

    Attributes:
        iou: float N×C, soft IoU of each expression's prediction and each candidate.
        object_of: int64 N, object in [0, J) of each expression.
        allowed: bool J×C, the candidates of an object.
        right: int64 J, the candidate that is the object's own, -1 where none is.
        chosen: int64 J, that of S2, -1 for none.
    """

    iou: Tensor
    object_of: Tensor
    allowed: Tensor
    right: Tensor
    chosen: Tensor


def open_scene(picture: Picture, looked: PseudoPicture, corrector: Corrector) -> Scene | None:
    """None where nothing was found in the picture.

    Raises:
        InputError: an object without a true mask.
    """
    truth = []
    for thing in picture.objects:
        if thing.mask is None:
            raise InputError(f"{picture.name}: expected a true mask of object {thing.name}")
        truth.append(thing.mask)
    numbers: dict[bytes, int] = {}
    masks: list[NDArray[np.bool_]] = []
    own: list[list[int]] = []
    for thing in looked.objects:
        own.append([])
        for mask in thing.candidates.masks:
            own[-1].append(numbers.setdefault(mask.tobytes(), len(masks)))
            if own[-1][-1] == len(masks):
                masks.append(mask)
    if not masks:
        return None
    candidates, count = np.stack(masks), len(looked.objects)
    allowed = torch.zeros(count, len(masks), dtype=torch.bool)
    right = torch.full((count,), -1)
    for j, places in enumerate(own):
        allowed[j, places] = True
        overlap = pairwise_iou(truth[j][None], candidates)[0] * allowed[j].numpy()
        if overlap.max() >= RIGHT:
            right[j] = int(overlap.argmax())
    chosen = [own[j][x.chosen] if x.chosen >= 0 else -1 for j, x in enumerate(looked.objects)]
    texts = [text for thing in looked.objects for text in thing.expressions]
    object_of = [j for j, thing in enumerate(looked.objects) for _ in thing.expressions]
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
    kept = [order[scene.object_of[order] == j][:drawn] for j in range(len(scene.allowed))]
    if pooled == "mean":
        mean = torch.stack([scene.iou[own].mean(0) for own in kept])
        return mean.masked_fill(~scene.allowed, -torch.inf)
    rows = torch.cat(kept)
    return object_scores(scene.iou[rows], scene.object_of[rows], scene.allowed)


def measure(scenes: Sequence[Scene], seed: int = 0) -> dict[str, Any]:
    """What all ways of matching get right.

    Returns:
        `objects`: those with a candidate; `matchable`: of them, those of whom one is right;
        `rows`: title → share of the matchable whose mask is right; `none`: threshold → of the
        objects with a candidate, those `left` out, and shares: `left rightly`, of whom no
        candidate is right, and `kept rightly`, whose mask is; `without`: the latter with no
        threshold. The last three are of Algorithm 1 with the best of all expressions.
    """
    found = torch.cat([scene.allowed.any(1) for scene in scenes])
    right = torch.cat([scene.right for scene in scenes])
    matchable = right >= 0

    def share(assignment: Tensor, of: Tensor) -> float:
        return (assignment == right)[of & matchable].sum().item() / max(1, of.sum().item())

    rows = {"S2's choice": share(torch.cat([scene.chosen for scene in scenes]), matchable)}
    for said, drawn in DRAWN.items():
        for pooled in ("best", "mean") if drawn != 1 else ("best",):
            tables = [
                scores_of(scene, drawn, pooled, np.random.default_rng([seed, k]))
                for k, scene in enumerate(scenes)
            ]
            for name, match in MATCHES.items():
                title = f"{said}, {pooled} score, {name}" if drawn != 1 else f"{said}, {name}"
                rows[title] = share(torch.cat([match(table) for table in tables]), matchable)
    tables = [scores_of(scene, None, "best", np.random.default_rng(0)) for scene in scenes]
    for prior in PRIORS:
        both = [add_prior(t, scene.chosen, prior) for t, scene in zip(tables, scenes)]
        matched = torch.cat([greedy_match(table) for table in both])
        rows[f"all, best score, greedy, S2's choice + {prior}"] = share(matched, matchable)
    assigned = [greedy_match(table) for table in tables]
    matched = torch.cat(assigned)
    values = torch.cat(
        [table.gather(1, a.clamp(min=0)[:, None])[:, 0] for table, a in zip(tables, assigned)]
    )
    values = values.masked_fill(matched < 0, -torch.inf)
    none = {}
    for threshold in THRESHOLDS:
        left, kept = found & (values < threshold), found & (values >= threshold)
        lost = (left & ~matchable).sum().item() / max(1, left.sum().item())
        none[str(threshold)] = {
            "left": left.sum().item(),
            "left rightly": lost,
            "kept rightly": share(matched, kept),
        }
    return {
        "objects": found.sum().item(),
        "matchable": matchable.sum().item(),
        "rows": rows,
        "without": share(matched, found & (matched >= 0)),
        "none": none,
    }


def markdown(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['objects']} objects have a candidate, {figures['matchable']} of them one that "
        f"is right (IoU ≥ {RIGHT}).",
        "",
        "| expressions, matching | right mask, % of these |",
        "|---|---|",
        *(f"| {title} | {100 * value:.1f} |" for title, value in figures["rows"].items()),
        "",
        "| none below | left out | rightly, % | of the others right, % |",
        "|---|---|---|---|",
        f"| – | | | {100 * figures['without']:.1f} |",
    ]
    for threshold, row in figures["none"].items():
        shares = f"{100 * row['left rightly']:.1f} | {100 * row['kept rightly']:.1f}"
        lines.append(f"| {threshold} | {row['left']} | {shares} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="python -m train.match_accuracy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--data", required=True, help=f"with true masks: {SOURCES}")
    add("--store", type=Path, required=True, help="S1 and S2 of --data, or of more that begins so")
    add("--checkpoint", type=Path, required=True, help="of stage 3")
    add("--seed", type=int, default=0, help="of the expressions drawn")
    add("--json", type=Path, help="file for the figures")
    args = parser.parse_args(argv)
    try:
        data, store = open_dataset(args.data), Store.open(args.store)
        corrector = Corrector.load(args.checkpoint)
        scenes = []
        for index in tqdm(range(len(data)), desc="matching", mininterval=2):
            if store.name(index) != data.picture_name(index):
                raise InputError(f"{args.store}: expected S1 and S2 of {args.data}")
            scene = open_scene(data[index], store.picture(index), corrector)
            scenes += [] if scene is None else [scene]
    except (InputError, IndexError) as error:
        raise SystemExit(f"error: {error}") from error
    figures = measure(scenes, args.seed)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(markdown(figures))


if __name__ == "__main__":
    main()
