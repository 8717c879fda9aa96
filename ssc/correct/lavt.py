"""LAVT (Yang et al. 2022, arXiv:2112.02244): a Swin Transformer that reads while it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.correct.fusion import Fusion, Gate
from ssc.correct.swin import PatchEmbed, PatchMerging, SwinBlock

CONFIGS: dict[str, dict[str, Any]] = {
    "nano": {
        "embed_dim": 16,
        "depths": (1, 1, 2, 1),
        "num_heads": (1, 2, 4, 8),
        "window_size": 6,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 64,
        "decoder_dim": 32,
        "words_norm": False,
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


class ImageFeatures(NamedTuple):
    """What LAVT knows of B images before it has read a word.

    Attributes:
        pixels: float B×h×w×C, h×w at a quarter of the image's size: stage 1's blocks.
        visual, query: float B×hw×C, stage 1's fusion module on these pixels.
    """

    pixels: Tensor
    visual: Tensor
    query: Tensor

    def repeat(self, image_index: Tensor) -> ImageFeatures:
        """The features of image `image_index[n]` for each expression n; int64 N, on its device."""
        return ImageFeatures(*(part.index_select(0, image_index) for part in self))


class Stage(nn.Module):
    """One stage of the backbone: Swin blocks, fusion with the words, gate, patch merging."""

    def __init__(
        self,
        dim: int,
        window: int,
        heads: int,
        drop_paths: Sequence[float],
        language_dim: int,
        fusion_heads: int,
        words_norm: bool,
        last: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                SwinBlock(dim, window, heads, window // 2 if i % 2 else 0, drop_path)
                for i, drop_path in enumerate(drop_paths)
            )
        )
        self.fusion = Fusion(dim, language_dim, fusion_heads, words_norm)
        self.res_gate = Gate(dim)
        self.downsample = None if last else PatchMerging(dim)
        if last:  # in checkpoints, but nothing comes after it: it gets no gradient
            self.res_gate.requires_grad_(False)


class Backbone(nn.Module):
    """Four stages of strides 4, 8, 16, 32."""

    def __init__(
        self,
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: int,
        num_heads_fusion: Sequence[int],
        language_dim: int,
        words_norm: bool,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(embed_dim)
        self.layers = nn.ModuleList()
        rates = torch.linspace(0, drop_path, sum(depths), device="cpu").split(list(depths))
        for i, heads in enumerate(num_heads):
            dim = embed_dim * 2**i
            last = i == len(depths) - 1
            self.layers.append(
                Stage(
                    dim,
                    window_size,
                    heads,
                    rates[i].tolist(),
                    language_dim,
                    num_heads_fusion[i],
                    words_norm,
                    last,
                )
            )
            self.add_module(f"norm{i}", nn.LayerNorm(dim))
        for module in self.layers.modules():
            if isinstance(module, SwinBlock | PatchMerging):
                _initialise(module)

    def see(self, image: Tensor) -> ImageFeatures:
        """Patch embedding, stage 1's blocks, and stage 1's fusion as far as pixels alone go."""
        stage = self.layers[0]
        pixels = stage.blocks(self.patch_embed(image))
        return ImageFeatures(pixels, *stage.fusion.see(pixels.flatten(1, 2)))  # B×hw×C

    def forward(self, features: ImageFeatures, words: Tensor, mask: Tensor) -> list[Tensor]:
        """Each stage's fused map, float N×C×h×w, finest first, of words N×L×D, mask N×L×1."""
        x, visual, query = features
        maps = []
        for i, stage in enumerate(self.layers):
            if i:
                x = stage.blocks(x)
                visual, query = stage.fusion.see(x.flatten(1, 2))  # N×h×w×C → N×hw×C
            fused = stage.fusion(visual, query, words, mask).view(x.shape)  # N×hw×C → N×h×w×C
            normed = self.get_submodule(f"norm{i}")(fused)
            maps.append(normed.permute(0, 3, 1, 2))  # N×h×w×C → N×C×h×w, channels last in memory
            if stage.downsample is not None:
                x = stage.downsample(x + stage.res_gate(fused))
        return maps


class Decoder(nn.Module):
    """From the coarsest map up: upsample, join with the next finer map, two 3×3 convolutions."""

    def __init__(self, embed_dim: int, width: int) -> None:
        super().__init__()
        before = 8 * embed_dim
        for level in (4, 3, 2):  # named after the coarser of the two maps that are joined
            skip = embed_dim * 2 ** (level - 2)
            for k, inputs in ((1, before + skip), (2, width)):
                conv = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
                self.add_module(f"conv{k}_{level}", conv)
                self.add_module(f"bn{k}_{level}", nn.BatchNorm2d(width))
            before = width
        self.conv1_1 = nn.Conv2d(width, 2, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """float N×2×h×w logits at the finest of four maps, finest first."""
        x = maps[3]
        for level in (4, 3, 2):
            skip = maps[level - 2]
            x = F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=True)
            x = torch.cat([x, skip], dim=1)
            for k in (1, 2):
                x = self.get_submodule(f"conv{k}_{level}")(x)
                x = F.relu(self.get_submodule(f"bn{k}_{level}")(x))
        return self.conv1_1(x)


class LAVT(nn.Module):
    """Image and words → logits of background and object.

    Parameter names and shapes are those of the published checkpoints.

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
        )
        self.classifier = Decoder(embed_dim, decoder_dim or 4 * embed_dim)

    def see(self, image: Tensor) -> ImageFeatures:
        """The part that needs no words, of float B×3×H×W: once per image, for any expression."""
        return self.backbone.see(image)

    def read(self, features: ImageFeatures, text: Tensor, mask: Tensor) -> Tensor:
        """The part that needs words: logits float N×2×h×w at a quarter of the image's size.

        Args:
            features: of N images, see `ImageFeatures.repeat`.
            text: float N×D×L word features.
            mask: N×L×1, 1 for a word and 0 for padding.
        """
        return self.classifier(self.backbone(features, text.transpose(1, 2), mask))  # N×L×D

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
        features = self.see(image)
        if image_index is not None:
            features = features.repeat(image_index)
        logits = self.read(features, text, mask)
        return F.interpolate(logits, image.shape[2:], mode="bilinear", align_corners=True)


def _initialise(module: nn.Module) -> None:
    """Swin's initialisation of the linear layers below `module`."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
