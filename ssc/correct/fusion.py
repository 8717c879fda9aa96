"""Fusion of words and pixels: LAVT's attention module and language gate (Yang et al. 2022).

Equations are those of "LAVT: Language-Aware Vision Transformer for Referring Image Segmentation"
(arXiv:2112.02244), section 3.1 and 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.correct.swin import attend

MASKED = -1e4  # added to a padding word's logit: its weight is 0, and float16 can hold it


class Pointwise(nn.Module):
    """A 1×1 convolution over B×T×C: a linear layer whose weight is shaped as a convolution's."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1))
        self.bias = nn.Parameter(torch.empty(outputs))
        bound = 1 / math.sqrt(inputs)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight[:, :, 0], self.bias)


class PixelNorm(nn.Module):
    """Instance normalisation without parameters: each channel of B×T×C over its T positions."""

    def forward(self, x: Tensor) -> Tensor:
        x32 = x.float()
        centred = x32 - x32.mean(1, keepdim=True)
        return (centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5)).to(x.dtype)


class PixelWordAttention(nn.Module):
    """Gathers for each pixel the words that matter to it (equations 1 to 5).

    Args:
        dim: channels of both.
        language_dim: channels of the words.
        heads: the attention's heads.
        words_norm: LAVT's normalisation of what was gathered, over the pixels. It takes away what
            all pixels gathered alike, such as the one noun of a short expression, and turns a
            fresh network's output into noise of full strength. Without it the module starts as
            nearly the constant 1, so that visual layers trained without words keep what they know.
    """

    def __init__(self, dim: int, language_dim: int, heads: int, words_norm: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.f_query = nn.Sequential(Pointwise(dim, dim), PixelNorm())
        self.f_key = nn.Sequential(Pointwise(language_dim, dim))
        self.f_value = nn.Sequential(Pointwise(language_dim, dim))
        last = Pointwise(dim, dim)
        self.W = nn.Sequential(last)
        if words_norm:
            self.W.append(PixelNorm())
        else:
            nn.init.ones_(last.bias)

    def forward(self, query: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Attends from pixels to words, at the weights' precision under autocast too: the pixels
        gather nearly the same, and the normalisation would magnify half precision's rounding.

        Args:
            query: float N×P×C, `f_query` of P pixels.
            words: float N×L×D.
            mask: N×L×1, 1 for a word and 0 for padding.

        Returns:
            float N×P×C.
        """
        with torch.autocast(query.device.type, enabled=False):
            dtype = next(self.f_key.parameters()).dtype
            return self._gather(query.to(dtype), words.to(dtype), mask)

    def _gather(self, query: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        c, split = query.shape[2], (self.heads, query.shape[2] // self.heads)
        key, value = self.f_key(words), self.f_value(words)
        value = value * mask.to(value.dtype)
        q, k, v = (x.unflatten(2, split).transpose(1, 2) for x in (query, key, value))
        bias = (1 - mask.to(q.dtype)).mul(MASKED).transpose(1, 2)[:, None]  # N×L×1 → N×1×1×L
        # q, k, v: N×h×(P or L)×d. The scale is that of all channels, as in equation 3.
        x = attend(q, k, v, bias, scale=c**-0.5)
        return self.W(x.transpose(1, 2).flatten(2))  # N×h×P×d → N×P×C


class Fusion(nn.Module):
    """The pixel-word attention module: F_i, pixels times what they gathered (equations 6 and 7)."""

    def __init__(self, dim: int, language_dim: int, heads: int, words_norm: bool = True) -> None:
        super().__init__()
        self.vis_project = nn.Sequential(Pointwise(dim, dim), nn.GELU())
        self.image_lang_att = PixelWordAttention(dim, language_dim, heads, words_norm)
        self.project_mm = nn.Sequential(Pointwise(dim, dim), nn.GELU())

    def forward(
        self, x: Tensor, words: Tensor, mask: Tensor, image_index: Tensor | None = None
    ) -> Tensor:
        """Fuses pixels and words.

        Args:
            x: float B×P×C, P pixels of B images.
            words: float N×L×D.
            mask: N×L×1, 1 for a word and 0 for padding.
            image_index: int64 N, the image of each expression; None for N = B in the same order.

        Returns:
            float N×P×C.
        """
        visual, query = self.vis_project(x), self.image_lang_att.f_query(x)
        if image_index is not None:  # what needs no words is computed once for an image
            visual, query = (part.index_select(0, image_index) for part in (visual, query))
        return self.project_mm(visual * self.image_lang_att(query, words, mask))


class Gate(nn.Sequential):
    """The language gate: how much of each fused channel enters the next stage (section 3.2)."""

    def __init__(self, dim: int) -> None:
        super().__init__(
            nn.Linear(dim, dim, bias=False),
            nn.ReLU(),
            nn.Linear(dim, dim, bias=False),
            nn.Tanh(),
        )

    def forward(self, fused: Tensor) -> Tensor:
        """float N×P×C to the same shape: what is added to the pixels."""
        return super().forward(fused) * fused
