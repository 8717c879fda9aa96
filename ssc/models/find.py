"""One call from a picture and words to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ssc.models.sets import load
from ssc.weights.checkpoints import find_checkpoint

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ssc.images import PictureLike
    from ssc.pipeline import Options
    from ssc.result import Result


@overload
def find(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too: the first holds
    picture: PictureLike,
    expressions: str,
    *,
    models: str | None = None,
    correct: bool | str | Path = True,
    **options: Unpack[Options],
) -> Result: ...


@overload
def find(
    picture: PictureLike,
    expressions: Sequence[str | Sequence[str]],
    *,
    models: str | None = None,
    correct: bool | str | Path = True,
    **options: Unpack[Options],
) -> list[Result]: ...


def find(
    picture: PictureLike,
    expressions: str | Sequence[str | Sequence[str]],
    *,
    models: str | None = None,
    correct: bool | str | Path = True,
    **options: Unpack[Options],
) -> Result | list[Result]:
    """Finds what expressions refer to in a picture. Models stay in memory.

    Args:
        picture: a path, the bytes of a file, a PIL image or an array; see `ssc.load_image`.
        expressions: one sentence for one result; or a list with one entry per object, its
            sentence or several that all name it, for a list of results.
        models: mini, pocket, lite, base or paper; None for $SSC_MODELS, else the best set that is
            present, as `ssc.load` has it.
        correct: stage 3; see `ssc.load`.
        options: see `ssc.pipeline.Options`.

    Returns:
        A `Result` for one sentence, else a list of them; `result.mask` is the answer.

    Raises:
        OptionError, ExpressionError, PictureError: what was given cannot be used.
        WeightsError, DownloadError, ResourceError: this machine lacks something.

    >>> import ssc
    >>> picture = "assets/examples/faces.jpg"
    >>> result = ssc.find(picture, "guy with a turban", models="mini")
    >>> result.mask.shape
    (480, 640)
    >>> left, right = ssc.find(picture, ["left guy", "right guy"], models="mini", spatial=True)
    >>> left.selected.index != right.selected.index
    True
    """
    if not isinstance(correct, bool):
        correct = _kept_checkpoint(str(correct))
    pipeline = load(models, correct=correct).with_options(**options)
    if isinstance(expressions, str):
        [result] = pipeline(picture, [expressions])
        return result
    return pipeline(picture, expressions)


@lru_cache(maxsize=8)
def _kept_checkpoint(name: str) -> Path:
    """Its folder; the Hub is asked once."""
    return find_checkpoint(name)
