"""Published image encoders for the text-supervised systems, in place of LAVT's visual layers.

CLIP's ResNet-50 is TRIS' own; of vision transformers, CLIP's ViT-B/16 stands for TSEG's. Their
weights are those that `python -m ssc models --download` brings.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.clip import build_clip, load_clip
from ssc.correct.predict import CELL, MEAN, STD
from ssc.models.parts import WEIGHTS
from ssc.weights.downloads import download
from train.weak.names import ENCODERS


class Encoder(nn.Module):
    """The image side of a published CLIP, as maps; it is not trained.

    Args:
        name: of `ENCODERS`.
        weights: reads the published weights, downloaded where they are not here; else the network
            is left for a checkpoint to fill.

    Attributes:
        widths: channels of each map, finest first.
        cell: pixels that a cell of the finest one is wide and high.

    Raises:
        DownloadError, WeightsError: as `download` and `load_clip`.
    """

    def __init__(self, name: str, *, weights: bool = False) -> None:
        super().__init__()
        if weights:
            download(WEIGHTS[name])
            clip = load_clip(ENCODERS[name], WEIGHTS[name][0].path)
        else:
            clip = build_clip(ENCODERS[name])
        self.visual = visual = clip.model.visual
        self.mean, self.std = clip.mean, clip.std
        self.convolves = hasattr(visual, "layer1")
        if self.convolves:
            del visual.layer4, visual.attnpool  # a cell of the coarsest map holds whole objects
            layers = visual.layer1, visual.layer2, visual.layer3
            self.widths = tuple(layer[-1].conv3.out_channels for layer in layers)
            self.cell = CELL
        else:
            del visual.proj, visual.ln_post
            self.widths, self.cell = (visual.conv1.out_channels,), visual.conv1.stride[0]
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> Encoder:
        """Stays in evaluation: statistics of its norms are published, too."""
        return super().train(False)

    def look(self, image: Tensor) -> list[Tensor]:
        """Maps float B×C×h×w of image float B×3×H×W as `preprocess` gives it, finest first."""
        mean, std, own_mean, own_std = (
            image.new_tensor(x).view(3, 1, 1) for x in (MEAN, STD, self.mean, self.std)
        )
        image = (image * std + mean - own_mean) / own_std
        if not self.convolves:
            return [self._attend(image)]
        maps = [self.visual.layer1(self.visual.stem(image))]
        for layer in (self.visual.layer2, self.visual.layer3):
            maps.append(layer(maps[-1]))
        return maps

    def _attend(self, image: Tensor) -> Tensor:
        """The last tokens of a vision transformer, at any size of picture."""
        visual = self.visual
        patches = visual.conv1(image)  # B×D×h×w
        grid = patches.shape[2:]
        first = visual.class_embedding.expand(len(image), 1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], 1)  # B×(1+hw)×D
        tokens = visual.ln_pre(tokens + resized(visual.positional_embedding, grid))
        return visual.transformer(tokens)[:, 1:].transpose(1, 2).unflatten(2, grid)


def resized(embedding: Tensor, grid: torch.Size) -> Tensor:
    """float (1+hw)×D: positions for a grid of h×w of float (1+g²)×D for a square one."""
    side = round((len(embedding) - 1) ** 0.5)
    if tuple(grid) == (side, side):
        return embedding
    square = embedding[1:].T.unflatten(1, (side, side))[None]  # 1×D×g×g
    fitted = F.interpolate(square, tuple(grid), mode="bicubic", antialias=True)[0].flatten(1).T
    return torch.cat([embedding[:1], fitted])
