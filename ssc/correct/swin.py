"""The parts of a Swin Transformer (Liu et al. 2021, arXiv:2103.14030) on B×H×W×C feature maps.

Parameter names are those of Swin checkpoints. As there, each window size that does not divide the
map is met by zero padding at the right and bottom, which comes before the cyclic shift and takes
part in the attention.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float | None = None) -> Tensor:
    """Scaled dot-product attention.

    Args:
        q: float B×h×Q×d.
        k, v: float B×h×K×d.
        bias: added to the logits; any dtype, broadcastable to B×h×Q×K.
        scale: of the logits; None for 1/√d.

    Returns:
        float B×h×Q×d.
    """
    bias = bias.to(q.dtype)
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, bias, scale=scale)
    # Written out on CPU, where it is rounded as the published logits are. Fused, the golden vectors
    # are missed by 1.1e-4: LAVT normalises what the words gave over the pixels, which nearly agree,
    # and so magnifies rounding. For small windows and while training it is the faster too, a tenth
    # of a step of the mini model in bfloat16; for windows of 12 it costs up to 2.7 times the fused
    # kernel's time.
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    logits = (q * scale) @ k.transpose(-2, -1) + bias
    return torch.softmax(logits, dim=-1).to(v.dtype) @ v


class Mlp(nn.Module):
    """Two linear layers with GELU between them, four times as wide inside."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class WindowAttention(nn.Module):
    """Self-attention inside each window, with a learned bias per relative position and head."""

    relative_position_index: Tensor

    def __init__(self, dim: int, window: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", _relative_positions(window))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Attends within windows.

        Args:
            x: float B×M×T×C, M windows of T positions.
            mask: float M×T×T, added to the attention's logits; None where nothing is masked.

        Returns:
            float B×M×T×C.
        """
        b, m, t, c = x.shape
        qkv = self.qkv(x).view(b, m, t, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # B×M×T×3×h×d → 3 of B×M×h×T×d
        index = self.relative_position_index.view(-1)  # T×T → T²
        bias = self.relative_position_bias_table[index].view(t, t, -1).permute(2, 0, 1)  # h×T×T
        if mask is None:
            q, k, v = (part.flatten(0, 1) for part in (q, k, v))  # BM×h×T×d, one bias for all
        else:  # each window has its own mask: windows count as heads, so that B shares the biases
            q, k, v = (part.flatten(1, 2) for part in (q, k, v))  # B×Mh×T×d
            bias = (bias + mask[:, None]).flatten(0, 1)  # M×h×T×T → Mh×T×T
        x = attend(q, k, v, bias[None])
        x = x.view(b, m, self.heads, t, c // self.heads)
        return self.proj(x.transpose(2, 3).reshape(b, m, t, c))  # B×M×h×T×d → B×M×T×C


class SwinBlock(nn.Module):
    """Attention within windows, shifted by half a window in every second block, then an MLP.

    Args:
        dim: channels.
        window: side of a window.
        heads: attention heads.
        shift: cyclic shift in positions, 0 or half a window.
        drop_path: chance in [0, 1) that a sample skips a branch while training.
    """

    def __init__(self, dim: int, window: int, heads: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.window, self.shift, self.drop_path = window, shift, drop_path
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """float B×H×W×C to the same shape."""
        x = x + self._skip(self._attend(self.norm1(x)))
        return x + self._skip(self.mlp(self.norm2(x)))

    def _attend(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        s = self.window
        x = F.pad(x, (0, 0, 0, -w % s, 0, -h % s))
        high, wide = x.shape[1:3]
        mask = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
            mask = shift_mask(high, wide, s, self.shift, x.device)
        x = x.view(b, high // s, s, wide // s, s, c).transpose(2, 3)  # B×H/s×W/s×s×s×C
        x = self.attn(x.reshape(b, high * wide // s**2, s * s, c), mask)  # B×M×T×C
        x = x.view(b, high // s, wide // s, s, s, c).transpose(2, 3)  # B×H/s×s×W/s×s×C
        x = x.reshape(b, high, wide, c)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, :h, :w]

    def _skip(self, branch: Tensor) -> Tensor:
        if not self.training or not self.drop_path:
            return branch
        keep = 1 - self.drop_path
        survival = branch.new_empty(len(branch), 1, 1, 1).bernoulli_(keep)
        return branch * (survival / keep)


class PatchEmbed(nn.Module):
    """Image → one normalised vector per 4×4 patch; the image is zero padded to whole patches."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=4, stride=4)
        self.norm = nn.LayerNorm(dim)

    def forward(self, image: Tensor) -> Tensor:
        """float B×3×H×W to float B×⌈H/4⌉×⌈W/4⌉×C."""
        h, w = image.shape[2:]
        x = self.proj(F.pad(image, (0, -w % 4, 0, -h % 4)))
        return self.norm(x.permute(0, 2, 3, 1))  # B×C×h×w → B×h×w×C


class PatchMerging(nn.Module):
    """Each 2×2 neighbourhood into one vector of twice the channels; odd sizes are zero padded."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """float B×H×W×C to float B×⌈H/2⌉×⌈W/2⌉×2C."""
        b, h, w, c = x.shape
        x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        h, w = (h + 1) // 2, (w + 1) // 2
        x = x.view(b, h, 2, w, 2, c).permute(0, 1, 3, 4, 2, 5)  # the two rows side by side
        return self.reduction(self.norm(x.reshape(b, h, w, 4 * c)))  # B×h×w×2×2×C → B×h×w×4C


def _relative_positions(window: int) -> Tensor:
    """int64 T×T of T = window² positions: the row of the bias table for each pair."""
    axis = torch.arange(window)
    y, x = axis.repeat_interleave(window), axis.repeat(window)  # each T
    dy, dx = y[:, None] - y, x[:, None] - x  # T×T
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


@lru_cache(maxsize=64)  # four stages of a few sizes; a mask of Swin-B at 480 pixels has 8 MB
def shift_mask(height: int, width: int, window: int, shift: int, device: torch.device) -> Tensor:
    """The mask that keeps what the cyclic shift brought together from attending to each other.

    Args:
        height, width: of the padded map, multiples of `window`.
        window, shift: in positions.
        device: where the mask is made and kept.

    Returns:
        float32 M×T×T for M windows of T = window² positions: 0 where both positions of a pair
        were neighbours before the shift, -100 elsewhere.
    """
    with torch.inference_mode(False):  # kept for training also where inference came first
        bands = []
        for length in (height, width):
            i = torch.arange(length, device=device)
            bands.append((i >= length - window).long() + (i >= length - shift).long())
        region = 3 * bands[0][:, None] + bands[1]  # H×W, nine regions at most
        region = region.view(height // window, window, width // window, window).transpose(1, 2)
        region = region.reshape(-1, window * window)  # H/s×W/s×s×s → M×T
        return (region[:, :, None] != region[:, None]).float() * -100
