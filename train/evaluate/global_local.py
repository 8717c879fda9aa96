"""Global-local CLIP (Yu et al., CVPR 2023): how well a mask fits an expression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.cache import Cache, content_key
from ssc.errors import InputError
from ssc.metrics import mask_box
from ssc.select.prompts import CLIP_MEAN
from ssc.words.nouns import Parser

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from ssc.clip import Clip

ALPHA, BETA = 0.95, 0.5
"""Weights of the global parts of picture and text: those that Yu et al. give for RefCOCO."""
MASKED = 0.25  # of a vision transformer's blocks, the last ones: three of the twelve of ViT-B
MASKS = 64  # seen at once; bounds memory, not results


class GlobalLocal:
    """Global-local CLIP's score of a mask (Yu et al., CVPR 2023).

    Of the picture: `alpha` of the whole picture's features, those outside of the mask set to zero
    late in the network, so that what is inside has seen its surroundings, and the rest of the
    masked object cut out. Of the text: `beta` of the sentence, and the rest of the noun phrase of
    what it names. The score is the cosine similarity of both sums.

    Args:
        clip: with open_clip's ResNet or vision transformer.

    Raises:
        InputError: a CLIP with another image encoder.
    """

    def __init__(self, clip: Clip, alpha: float = ALPHA, beta: float = BETA) -> None:
        self.clip, self.alpha, self.beta = clip, alpha, beta
        self._masked = _masked_modules(clip.model.visual)
        self._parse = Parser()
        self._embeddings: Cache[NDArray[np.float32]] = Cache(8)

    def __call__(
        self, image: NDArray[np.uint8], masks: NDArray[np.bool_], expression: str, noun: str
    ) -> NDArray[np.float32]:
        """float32 N in [-1, 1]: the score of each mask bool N×H×W for the expression.

        Args:
            noun: key noun of the expression, '' where it has none.
        """
        if not len(masks):
            return np.zeros(0, np.float32)
        key = content_key(image), content_key(masks)
        visual = self._embeddings.get(key, lambda: self._see(image, masks))
        sentence, phrase = self.clip.encode_text([expression, self._phrase(expression, noun)])
        text = self.beta * sentence + (1 - self.beta) * phrase
        return visual @ (text / np.linalg.norm(text))

    def _see(self, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        parts = [masks[start : start + MASKS] for start in range(0, len(masks), MASKS)]
        whole = np.concatenate([self.whole(image, part) for part in parts])
        cut = self.clip.encode_images(cut_out(image, masks, self.clip.size))
        both = self.alpha * whole + (1 - self.alpha) * cut
        return both / np.linalg.norm(both, axis=1, keepdims=True)

    def whole(self, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32 N×D, rows of length 1: the picture's features inside each mask.

        The picture goes through the network once; from the first masked layer on it is N of them.
        """

        def mask_input(_: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            features, *others = args
            return features * _inside(masks, features), *others

        hooks = [module.register_forward_pre_hook(mask_input) for module in self._masked]
        try:
            return self.clip.encode_images(image[None])
        finally:
            for hook in hooks:
                hook.remove()

    def _phrase(self, expression: str, noun: str) -> str:
        """The noun with what stands before it: "man in blue" → "man", "the old man" → itself."""
        doc = self._parse(expression.lower())
        for token in doc:
            if noun and token.text == noun.split()[-1]:
                return doc[token.left_edge.i : token.i + 1].text
        return noun or expression


def cut_out(image: NDArray[np.uint8], masks: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    """uint8 N×size×size×3: each mask's box squashed to a square, CLIP's mean colour around it."""
    import cv2

    cut = np.empty((len(masks), size, size, 3), np.uint8)
    cut[:] = CLIP_MEAN
    for out, mask in zip(cut, masks):
        x0, y0, x1, y1 = mask_box(mask).astype(int)
        if x1 > x0:
            inside = slice(y0, y1), slice(x0, x1)
            patch = np.where(mask[inside][..., None], image[inside], np.array(CLIP_MEAN, np.uint8))
            smaller = cv2.INTER_AREA if max(patch.shape[:2]) > size else cv2.INTER_LINEAR
            out[:] = cv2.resize(patch, (size, size), interpolation=smaller)
    return cut


def _inside(masks: NDArray[np.bool_], features: Tensor) -> Tensor:
    """1 for features inside each mask, 0 outside, in a shape that `features` broadcasts with.

    A cell is inside where it is at least half as covered as the most covered one, so that no
    object is too small to have a cell. A transformer's class token is always inside.
    """
    import torch
    from torch.nn import functional as F

    tokens = features.ndim == 3  # 1×(1 + g²)×D, else 1×D×h×w
    side = round((features.shape[1] - 1) ** 0.5) if tokens else 0
    grid = (side, side) if tokens else (features.shape[-2], features.shape[-1])
    cover = F.adaptive_avg_pool2d(torch.tensor(masks).float()[:, None], grid)  # N×1×h×w
    inside = (cover >= 0.5 * cover.amax((2, 3), keepdim=True)) & (cover > 0)
    if tokens:
        inside = F.pad(inside.flatten(1), (1, 0), value=True)[..., None]  # N×(1 + g²)×1
    return inside.to(features)


def _masked_modules(visual: Any) -> Sequence[torch.nn.Module]:
    """The layers of an open_clip image encoder whose input is masked."""
    if hasattr(visual, "attnpool"):  # ResNet: masked attention pooling
        return [visual.attnpool]
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks is None or getattr(visual, "attn_pool", None) is not None:
        raise InputError(
            "GL CLIP: expected a CLIP with a ResNet or a vision transformer, got "
            f"{type(visual).__name__}"
        )
    return list(blocks)[-max(1, round(MASKED * len(blocks))) :]
