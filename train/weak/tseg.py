"""TSEG: weakly-supervised segmentation of referring expressions (Strudel, Laptev, Schmid 2022).

arXiv:2205.04725. Patches x_i and sentences t_j are vectors of one space, and s_ij = x_i · t_j says
how well they go together. A sentence's score in a picture comes from the patches that it is
assigned, and is trained to tell whether the sentence belongs to the picture.

Multi-label patch assignment. In the plain softmax over all sentences and the background b

    m_ij = exp(s_ij) / (exp(b) + Σ_k exp(s_ik))

a patch has one sentence only, though "man" and "the one in red" may both mean it. Here the
sentences of a picture do not compete with each other, but only with the background and with
sentences N of other pictures:

    m_ij = exp(s_ij) / (exp(b) + exp(s_ij) + Σ_{k ∈ N} exp(s_ik))        j of the picture

Score. A normalised weighted pooling over the patches, and a penalty of masks that are nearly empty
(Araslanov & Roth, CVPR 2020, "Single-stage semantic segmentation from image labels", equations 3
to 5), where m̄_j is the mean of m_ij over i:

    z_j = Σ_i m_ij s_ij / (ε + Σ_i m_ij)  +  (1 - m̄_j)^p · log(λ + m̄_j)

Loss. Binary cross-entropy of z_j: 1 for the picture's own sentences, 0 for others.

Checked against the paper's abstract, which has patch-text similarities, a classification of
sentences and the multi-label patch assignment; its equations are written from what is known of the
method. Ours: patches are a quarter of the picture's size; the background's b is learned; positive
and negative pairs count half each; p, as below.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from train.weak.system import System, belonging, classified

EPSILON = 1.0  # ε: patches; keeps the score of a sentence with no patch at 0
FOCUS, FLOOR = 10.0, 0.01  # p and λ
"""Araslanov & Roth have a p of 3, for pictures that an object fills. Referred objects are small:
with 3, masks of objects of 4 % of RefSprites' pictures grow over 80 % of them. With 10, a mask of a
fifth of the picture is as good as free; with 25, sentences without any mask stay without."""


def assign_patches(similarity: Tensor, background: Tensor, own: Tensor) -> Tensor:
    """Multi-label patch assignment: m_ij of one or many pictures.

    Args:
        similarity: float B×P×N, s of each patch and sentence.
        background: float scalar, b.
        own: bool B×N, whether a sentence is the picture's own.

    Returns:
        float B×P×N in (0, 1). A sentence of another picture competes with all.
    """
    ours = own[:, None, :]  # B×1×N
    fixed = background.expand(*similarity.shape[:2], 1)  # B×P×1
    others = similarity.masked_fill(ours, -torch.inf)
    against = torch.cat([fixed, others], 2).logsumexp(2, keepdim=True)  # background and N
    every = torch.cat([fixed, similarity], 2).logsumexp(2, keepdim=True)
    total = torch.where(ours, torch.logaddexp(against, similarity), every)
    return (similarity - total).exp()


def pooled(similarity: Tensor, assigned: Tensor) -> Tensor:
    """float B×N: each sentence's score z in each picture, of float B×P×N s and m."""
    score = (assigned * similarity).sum(1) / (EPSILON + assigned.sum(1))
    share = assigned.mean(1)  # m̄
    return score + (1 - share) ** FOCUS * (FLOOR + share).log()


class TSEG(System):
    """Patches and sentences by their products; arguments as `System`."""

    def __init__(
        self, lavt: dict[str, Any], bert: dict[str, Any], encoder: str | None = None
    ) -> None:
        super().__init__(lavt, bert, encoder)
        self.background = nn.Parameter(torch.ones(()))

    def similarity(self, pixels: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """float B×P×N: s of every patch, P = hw, and every sentence."""
        patches, sentences = pixels.flatten(1, 2), self.sentences(text, mask)  # B×h×w×D → B×P×D
        return patches @ sentences.T * self.dim**-0.5

    def loss(
        self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor, same: Tensor
    ) -> Tensor:
        own = belonging(same, image_index, len(pixels))
        similarity = self.similarity(pixels, text, mask)
        assigned = assign_patches(similarity, self.background, own)
        return classified(pooled(similarity, assigned), own)

    def see(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        """s of each patch: of a sentence alone, as background and it are all that compete."""
        sentences = self.sentences(text, mask)  # N×D
        own = pixels[image_index]  # N×h×w×D
        return torch.einsum("nhwd,nd->nhw", own, sentences) * self.dim**-0.5
