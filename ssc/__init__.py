"""Segment, Select, Correct: referring segmentation trained from sentences alone.

>>> import ssc
>>> picture = "assets/examples/faces.jpg"
>>> result = ssc.find(picture, "guy with a turban", models="mini")
>>> result.mask.shape                                  # bool H×W, the best answer known
(480, 640)
>>> overlay = result.overlay()                         # a PIL image; overlay.save("overlay.png")
>>> result.selected.by, result.corrected.by, len(result.candidates)
('S+S', 'S+S+C', 4)
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Candidate",
    "Candidates",
    "InputError",
    "Pipeline",
    "Result",
    "find",
    "load",
    "load_image",
]

if TYPE_CHECKING:
    from ssc.answer import Answer
    from ssc.errors import InputError
    from ssc.images import load_image
    from ssc.models.find import find
    from ssc.models.sets import load
    from ssc.pipeline import Pipeline
    from ssc.result import Result
    from ssc.types import Candidate, Candidates

_HOMES = {
    "Answer": "ssc.answer",
    "Candidate": "ssc.types",
    "Candidates": "ssc.types",
    "InputError": "ssc.errors",
    "Pipeline": "ssc.pipeline",
    "Result": "ssc.result",
    "find": "ssc.models.find",
    "load": "ssc.models.sets",
    "load_image": "ssc.images",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: `import ssc` itself loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ssc' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
