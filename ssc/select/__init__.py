"""Stage 2 (paper §3.2): candidates → visual prompts → CLIP scores → the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssc.errors import OptionError, unknown
from ssc.result import Result
from ssc.select.choose import RULES
from ssc.select.prompt_cache import Encoder, PromptCache
from ssc.select.prompts import BLURS, SIGMA, VISUAL_PROMPTS
from ssc.select.several import meant
from ssc.select.spatial import guide
from ssc.select.texts import embed_texts
from ssc.select.words_alone import score_words
from ssc.timing import Clock
from ssc.types import Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Select:
    """Chooses the candidate that CLIP finds most like the object's expressions.

    Prompts and their embeddings are kept for the images used last, so a second expression about
    an image runs no image encoder. Safe to use from several threads.

    Args:
        clip: text and image encoder; None has words alone choose, of colour and, with `spatial`,
            of place, size and relation (`ssc.select.words_alone`; not in the paper).
        prompt: a key of `prompts.VISUAL_PROMPTS`.
        sigma: of the blur, see `prompts.make_prompts`; None for `SIGMA`.
        rule: a key of `choose.RULES`.
        spatial: whether words for place, size and relation count too, as `spatial.guide` has it
            (not in the paper), where stage 1 has read them; a selection's scores are then CLIP's
            less what a candidate is out of place.
        several: whether all that is asked for is answered, and what is not there refused, as
            `several.meant` has it (not in the paper), where stage 1 has read the words.

    Raises:
        OptionError: no such prompt or rule, `sigma` is not above 0, or the prompt does not blur.
    """

    def __init__(
        self,
        clip: Encoder | None,
        *,
        prompt: str = "reverse_blur",
        sigma: float | None = None,
        rule: str = "argmax",
        spatial: bool = True,
        several: bool = True,
    ) -> None:
        if prompt not in VISUAL_PROMPTS:
            raise unknown("prompt", prompt, VISUAL_PROMPTS)
        if sigma is not None and prompt not in BLURS:
            raise OptionError(
                f"sigma: expected none with the prompt {prompt}, which does not blur, got {sigma!r}"
            )
        sigma = SIGMA if sigma is None else sigma
        if not isinstance(sigma, int | float | np.floating) or not sigma > 0:
            raise OptionError(f"sigma: expected a number of pixels above 0, got {sigma!r}")
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        self.clip = clip
        self.prompt = prompt
        self.sigma = sigma
        self.rule = rule
        self.spatial = spatial
        self.several = several
        self._cache = PromptCache(clip)

    def with_options(
        self,
        *,
        prompt: str | None = None,
        sigma: float | None = None,
        rule: str | None = None,
        spatial: bool | None = None,
        several: bool | None = None,
    ) -> Select:
        """This stage with other options, None keeps one; what it has kept of images is shared.

        Raises:
            OptionError: as the class does.
        """
        other = Select(
            self.clip,
            prompt=self.prompt if prompt is None else prompt,
            sigma=sigma,
            rule=self.rule if rule is None else rule,
            spatial=self.spatial if spatial is None else spatial,
            several=self.several if several is None else several,
        )
        if sigma is None:
            other.sigma = self.sigma
        other._cache = self._cache
        return other

    def anew(self) -> Select:
        """This stage with nothing kept: a picture's scores are then its own alone, as what is kept
        of others is left out of a batch."""
        other = self.with_options()
        other._cache = PromptCache(self.clip)
        return other

    def __call__(self, image: NDArray[np.uint8], results: Sequence[Result]) -> list[Result]:
        """Stage 2 of all objects of one image, in one call of each encoder at most.

        Args:
            image: RGB uint8 H×W×3.
            results: stage 1 of each object.

        Returns:
            The results with their selections, in the same order. An object without candidates
            has an empty selection. Time is counted with the first object, as it is shared.
        """
        clock = Clock()
        with clock("prompts"):
            candidates = [result.candidates for result in results]
            prompts = self._cache.prompts(image, candidates, self.prompt, self.sigma)
        with clock("scores"):
            images = self._cache.embeddings(prompts)
            # Equation 1: the similarity of each candidate, and the best one.
            colours: list[NDArray[np.float32] | None] = [None] * len(results)
            unread: list[tuple[str, ...]] = [()] * len(results)
            if self.clip is None:
                scored = [score_words(image, result) for result in results]
                similarities = [scores for scores, _ in scored]
                colours = [colour for _, colour in scored]
            else:
                texts, unread = embed_texts(self.clip, results, self.spatial)
                similarities = [similarity(own, text) for own, text in zip(images, texts)]
            guided = [self._guide(own, r, image) for own, r in zip(similarities, results)]
            chosen = RULES[self.rule]([scores for scores, _ in guided], prompts.keys)
            judged = [self._meant(image, r, own) for r, own in zip(results, images)]
        selected = []
        for number, (result, shown) in enumerate(zip(results, prompts.of_objects())):
            scores, parts = guided[number]
            if (colour := colours[number]) is not None:
                parts = {**parts, "colour": colour}
            clip_scores = similarities[number] if scores is not similarities[number] else None
            selection = Selection(
                shown,
                scores,
                chosen[number],
                self.prompt,
                self.rule,
                clip_scores,
                parts,
                by_words=self.clip is None,
                unread=unread[number],
                members=judged[number][0],
                evidence=judged[number][1],
            )
            timings = clock.seconds if number == 0 else dict.fromkeys(clock.seconds, 0.0)
            selected.append(result.with_selection(selection, timings))
        return selected

    def _guide(
        self, scores: NDArray[np.float32], result: Result, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        """Scores less what a candidate is out of place, and the parts of that; see `guide`."""
        if not self.spatial:
            return scores, {}
        height, width = image.shape[:2]
        return guide(scores, result.words, result.candidates.boxes, height, width, result.others)

    def _meant(
        self, image: NDArray[np.uint8], result: Result, embedded: NDArray[np.float32]
    ) -> tuple[tuple[int, ...] | None, NDArray[np.float32] | None]:
        """Which candidates are meant where not one is, and evidence; see `several.meant`."""
        clip = self.clip
        if not self.several or not result.words:
            return None, None
        if clip is None:
            return meant(image, result, None)
        return meant(image, result, lambda texts: embedded @ clip.encode_text(texts).T)


def similarity(images: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine similarity of candidates and an object's expressions, the mean over the latter.

    Args:
        images: float32 N×D, rows of length 1.
        texts: float32 M×D, of about that length.

    Returns:
        float32 N in [-1, 1].
    """
    if not len(images):
        return np.zeros(0, np.float32)
    return np.clip((images @ texts.T).mean(axis=1), -1, 1).astype(np.float32)  # N×M → N
