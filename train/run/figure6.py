"""The paper's figure 6: a run's matches and predictions over time, and the share of right matches
where true masks are known. `train.run.report` shows both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.draw import colour_of
from ssc.errors import InputError
from ssc.metrics import mask_iou
from train.fit.rows import shrink
from train.fit.watch import Watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.data import Dataset, Picture

RIGHT = 0.5  # IoU with the true mask from which on a candidate is the object's own
OBJECTS = 6  # drawn
LOOKS = 5  # drawn of each object, over all trainings


@dataclass(frozen=True)
class Truth:
    """The right candidates of J watched objects.

    Attributes:
        right: each object's candidates whose IoU with its true mask is at least `RIGHT`; None
            where its true mask is not known.
    """

    right: list[set[int] | None]

    @property
    def counted(self) -> list[int]:
        """Objects that have a right candidate."""
        return [j for j, own in enumerate(self.right) if own]

    def share(self, masks: NDArray[np.int64]) -> float:
        """Share of those objects whose mask in int64 J is a right one."""
        return float(np.mean([masks[j] in (self.right[j] or ()) for j in self.counted]))


def truth_of(watched: Watched, data: Dataset) -> Truth | None:
    """None where no watched object has a true mask and a candidate like it."""
    wanted = set(watched.names)
    pictures: dict[str, Picture | None] = {}
    for index in range(len(data)):
        if len(pictures) == len(wanted):
            break
        if (name := data.picture_name(index)) in wanted and name not in pictures:
            try:
                pictures[name] = data[index]
            except (InputError, OSError):
                pictures[name] = None
    right: list[set[int] | None] = []
    for j, name in enumerate(watched.names):
        said = sorted(watched.expressions[j])
        picture = pictures.get(name)
        objects = picture.objects if picture is not None else ()
        own = [thing for thing in objects if sorted(thing.expressions) == said]
        if len(own) != 1 or own[0].mask is None:
            right.append(None)
            continue
        size = watched.masks.shape[1:]
        small = shrink(own[0].mask[..., None].astype(np.uint8) * 255, size)[..., 0] > 127
        known = watched.allowed[j]
        right.append({c for c in known if mask_iou(watched.masks[c], small) >= RIGHT})
    truth = Truth(right)
    return truth if truth.counted else None


def worth_drawing(trainings: Mapping[str, Watched], truth: Truth | None) -> list[int]:
    """Objects that S2 gets wrong, whatever their later matches; where the truth is not known, those
    whose last match differs from S2."""
    last = list(trainings.values())[-1]
    if truth is not None:
        objects = [j for j in truth.counted if last.chosen[j] not in (truth.right[j] or ())]
    else:
        matched = last.matched[max(last.matched)]
        objects = [j for j in range(len(matched)) if matched[j] != last.chosen[j]]
    return objects[:OBJECTS]


def draw(
    trainings: Mapping[str, Watched], truth: Truth | None, objects: list[int]
) -> tuple[Any, str]:
    """The figure, an object a row, and the sentence that explains it."""
    from matplotlib.figure import Figure

    looks = [(name, update) for name, w in trainings.items() for update in sorted(w.matched)]
    if len(looks) > LOOKS:
        places = np.linspace(0, len(looks) - 1, LOOKS).round().astype(int)
        looks = [looks[k] for k in places]
    figure = Figure((2.3 * (1 + len(looks)), 2.1 * len(objects)), layout="constrained")
    panels = figure.subplots(len(objects), 1 + len(looks), squeeze=False)
    for row, j in zip(panels, objects):
        first = next(iter(trainings.values()))
        options = [(c, _colour(k)) for k, c in enumerate(first.allowed[j])]
        _panel(row[0], first.images[j], [(first.masks[c], colour, 1.5) for c, colour in options])
        row[0].set_title(_short(first.expressions[j][0]), fontsize=9, loc="left")
        for panel, (name, update) in zip(row[1:], looks):
            watched = trainings[name]
            match = int(watched.matched[update][j])
            lines = [(watched.masks[c], colour, 2.5) for c, colour in options if c == match]
            _panel(panel, watched.images[j], lines, watched.seen[update][j])
            right = truth.right[j] if truth is not None else None
            verdict = _verdict(match, int(watched.chosen[j]), right)
            panel.set_title(f"{name} {update}: {verdict}", fontsize=8)
    told = "S2 gets wrong" if truth else "whose last match differs from S2"
    return figure, (
        f"Objects {told}. Left: an expression and its candidate masks. Then, over training: what "
        "the model sees (bright) and the mask that it would learn from (outlined)."
    )


def _verdict(match: int, chosen: int, right: set[int] | None) -> str:
    if match < 0:
        return "no match"
    if right is not None:
        return "right" if match in right else "wrong"
    return "as S2" if match == chosen else "another"


def _panel(
    axes: Any,
    image: NDArray[np.uint8],
    lines: list[tuple[NDArray[np.bool_], tuple[float, ...], float]],
    seen: NDArray[np.uint8] | None = None,
) -> None:
    """A picture with outlined masks; dimmed but for where the model sees the object."""
    h, w = image.shape[:2]
    shown = image.astype(np.float32) / 255
    if seen is not None:
        light = shrink(seen[..., None], (h, w)).astype(np.float32) / 255  # h×w×1
        shown = shown * (0.25 + 0.75 * light)
    axes.imshow(shown, interpolation="bilinear")
    for mask, colour, width in lines:
        padded = np.pad(mask.astype(np.float32), 1)  # closed at the picture's edge too
        at = np.arange(-1, w + 1), np.arange(-1, h + 1)
        axes.contour(*at, padded, levels=[0.5], colors=[colour], linewidths=width)
    axes.set_xlim(-0.5, w - 0.5)
    axes.set_ylim(h - 0.5, -0.5)
    axes.set_axis_off()


def _colour(index: int) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour_of(index))


def _short(text: str, length: int = 34) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
