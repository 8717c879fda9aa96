"""One object of a scene: what expressions, their meaning and the renderer speak of."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.scenes.catalogue import Sprite


@dataclass
class Instance:
    """One object of a scene.

    Attributes:
        sprite, colour: what it is; colour as painted or as drawn, None where it has no single one.
        centre: (x, y) of its full extent, in pixels.
        height: of its full extent, in pixels.
        area: pixels of its full silhouette, hidden ones included.
        visible: share of `area` that is not hidden by later objects or the frame.
        covered_by: indices of the objects that hide at least a twentieth of it.
    """

    sprite: Sprite
    colour: str | None
    centre: tuple[float, float]
    height: float
    area: int
    visible: float = 1.0
    covered_by: set[int] = field(default_factory=set)
