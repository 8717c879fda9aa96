"""Batch normalisation over the pictures of all processes, on any device.

torch's own needs a GPU. With it two processes learn what one does with the same pictures.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist


class _Sum(torch.autograd.Function):
    """The sum over processes; so is its gradient, for each process's loss reads the sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` whose mean and variance while training are those of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        mean_so_far, variance_so_far = self.running_mean, self.running_var
        assert mean_so_far is not None  # these four are there by default
        assert variance_so_far is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        values = x.float()  # N×C×h×w
        total = _Sum.apply(torch.cat([values.sum((0, 2, 3)), values.new_tensor([x[:, 0].numel()])]))
        sums, count = total[:-1], total[-1].detach()
        mean = (sums / count)[:, None, None]  # C×1×1
        variance = _Sum.apply((values - mean).square().sum((0, 2, 3))) / count  # C
        with torch.no_grad():
            self.num_batches_tracked += 1
            mean_so_far.lerp_(mean.flatten(), self.momentum)
            variance_so_far.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)  # C
        normed = (values - mean) * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(x.dtype)


def synchronise(model: nn.Module) -> None:
    """Turns each `BatchNorm2d` of `model` into a `GlobalBatchNorm2d`; names and weights stay."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm2d
