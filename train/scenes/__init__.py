"""RefSprites: a rendered world with exact masks and unambiguous referring expressions."""

from train.scenes.expressions import Expression
from train.scenes.render import SPLITS, Instance, Scene, render

__all__ = ["SPLITS", "Expression", "Instance", "Scene", "render"]
