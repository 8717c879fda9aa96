"""What the text-supervised systems share: pixels and sentences in one space, and their training.

Each system learns from which sentences belong to a picture and which to other pictures of the
batch. It is called as `ReferringModel` is, so that the loop, batches and checkpoints of `train.fit`
train it: in training it returns its loss, in evaluation logits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.correct.predict import ReferringModel
from train.weak.encoders import Encoder

LEVELS = 3  # of four: a cell of the coarsest is larger than most objects
SURE = 1e-4  # probabilities are this far from 0 and 1, so that their logits are finite


class System(ReferringModel, ABC):
    """A text-supervised system on LAVT's visual layers and BERT.

    Its weights begin as LAVT's do, so that a comparison with stage 3 is of the training alone. The
    visual layers stay as they begin: a sentence says what is in a picture and not where, and layers
    that see all of it, trained on that alone, answer it with any of their cells. What LAVT has for
    words in its visual layers, and its decoder, is not used.

    Args:
        lavt, bert: as `ReferringModel`.
        encoder: of `train.weak.names.ENCODERS`, in place of LAVT's visual layers.
    """

    def __init__(
        self, lavt: dict[str, Any], bert: dict[str, Any], encoder: str | None = None
    ) -> None:
        super().__init__(lavt, bert)
        self.dim = dim = int(lavt["language_dim"])
        self.lavt.requires_grad_(False)
        norms = self.lavt.backbone.norms[:LEVELS]
        widths: Sequence[int] = [len(next(norm.parameters())) for norm in norms]
        self.encoder: Encoder | None = None
        if encoder is not None:
            del self.lavt  # nothing of it is used
            self.encoder = Encoder(encoder)
            widths, self.cell = self.encoder.widths, self.encoder.cell
        self.levels = nn.ModuleList(nn.Linear(width, dim) for width in widths)
        self.sentence = nn.Linear(dim, dim)

    def embed(self, image: Tensor) -> Tensor:
        """float B×h×w×D of image float B×3×H×W: a quarter of its size, or what `cell` says.

        The finer maps of the visual layers, each through a linear layer, added at the finest size.
        """
        seen = self.encoder.look(image) if self.encoder else self.lavt.backbone.look(image)
        finest, *coarser = (
            level(own.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # B×C×h×w → B×D×h×w
            for level, own in zip(self.levels, seen)
        )
        for own in coarser:
            finest = finest + F.interpolate(own, finest.shape[2:], mode="bilinear")
        return finest.permute(0, 2, 3, 1)  # B×D×h×w → B×h×w×D

    def sentences(self, text: Tensor, mask: Tensor) -> Tensor:
        """float N×D: the mean of each sentence's words; text float N×D×L and mask N×L×1."""
        weight = mask.transpose(1, 2).to(text.dtype)  # N×L×1 → N×1×L
        return self.sentence((text * weight).sum(2) / weight.sum(2))

    def forward(
        self,
        image: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        image_index: Tensor | None = None,
    ) -> Tensor:
        """In training the loss, a scalar; in evaluation float N×2×H×W logits.

        Arguments as `ReferringModel.forward`.
        """
        if image_index is None:
            image_index = torch.arange(len(image), device=image.device)
        text, mask = self.words(input_ids, attention_mask)
        pixels = self.embed(image)
        if self.training:
            same = (input_ids[:, None] == input_ids).all(2)  # N×N
            with torch.autocast(image.device.type, enabled=False):  # sums over all pixels
                return self.loss(pixels.float(), text.float(), mask, image_index, same)
        logits = self.read(pixels, text, mask, image_index)
        return F.interpolate(logits, image.shape[2:], mode="bilinear", align_corners=True)

    def read(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        """float N×2×h×w logits of what `embed` and `words` gave."""
        with torch.autocast(pixels.device.type, enabled=False):
            seen = rectified(self.see(pixels.float(), text.float(), mask, image_index))
        seen = seen.clamp(SURE, 1 - SURE)
        return torch.stack([(1 - seen).log(), seen.log()], 1)  # N×2×h×w

    @abstractmethod
    def see(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        """float N×h×w: how much each sentence means each place, against others of its picture.

        Args:
            pixels: float B×h×w×D, of `embed`.
            text, mask: float N×D×L and N×L×1, of `words`.
            image_index: int64 N, the picture of each sentence.
        """

    @abstractmethod
    def loss(
        self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor, same: Tensor
    ) -> Tensor:
        """The system's loss, a scalar; arguments as `see`.

        Args:
            same: bool N×N, whether two sentences are the same word for word.
        """


def rectified(response: Tensor) -> Tensor:
    """float N×h×w in [0, 1]: what is above the picture's mean, in shares of its peak.

    What is trained on pictures as wholes has no level from which a place is meant; class activation
    maps are rectified likewise.
    """
    above = response - response.mean((1, 2), keepdim=True)
    return above.clamp(min=0) / above.amax((1, 2), keepdim=True).clamp(min=SURE)


def belonging(same: Tensor, image_index: Tensor, pictures: int) -> Tensor:
    """bool B×N: whether a sentence is one of a picture's own.

    One that another picture has too, word for word, belongs to both: "left man" is no negative of a
    picture of which it is said.

    Args:
        same: bool N×N, whether two sentences are the same.
        image_index: int64 N, the picture that each sentence comes from.
        pictures: B.
    """
    comes_from = F.one_hot(image_index, pictures).float()  # N×B
    return comes_from.T @ same.float() > 0


def classified(scores: Tensor, own: Tensor) -> Tensor:
    """Binary cross-entropy of scores: 1 for a picture's own sentences, 0 for others.

    Positive and negative pairs count half each, as a batch has far more of the latter.

    Args:
        scores: float logits of any shape.
        own: bool of the same shape.
    """
    each = F.binary_cross_entropy_with_logits(scores, own.float(), reduction="none")
    parts = [each[own], each[~own]]
    return sum((part.mean() for part in parts if len(part)), each.new_zeros(())) / 2
