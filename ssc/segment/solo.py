"""SOLOv2 (Wang et al., NeurIPS 2020): a picture → masks of all its instances, at once.

Each cell of a grid says how likely the centre of an instance lies in it (category branch) and which
1×1 convolution draws that instance (kernel branch, §3.2) from mask features that all instances
share (§3.3). FreeSOLO (Wang et al., CVPR 2022) is this network, learned without any annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import Conv2dNormActivation, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

DIVISOR = 32  # of the picture's sides: the stride of the backbone's last features
GROUPS = 32  # of each group normalization
STAGES = (256, 512, 1024, 2048)  # channels of the ResNet's features, strides 4 to 32
FEATURES = 4  # pixels of the picture to one of the mask features
COORDINATES = 2


@dataclass(frozen=True)
class SoloConfig:
    """Sizes; those of FreeSOLO's published weights by default.

    Attributes:
        blocks: of the ResNet's four stages; (3, 4, 6, 3) is ResNet-50, the default ResNet-101.
        channels: of the feature pyramid.
        classes: that the category branch scores; FreeSOLO's two are both "an object".
        tower: channels of the category and kernel branches.
        depth: convolutions of each.
        mask: channels of the mask branch.
        kernel: weights of an instance's convolution, and channels of the mask features.
        grids: cells a side, for pyramid levels P2 to P6.
    """

    blocks: tuple[int, int, int, int] = (3, 4, 23, 3)
    channels: int = 256
    classes: int = 2
    tower: int = 512
    depth: int = 4
    mask: int = 128
    kernel: int = 256
    grids: tuple[int, int, int, int, int] = (40, 36, 24, 16, 12)


class Seen(NamedTuple):
    """What the network says of B pictures: of G cells of all grids, P2's first, row by row.

    Attributes:
        categories: float B×G×C logits.
        kernels: float B×G×E.
        strides: float G: pixels of the picture to one of the features that a cell is computed from.
        features: float B×E×h×w, a quarter of the picture's sides.
    """

    categories: Tensor
    kernels: Tensor
    strides: Tensor
    features: Tensor


class Solo(nn.Module):
    """ResNet, feature pyramid, and SOLOv2's three branches.

    Batch normalizations are frozen, as in detectron2, by which the weights were published.
    """

    def __init__(self, config: SoloConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SoloConfig()
        resnet = ResNet(Bottleneck, list(config.blocks), norm_layer=FrozenBatchNorm2d)
        stages = {f"layer{number}": f"P{number + 1}" for number in range(1, 5)}
        self.backbone = BackboneWithFPN(
            resnet, stages, list(STAGES), config.channels, extra_blocks=LastLevelMaxPool()
        )
        self.cells = Cells(config)
        self.masks = MaskFeatures(config)

    def forward(self, pixels: Tensor) -> Seen:
        """What is seen in normalized RGB pixels, float B×3×H×W, sides multiples of `DIVISOR`."""
        levels = list(self.backbone(pixels).values())  # P2 to P6, float B×C×H/2ⁿ×W/2ⁿ
        categories, kernels, strides = self.cells(levels)
        return Seen(categories, kernels, strides, self.masks(levels[:4]))


class Cells(nn.Module):
    """The category and the kernel branch, shared by all levels (§3.2)."""

    def __init__(self, config: SoloConfig) -> None:
        super().__init__()
        self.grids = config.grids
        first = config.channels, config.channels + COORDINATES
        towers = [_tower([own, *[config.tower] * config.depth]) for own in first]
        self.category_tower, self.kernel_tower = towers
        self.category = nn.Conv2d(config.tower, config.classes, 3, padding=1)
        self.kernel = nn.Conv2d(config.tower, config.kernel, 3, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """As of `Seen`: categories, kernels and strides.

        P2 is halved first, and P6 brought to P5's size, as the published weights were trained.
        """
        half = F.interpolate(levels[0], scale_factor=0.5, mode="bilinear", align_corners=False)
        last = _resized(levels[4], levels[3].shape[-2:])
        categories, kernels, strides = [], [], []
        for level, stride, grid in zip((half, *levels[1:4], last), (8, 8, 16, 32, 32), self.grids):
            placed = _resized(with_coordinates(level), (grid, grid))
            kernel = self.kernel(self.kernel_tower(placed))
            category = self.category(self.category_tower(placed[:, :-COORDINATES]))
            kernels.append(kernel.flatten(2).transpose(1, 2))  # B×E×S×S → B×S²×E
            categories.append(category.flatten(2).transpose(1, 2))  # B×C×S×S → B×S²×C
            strides.append(level.new_full((grid * grid,), stride))
        return torch.cat(categories, 1), torch.cat(kernels, 1), torch.cat(strides)


class MaskFeatures(nn.Module):
    """One map for all masks: P2 to P5 brought to P2's size and summed (§3.3)."""

    def __init__(self, config: SoloConfig) -> None:
        super().__init__()
        inputs = [config.channels] * 3 + [config.channels + COORDINATES]
        self.levels = nn.ModuleList(
            _tower([own, *[config.mask] * max(1, doublings)], doubled=doublings > 0)
            for doublings, own in enumerate(inputs)
        )
        self.merge = _convolution(config.mask, config.kernel, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """float B×E×h×w of the pyramid's P2 to P5; P5 is told where its pixels are."""
        *finer, coarsest = levels
        placed = [*finer, with_coordinates(coarsest)]
        total = sum(tower(level) for tower, level in zip(self.levels, placed))
        merged: Tensor = self.merge(total)
        return merged


def with_coordinates(level: Tensor) -> Tensor:
    """float B×C×h×w → B×(C + 2)×h×w: x, then y, of each pixel, from -1 to 1."""
    batch, _, h, w = level.shape
    y, x = (torch.linspace(-1, 1, side, device=level.device, dtype=level.dtype) for side in (h, w))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"))  # 2×h×w
    return torch.cat([level, places.expand(batch, -1, -1, -1)], 1)


def _tower(channels: Sequence[int], doubled: bool = False) -> nn.Sequential:
    """3×3 convolutions; `doubled`, each doubles its map's sides."""
    steps = [_convolution(a, b, 3) for a, b in pairwise(channels)]
    if doubled:
        for step in steps:
            step.append(nn.Upsample(scale_factor=2, mode="bilinear"))
    return nn.Sequential(*steps)


def _convolution(inputs: int, outputs: int, side: int) -> Conv2dNormActivation:
    return Conv2dNormActivation(inputs, outputs, side, norm_layer=partial(nn.GroupNorm, GROUPS))


def _resized(level: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(level, size=tuple(size), mode="bilinear", align_corners=False)
