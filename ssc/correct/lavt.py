"""LAVT (Yang et al. 2022, arXiv:2112.02244): a Swin Transformer that reads words at each stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.correct.backbone import Backbone

CONFIGS: dict[str, dict[str, Any]] = {
    "nano": {
        "embed_dim": 24,
        "depths": (1, 1, 2, 1),
        "num_heads": (1, 2, 4, 8),
        "window_size": 6,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 64,
        "decoder_dim": 24,
        "words_norm": False,
        "positions": True,
    },
    "mini": {
        "embed_dim": 32,
        "depths": (2, 2, 2, 1),
        "num_heads": (2, 4, 8, 16),
        "window_size": 8,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 128,
        "decoder_dim": 64,
        "words_norm": False,
    },
    "swin_b": {
        "embed_dim": 128,
        "depths": (2, 2, 18, 2),
        "num_heads": (4, 8, 16, 32),
        "window_size": 12,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 768,
        "drop_path": 0.3,
    },
}


PUBLISHED = {f"backbone.norms.{i}.": f"backbone.norm{i}." for i in range(4)} | {
    f"classifier.joins.{4 - level}.{part}{k}.": f"classifier.{part}{k}_{level}."
    for level in (4, 3, 2)
    for k in (1, 2)
    for part in ("conv", "bn")
}
"""Beginning of a parameter's name in `LAVT` → in the published checkpoints, where they differ."""


class Join(nn.Module):
    """A map joined with the next finer one: upsampled, concatenated, two 3×3 convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """float N×C×h×w of x, coarser or as fine, and `finer` float N×C'×h×w."""
        x = F.interpolate(x, finer.shape[2:], mode="bilinear", align_corners=True)
        x = torch.cat([x, finer], dim=1)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)))


class Decoder(nn.Module):
    """From the coarsest map up to the finest, then two logits."""

    def __init__(self, embed_dim: int, width: int) -> None:
        super().__init__()
        skips = [4 * embed_dim, 2 * embed_dim, embed_dim]
        befores = [8 * embed_dim, width, width]
        self.joins = nn.ModuleList(
            Join(before + skip, width) for before, skip in zip(befores, skips)
        )
        self.conv1_1 = nn.Conv2d(width, 2, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """float N×2×h×w logits at the finest of four maps, finest first."""
        *finer, x = maps
        for join, skip in zip(self.joins, reversed(finer)):
            x = join(x, skip)
        return self.conv1_1(x)


class LAVT(nn.Module):
    """Image and words → logits of background and object.

    Names and shapes of `state_dict` are those of the published checkpoints, see `PUBLISHED`.

    Args:
        embed_dim: channels of the first stage; they double with each stage.
        depths: Swin blocks of the four stages.
        num_heads: attention heads of the four stages.
        window_size: side of an attention window.
        num_heads_fusion: heads of the four pixel-word attentions.
        language_dim: channels of a word.
        words_norm: see `PixelWordAttention`; published checkpoints have it.
        decoder_dim: channels of the decoder; four times `embed_dim` in the paper, which is most
            of the time of a small backbone.
        drop_path: stochastic depth of the last Swin block while training, rising from 0.
        positions: adds a linear function of each pixel's place to every stage's map. Without it,
            and without ImageNet's weights, a Swin Transformer tells left from right by its padding
            alone, and learns "the left dog" slowly.
    """

    def __init__(
        self,
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: int,
        num_heads_fusion: Sequence[int],
        language_dim: int,
        words_norm: bool = True,
        decoder_dim: int | None = None,
        drop_path: float = 0.0,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(
            embed_dim,
            depths,
            num_heads,
            window_size,
            num_heads_fusion,
            language_dim,
            words_norm,
            drop_path,
            positions,
        )
        self.classifier = Decoder(embed_dim, decoder_dim or 4 * embed_dim)
        self.register_state_dict_post_hook(_publish)
        self.register_load_state_dict_pre_hook(_unpublish)

    def forward(
        self, image: Tensor, text: Tensor, mask: Tensor, image_index: Tensor | None = None
    ) -> Tensor:
        """Segments what each expression refers to.

        Args:
            image: float B×3×H×W, normalised; any H and W.
            text: float N×D×L word features.
            mask: N×L×1, 1 for a word and 0 for padding.
            image_index: int64 N, which image each expression is about; None for one expression
                per image in the same order. What needs no words is computed once per image.

        Returns:
            float N×2×H×W logits; channel 1 is the object.

        Raises:
            ValueError: the numbers of images, expressions and words do not fit.
        """
        n, _, length = text.shape
        if mask.shape != (n, length, 1):
            raise ValueError(f"mask: expected {n}×{length}×1 as text, got {tuple(mask.shape)}")
        if n != (len(image) if image_index is None else len(image_index)):
            raise ValueError(
                f"expected an expression per image or per image_index, got {n} expressions for "
                + (f"{len(image)} images" if image_index is None else f"{len(image_index)} indices")
            )
        words = text.transpose(1, 2)  # N×D×L → N×L×D
        logits = self.classifier(self.backbone(image, words, mask, image_index))
        return F.interpolate(logits, image.shape[2:], mode="bilinear", align_corners=True)

    def embed(self, image: Tensor) -> Tensor:
        """`Backbone.embed`: for inference, which keeps it of an image for other expressions."""
        return self.backbone.embed(image)

    def read(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        """`forward` of what `embed` gave: logits float N×2×h×w, a quarter of the image's size."""
        words = text.transpose(1, 2)  # N×D×L → N×L×D
        return self.classifier(self.backbone.read(pixels, words, mask, image_index))


def _publish(_module: nn.Module, weights: dict[str, Any], prefix: str, _metadata: Any) -> None:
    _rename(weights, prefix, PUBLISHED)


def _unpublish(_module: nn.Module, weights: dict[str, Any], prefix: str, *_others: Any) -> None:
    _rename(weights, prefix, {theirs: ours for ours, theirs in PUBLISHED.items()})


def _rename(weights: dict[str, Any], prefix: str, names: dict[str, str]) -> None:
    """Renames in place those under `prefix` that begin as a key of `names`; the order stays."""
    for name in [name for name in weights if name.startswith(prefix)]:
        own = name.removeprefix(prefix)
        old = next((old for old in names if own.startswith(old)), "")
        weights[prefix + names.get(old, "") + own.removeprefix(old)] = weights.pop(name)
