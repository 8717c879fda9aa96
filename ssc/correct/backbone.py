"""LAVT's backbone (Yang et al. 2022, section 3): a Swin Transformer that reads at each stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ssc.correct.fusion import Fusion, Gate
from ssc.correct.swin import PatchEmbed, PatchMerging, SwinBlock


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
        positions: bool,
        last: bool,
    ) -> None:
        super().__init__()
        self.position = nn.Linear(2, dim) if positions else None
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

    def forward(
        self, x: Tensor, words: Tensor, mask: Tensor, image_index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Looks at the pixels, reads the words, and passes both on.

        Args:
            x: float B×h×w×C, pixels of B images.
            words: float N×L×D, words of N expressions.
            mask: N×L×1, 1 for a word and 0 for padding.
            image_index: int64 N, the image of each expression; None for N = B in the same order.

        Returns:
            The fused map, float N×h×w×C, and the next stage's pixels, float N×⌈h/2⌉×⌈w/2⌉×2C;
            after the last stage the fused map again.
        """
        return self.fuse(self.blocks(x), words, mask, image_index)

    def locate(self, x: Tensor) -> Tensor:
        """Adds each pixel's place to float B×h×w×C, in a network that has places."""
        if self.position is None:
            return x
        return x + self.position(places(x.shape[1], x.shape[2], x.device))

    def fuse(
        self, x: Tensor, words: Tensor, mask: Tensor, image_index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` after the Swin blocks, which need no words."""
        x = self.locate(x)
        fused = self.fusion(x.flatten(1, 2), words, mask, image_index)  # B×h×w×C → N×hw×C
        if image_index is not None:
            x = x.index_select(0, image_index)
        fused = fused.view(x.shape)  # N×hw×C → N×h×w×C
        if self.downsample is None:
            return fused, fused
        return fused, self.downsample(x + self.res_gate(fused))


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
        positions: bool,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(embed_dim)
        rates = torch.linspace(0, drop_path, sum(depths), device="cpu").split(list(depths))
        self.layers = nn.ModuleList(
            Stage(
                embed_dim * 2**i,
                window_size,
                heads,
                rates[i].tolist(),
                language_dim,
                num_heads_fusion[i],
                words_norm,
                positions,
                last=i == len(depths) - 1,
            )
            for i, heads in enumerate(num_heads)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dim * 2**i) for i in range(len(depths)))
        for module in self.layers.modules():
            if isinstance(module, SwinBlock | PatchMerging):
                _initialise(module)

    def forward(
        self, image: Tensor, words: Tensor, mask: Tensor, image_index: Tensor | None = None
    ) -> list[Tensor]:
        """Each stage's fused map, float N×C×h×w, finest first; arguments as `LAVT.forward`, but
        words float N×L×D."""
        x = self.patch_embed(image)
        first, x = self.first(x, words, mask, image_index)
        return self._maps(first, x, words, mask)

    def look(self, image: Tensor) -> list[Tensor]:
        """Each stage's map of an image float B×3×H×W without words, float B×C×h×w, finest first.

        The words' factor in each fusion is 1.
        """
        x = self.patch_embed(image)
        maps = []
        stage: Any  # of a ModuleList, whose items have no type of their own
        for stage, norm in zip(self.layers, self.norms):
            x = stage.locate(stage.blocks(x))
            fused = stage.fusion.project_mm(stage.fusion.vis_project(x.flatten(1, 2)))
            fused = fused.view(x.shape)  # B×hw×C → B×h×w×C
            maps.append(norm(fused).permute(0, 3, 1, 2))  # B×h×w×C → B×C×h×w
            if stage.downsample is not None:
                x = stage.downsample(x + stage.res_gate(fused))
        return maps

    def embed(self, image: Tensor) -> Tensor:
        """float B×h×w×C, stage 1's Swin blocks: what an image gives before any word is read."""
        return self.first.blocks(self.patch_embed(image))

    def read(
        self, pixels: Tensor, words: Tensor, mask: Tensor, image_index: Tensor
    ) -> list[Tensor]:
        """As `forward`, of what `embed` gave."""
        first, x = self.first.fuse(pixels, words, mask, image_index)
        return self._maps(first, x, words, mask)

    @property
    def first(self) -> Stage:
        """The stage that reads many expressions of one image; later ones have a map for each."""
        return cast(Stage, self.layers[0])

    def _maps(self, first: Tensor, x: Tensor, words: Tensor, mask: Tensor) -> list[Tensor]:
        """All stages' maps of the first one's, float N×h×w×C, and the second one's pixels."""
        maps = [first]
        for stage in self.layers[1:]:
            fused, x = stage(x, words, mask)
            maps.append(fused)
        # N×h×w×C → N×C×h×w, channels last in memory
        return [norm(fused).permute(0, 3, 1, 2) for norm, fused in zip(self.norms, maps)]


def places(height: int, width: int, device: torch.device) -> Tensor:
    """float h×w×2, the row and column of each pixel of a map, from -1 to 1 over the frame."""
    rows, columns = (
        torch.linspace(-1, 1, count, device=device) if count > 1 else torch.zeros(1, device=device)
        for count in (height, width)
    )
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)


def _initialise(module: nn.Module) -> None:
    """Swin's initialisation of the linear layers below `module`."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
