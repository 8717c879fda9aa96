"""Segment, Select, Correct: referring segmentation trained from sentences alone.

>>> import ssc
>>> pipeline = ssc.load("mini")
>>> [result] = pipeline(image, ["the man in blue"])   # image: RGB uint8 H×W×3
>>> result.mask                                       # bool H×W
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["InputError", "Pipeline", "Result", "load", "load_image"]

if TYPE_CHECKING:
    from ssc.errors import InputError
    from ssc.images import load_image
    from ssc.models.sets import load
    from ssc.pipeline import Pipeline
    from ssc.types import Result

_HOMES = {
    "InputError": "ssc.errors",
    "Pipeline": "ssc.pipeline",
    "Result": "ssc.types",
    "load": "ssc.models.sets",
    "load_image": "ssc.images",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: `import ssc` itself loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ssc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
