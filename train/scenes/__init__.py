"""RefSprites: a rendered world with exact masks and unambiguous referring expressions."""

from train.scenes.expressions import Expression
from train.scenes.instance import Instance
from train.scenes.render import SPLITS, Scene, render

__all__ = ["SPLITS", "Expression", "Instance", "Scene", "render"]
