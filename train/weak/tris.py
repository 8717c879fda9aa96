"""TRIS: referring image segmentation using text supervision (Liu et al., ICCV 2023).

arXiv:2308.14575. To find an object is to tell the sentences of a picture (positive) from those of
other pictures (negative). Pixels v_i and a sentence t are vectors of one space.

Bilateral prompts. Each side reads the other before they are compared, by cross-attention, and adds
what it read; û is u of length 1:

    t' = t̂ + ρ â,  a = Attention(t; v)        v'_i = v̂_i + ρ ŵ_i,  w_i = Attention(v_i; words)

Response map and classification. A sentence's score is the greatest response, smoothly, so that
all pixels have a gradient:

    R_i = γ cos(v'_i, t') + β        z = log (1/P) Σ_i exp(R_i)
    L_cls = BCE(z; 1 positive, 0 negative)

Calibration. With a_i = σ(R_i), what the map takes in is to answer the sentence, and what it leaves
out is not:

    f = Σ_i a_i v'_i / Σ_i a_i      g = Σ_i (1 - a_i) v'_i / Σ_i (1 - a_i)
    L_cal = -log σ(γ cos(f, t') + β) - log(1 - σ(γ cos(g, t') + β))          positive pairs
    L = L_cls + λ L_cal,    λ = 2 (mean σ(z) of positive - mean σ(z) of negative pairs) - 1, from 0

Selection. Of an object's K sentences the map is kept whose inside all K agree with best:

    k* = argmax_k (1/K) Σ_l cos(f_k, t'_l)

Second step. A segmenter is trained on the masks of the kept maps (`train.weak.maps`, then
`train.fit bootstrap`).

Checked against the paper's abstract, which has the classification of positive and negative
sentences, bilateral prompts, calibration against background, selection among the positive maps and
the second step; the equations are written from what is known of the method. Ours:

- the network's own pixels judge inside and outside, held fixed, where TRIS asks CLIP, which is
  fixed, about masked pictures;
- λ, which lets calibration in once sentences are told apart;
- a small ρ, as a sentence that has read the whole picture finds it in any of its pixels;
- γ and β are learned, and a sentence meets at most `NEGATIVES` pictures that are not its own.

What pooling, λ and ρ add is not measured.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.weak.system import System, belonging, classified

NEGATIVES = 3
HEADS = 4
SCALE, SHIFT = 10.0, -3.0  # γ and β at first
REACH = 0.1  # ρ


def pooled(response: Tensor) -> Tensor:
    """z float M of R float M×P."""
    return response.logsumexp(1) - math.log(response.shape[1])


def told_apart(scores: Tensor, positive: Tensor) -> Tensor:
    """λ in [0, 1] of z float M and bool M; without gradient."""
    chance = scores.detach().sigmoid()
    others = chance[~positive].mean() if not positive.all() else chance.new_ones(())
    return (2 * (chance[positive].mean() - others) - 1).clamp(min=0)


def calibration(
    pixels: Tensor, sentence: Tensor, response: Tensor, scale: Tensor, shift: Tensor
) -> Tensor:
    """float M: L_cal of M positive pairs.

    Args:
        pixels: float M×P×D, v'.
        sentence: float M×D, t'.
        response: float M×P, R.
        scale, shift: γ and β.
    """
    inside = response.sigmoid()
    f, g = (_mean(pixels, weight) for weight in (inside, 1 - inside))
    fore, back = (scale * F.cosine_similarity(own, sentence) + shift for own in (f, g))
    return F.softplus(-fore) + F.softplus(back)  # -log σ(x), -log(1 - σ(x))


def select_map(insides: Tensor, sentences: Tensor) -> int:
    """k*: which of an object's K maps is kept; float K×D both, f and t'."""
    agreement = F.normalize(insides, dim=1) @ F.normalize(sentences, dim=1).T  # K×K
    return int(agreement.mean(1).argmax())


class TRIS(System):
    """Text-to-image response maps; arguments as `System`."""

    def __init__(
        self, lavt: dict[str, Any], bert: dict[str, Any], encoder: str | None = None
    ) -> None:
        super().__init__(lavt, bert, encoder)
        self.look_up = nn.MultiheadAttention(self.dim, HEADS, batch_first=True)
        self.read_up = nn.MultiheadAttention(self.dim, HEADS, batch_first=True)
        self.scale = nn.Parameter(torch.tensor(SCALE))
        self.shift = nn.Parameter(torch.tensor(SHIFT))

    def respond(
        self, pixels: Tensor, text: Tensor, mask: Tensor, pictures: Tensor, sentences: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """v' float M×P×D, t' float M×D and R float M×P of M pairs of a picture and a sentence.

        Args:
            pixels, text, mask: as `System.see`.
            pictures, sentences: int64 M, numbers of the pairs.
        """
        v = pixels.flatten(1, 2)[pictures]  # B×h×w×D → M×P×D
        t = self.sentences(text, mask)[sentences, None]  # M×1×D
        words = text.transpose(1, 2)[sentences]  # N×D×L → M×L×D
        padding = mask[sentences, :, 0] == 0  # M×L
        seen = self.look_up(t, v, v, need_weights=False)[0]
        said = self.read_up(v, words, words, key_padding_mask=padding, need_weights=False)[0]
        t, v = (
            F.normalize(own, dim=2) + REACH * F.normalize(read, dim=2)
            for own, read in ((t, seen), (v, said))
        )
        response = self.scale * F.cosine_similarity(v, t, dim=2) + self.shift
        return v, t[:, 0], response

    def loss(
        self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor, same: Tensor
    ) -> Tensor:
        own = belonging(same, image_index, len(pixels))
        # Each sentence with its picture, then with the next ones of the batch, which is shuffled.
        count = min(NEGATIVES, len(pixels) - 1) + 1
        pictures = torch.cat([(image_index + k) % len(pixels) for k in range(count)])
        sentences = torch.arange(len(image_index), device=pixels.device).repeat(count)
        v, t, response = self.respond(pixels, text, mask, pictures, sentences)
        positive = own[pictures, sentences]
        judge = (v[positive].detach(), t[positive].detach())  # it moves the map alone
        judged = self.scale.detach(), self.shift.detach()
        calibrated = calibration(*judge, response[positive], *judged)
        scores = pooled(response)
        return classified(scores, positive) + told_apart(scores, positive) * calibrated.mean()

    def see(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        sentences = torch.arange(len(image_index), device=pixels.device)
        _, _, response = self.respond(pixels, text, mask, image_index, sentences)
        return response.unflatten(1, pixels.shape[1:3])  # N×P → N×h×w

    def kept(self, pixels: Tensor, text: Tensor, mask: Tensor) -> int:
        """Which of the K sentences of one object has the map to keep; pixels float 1×h×w×D."""
        sentences = torch.arange(len(text), device=pixels.device)
        v, t, response = self.respond(pixels, text, mask, torch.zeros_like(sentences), sentences)
        return select_map(_mean(v, response.sigmoid()), t)


def _mean(pixels: Tensor, weight: Tensor) -> Tensor:
    """float M×D: the mean of float M×P×D pixels under float M×P weights."""
    return (weight[:, :, None] * pixels).sum(1) / weight.sum(1, keepdim=True).clamp(min=1e-6)
