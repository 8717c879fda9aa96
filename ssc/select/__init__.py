"""Stage 2 (paper §3.2): candidates → visual prompts → CLIP scores → the chosen one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.cache import Cache, content_key
from ssc.errors import OptionError, unknown
from ssc.result import Result
from ssc.select.choose import RULES
from ssc.select.prompts import SIGMA, VISUAL_PROMPTS, blur, make_prompts
from ssc.select.spatial import guide
from ssc.select.words_alone import score_words
from ssc.timing import Clock
from ssc.types import Candidates, Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

KEPT_IMAGES = 4  # blurred copies, 0.9 MB each
KEPT_PROMPTS = 64  # prompts with their embeddings, 0.9 MB each


class Encoder(Protocol):
    """Both encoders of a CLIP, as unit vectors; `ssc.clip.Clip` is one.

    One that runs on an accelerator names it in an attribute `device`, and takes tensors on it.
    """

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1."""
        ...

    def encode_images(self, images: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1, of RGB uint8 N×h×w×3."""
        ...


class Select:
    """Chooses the candidate that CLIP finds most like the object's expressions.

    Prompts and their embeddings are kept for the images used last, so a second expression about
    an image runs no image encoder. Safe to use from several threads.

    Args:
        clip: text and image encoder; None has words alone choose, of colour and, with `spatial`,
            of place, size and relation (`ssc.select.words_alone`; not in the paper).
        prompt: a key of `prompts.VISUAL_PROMPTS`.
        sigma: of the blur; see `prompts.make_prompts`.
        rule: a key of `choose.RULES`.
        spatial: whether words for place, size and relation count too, as `spatial.guide` has it
            (not in the paper), where stage 1 has read them; a selection's scores are then CLIP's
            less what a candidate is out of place.

    Raises:
        OptionError: no such prompt or rule, or `sigma` is not above 0.
    """

    def __init__(
        self,
        clip: Encoder | None,
        *,
        prompt: str = "reverse_blur",
        sigma: float = SIGMA,
        rule: str = "argmax",
        spatial: bool = True,
    ) -> None:
        if prompt not in VISUAL_PROMPTS:
            raise unknown("prompt", prompt, VISUAL_PROMPTS)
        if not isinstance(sigma, Real) or not sigma > 0:
            raise OptionError(f"sigma: expected a number of pixels above 0, got {sigma!r}")
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        self.clip = clip
        self.prompt = prompt
        self.sigma = sigma
        self.rule = rule
        self.spatial = spatial
        device = getattr(clip, "device", None)
        # On the processor OpenCV and NumPy are faster than torch.
        self._device = None if device is None or device.type == "cpu" else device
        self._blurred: Cache[NDArray[np.uint8] | Tensor] = Cache(KEPT_IMAGES)
        self._seen: Cache[tuple[NDArray[np.uint8], NDArray[np.float32]]] = Cache(KEPT_PROMPTS)

    def with_options(
        self,
        *,
        prompt: str | None = None,
        sigma: float | None = None,
        rule: str | None = None,
        spatial: bool | None = None,
    ) -> Select:
        """This stage with other options, None keeps one; what it has kept of images is shared.

        Raises:
            OptionError: as the class does.
        """
        other = Select(
            self.clip,
            prompt=self.prompt if prompt is None else prompt,
            sigma=self.sigma if sigma is None else sigma,
            rule=self.rule if rule is None else rule,
            spatial=self.spatial if spatial is None else spatial,
        )
        other._blurred, other._seen = self._blurred, self._seen
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
        keys, prompts, embeddings = self._look(
            image, [result.candidates for result in results], clock
        )
        with clock("scores"):
            if self.clip is None:
                similarity = [score_words(image, result) for result in results]
            else:
                similarity = self._score([result.expressions for result in results], embeddings)
            scores, parts = similarity, [{} for _ in results]  # of each object
            if self.spatial:
                guided = [
                    guide(row, r.words, r.candidates.boxes, *image.shape[:2], r.others)
                    for row, r in zip(similarity, results)
                ]
                scores, parts = [row for row, _ in guided], [part for _, part in guided]
            chosen = RULES[self.rule](scores, keys)
        selected = []
        for number, result in enumerate(results):
            guided = scores[number] is not similarity[number]
            selection = Selection(
                prompts[number],
                scores[number],
                chosen[number],
                self.prompt,
                self.rule,
                similarity[number] if guided else None,
                parts[number],
                by_words=self.clip is None,
            )
            timings = clock.seconds if number == 0 else dict.fromkeys(clock.seconds, 0.0)
            selected.append(result.with_selection(selection, timings))
        return selected

    def _look(
        self, image: NDArray[np.uint8], objects: Sequence[Candidates], clock: Clock
    ) -> tuple[list[list[Hashable]], list[NDArray[np.uint8]], list[NDArray[np.float32]]]:
        """Each object's candidates' keys, prompts uint8 N×h×w×3, and embeddings float32 N×D.

        A key is equal for equal mask and box. Only masks not seen before are prompted and
        embedded, each once.
        """
        with clock("prompts"):
            shown_as = content_key(image), self.prompt, self.sigma
            keys = [
                [
                    (shown_as, content_key(mask), box.tobytes())
                    for mask, box in zip(candidates.masks, candidates.boxes)
                ]
                for candidates in objects
            ]
            seen = {key: self._seen.peek(key) for row in keys for key in row}
            new = {}  # key → (mask, box)
            for row, candidates in zip(keys, objects):
                for key, mask, box in zip(row, candidates.masks, candidates.boxes):
                    if seen[key] is None:
                        new[key] = mask, box
            masks = [mask for mask, _ in new.values()]
            boxes = np.array([box for _, box in new.values()], np.float32).reshape(-1, 4)
            made = make_prompts(
                self.prompt, image, masks, boxes, self.sigma, self._blur, self._device
            )
            shown = made if isinstance(made, np.ndarray) else made.cpu().numpy()
        with clock("scores"):
            if new:
                none = np.zeros((len(shown), 0), np.float32)
                rows = zip(shown, none if self.clip is None else self.clip.encode_images(made))
                # Copies, lest one prompt in the cache keeps its whole batch in memory.
                seen.update(
                    {key: (prompt.copy(), row.copy()) for key, (prompt, row) in zip(new, rows)}
                )
        for key, value in seen.items():  # also marks those held as just used
            self._seen.get(key, lambda value=value: value)
        none = np.zeros((0, *shown.shape[1:]), np.uint8), np.zeros((0, 0), np.float32)
        pairs = [
            [np.stack(part) for part in zip(*(seen[key] for key in row))] if row else none
            for row in keys
        ]
        return keys, [prompts for prompts, _ in pairs], [embedded for _, embedded in pairs]

    def _score(
        self, objects: Sequence[Sequence[str]], embeddings: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """float32 N per object: cosine similarity, the mean over its expressions."""
        if not any(len(embedded) for embedded in embeddings):
            return [np.zeros(0, np.float32) for _ in objects]
        texts = self.clip.encode_text([text for expressions in objects for text in expressions])
        scores = []
        start = 0
        for expressions, embedded in zip(objects, embeddings):
            rows = texts[start : start + len(expressions)]  # M×D
            start += len(expressions)
            if len(embedded):
                mean = (embedded @ rows.T).mean(axis=1)  # N×M → N
                scores.append(np.clip(mean, -1, 1).astype(np.float32))
            else:
                scores.append(np.zeros(0, np.float32))
        return scores

    def _blur(self, image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8] | Tensor:
        key = content_key(image), sigma
        return self._blurred.get(key, lambda: blur(image, sigma, self._device))
