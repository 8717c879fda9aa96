"""Visual prompts and their embeddings, kept for the candidates that come again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.cache import Cache, content_key
from ssc.select.prompts import blur, make_prompts
from ssc.types import Candidates

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


@dataclass(frozen=True)
class Prompts:
    """The visual prompts of an image's objects.

    Attributes:
        keys: of each object its candidates' keys, equal for equal mask and box.
        images: key → RGB uint8 h×w×3.
        embeddings: key → float32 D, of those that are embedded already.
        new: RGB uint8 N×h×w×3 of the others, the first N of `images`, where the encoder runs.
    """

    keys: list[list[Hashable]]
    images: dict[Hashable, NDArray[np.uint8]]
    embeddings: dict[Hashable, NDArray[np.float32]]
    new: NDArray[np.uint8] | Tensor

    def of_objects(self) -> list[NDArray[np.uint8]]:
        """RGB uint8 N×h×w×3 of each object."""
        none = np.zeros((0, *self.new.shape[1:]), np.uint8)
        return [np.stack([self.images[key] for key in row]) if row else none for row in self.keys]


class PromptCache:
    """Makes visual prompts and embeds them, each candidate once; safe to use from several threads.

    Args:
        clip: its image encoder embeds them; None leaves embeddings empty.
    """

    def __init__(self, clip: Encoder | None) -> None:
        self.clip = clip
        device = getattr(clip, "device", None)
        # On the processor OpenCV and NumPy are faster than torch.
        self._device = None if device is None or device.type == "cpu" else device
        self._blurred: Cache[NDArray[np.uint8] | Tensor] = Cache(KEPT_IMAGES)
        self._embedded: Cache[tuple[NDArray[np.uint8], NDArray[np.float32]]] = Cache(KEPT_PROMPTS)

    def prompts(
        self, image: NDArray[np.uint8], objects: Sequence[Candidates], prompt: str, sigma: float
    ) -> Prompts:
        """Marks each object's candidates on RGB uint8 H×W×3, see `make_prompts`."""
        marking = content_key(image), prompt, sigma
        keys: list[list[Hashable]] = []
        held: dict[Hashable, tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}
        new: dict[Hashable, tuple[NDArray[np.bool_], NDArray[np.float32]]] = {}
        for candidates in objects:
            row: list[Hashable] = []
            for mask, box in zip(candidates.masks, candidates.boxes):
                key = marking, content_key(mask), box.tobytes()
                row.append(key)
                pair = self._embedded.peek(key)
                if pair is None:
                    new[key] = mask, box
                else:
                    held[key] = pair
            keys.append(row)
        masks = [mask for mask, _ in new.values()]
        boxes = np.array([box for _, box in new.values()], np.float32).reshape(-1, 4)
        prompts = make_prompts(prompt, image, masks, boxes, sigma, self._blur, self._device)
        images = prompts if isinstance(prompts, np.ndarray) else prompts.cpu().numpy()
        # Copies, lest one prompt in the cache keeps all that were made with it in memory.
        shown = {key: own.copy() for key, own in zip(new, images)}
        return Prompts(
            keys,
            shown | {key: own for key, (own, _) in held.items()},
            {key: embedding for key, (_, embedding) in held.items()},
            prompts,
        )

    def embeddings(self, prompts: Prompts) -> list[NDArray[np.float32]]:
        """float32 N×D of each object's prompts, rows of length 1; 0×0 of none, N×0 without CLIP."""
        rows: NDArray[np.float32] = np.zeros((len(prompts.new), 0), np.float32)
        if len(prompts.new) and self.clip is not None:
            rows = self.clip.encode_images(prompts.new)
        embedded = {key: row.copy() for key, row in zip(prompts.images, rows)}
        embedded |= prompts.embeddings
        for key, row in embedded.items():  # the held ones too: they are the ones used last
            self._embedded.put(key, (prompts.images[key], row))
        none = np.zeros((0, 0), np.float32)
        return [
            np.stack([embedded[key] for key in keys]) if keys else none for keys in prompts.keys
        ]

    def _blur(self, image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8] | Tensor:
        key = content_key(image), sigma
        return self._blurred.get(key, lambda: blur(image, sigma, self._device))
