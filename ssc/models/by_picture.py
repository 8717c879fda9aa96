"""The default where pocket is here and no better set: which set answers depends on the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ssc.images import load_image
from ssc.models.photo import is_unknown
from ssc.pipeline import Pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ssc.correct import Correct
    from ssc.images import PictureLike
    from ssc.pipeline import Options
    from ssc.result import Result


class ByPicture(Pipeline):
    """A pipeline for photographs where a picture looks like one, and another for scenes.

    Its stages are those of the one for scenes.

    Args:
        scenes: the mini set's.
        photographs: the pocket set's.
    """

    def __init__(self, scenes: Pipeline, photographs: Pipeline) -> None:
        super().__init__(scenes.segment, scenes.select, scenes.correct)
        self.scenes, self.photographs = scenes, photographs

    def with_options(self, **options: Unpack[Options]) -> ByPicture:
        """As `Pipeline.with_options`, of both."""
        scenes = self.scenes.with_options(**options)
        return ByPicture(scenes, self.photographs.with_options(**options))

    def with_correct(self, correct: Correct | None) -> ByPicture:
        """As `Pipeline.with_correct`, of both."""
        scenes = self.scenes.with_correct(correct)
        return ByPicture(scenes, self.photographs.with_correct(correct))

    def stream(
        self, picture: PictureLike, objects: Sequence[str | Sequence[str]]
    ) -> Iterator[list[Result]]:
        """As `Pipeline.stream`, of the one that the picture is for."""
        image = load_image(picture)
        return self.of(image).stream(image, objects)

    def of(self, image: NDArray[np.uint8]) -> Pipeline:
        """The one that is for `image`, RGB uint8 H×W×3."""
        photograph = is_unknown(self.scenes.segment.detector, image)
        return self.photographs if photograph else self.scenes
