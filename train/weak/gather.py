"""Shatter & Gather: referring segmentation with text supervision (Kim et al., ICCV 2023).

arXiv:2308.15512. A picture is shattered into entities, bottom up, and those that a sentence means
are gathered, top down.

Entity discovery. S slots x_s attend to the pixels v_i in turns (slot attention, Locatello et al.
2020). They compete for each pixel, and each takes the mean of its own:

    A_si = softmax_s(cos(k(x_s), k(v_i)) / τ')      x_s ← Σ_i A_si v_i / Σ_i A_si

They begin as pixels of the picture: as the one most like its mean, then each as the one least like
all before it. After the last turn each but the first is an entity; the first is the ground, which
no sentence means:

    u_s = Σ_i A_si v(v_i) / Σ_i A_si            e_s = u_s + MLP(u_s)

Fusion. A sentence t weighs the entities, and gathers an embedding of picture and sentence:

    r_s = softmax_s(q'(t) · k'(e_s) / √D)       e = Σ_s r_s v'(e_s)

Contrastive cycle-consistency. From its sentence through the entities and back: the embedding e_bn
of picture b and its sentence n finds t_n among all sentences, and t_n finds picture b among the
embeddings of n with all pictures:

    L = -log softmax_m(cos(e_bn, t_m) / τ)[n]  -  log softmax_c(cos(e_cn, t_n) / τ)[b]

Mask. Entities by their weights:  m_i = Σ_s r_s A_si.

Checked against the paper's abstract and the caption of its figure of the architecture: entities by
bottom-up attention, an initialization of slots of its own, relevance by top-down attention, the
contrastive cycle-consistency loss between the fused embeddings and the text's features, and a mask
of both attentions. The equations are written from what is known of the method. Ours: the numbers of
slots and turns and the temperatures, as configuration below; where slots begin, cosines, and means
alone between turns, where slot attention has products over √D and a GRU (with these and learned
starts the row "best entity" of `train tables` has an mIoU of 19 on RefSprites' val in place of 29);
the ground, without which sentences of people are answered with what surrounds these; a sentence
that is the same as another is not held against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.correct.predict import Corrector, preprocess
from train.weak.system import System, belonging

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOTS, TURNS = 8, 3
TEMPERATURE, SHARPNESS = 0.1, 0.03  # τ and τ'


def share_out(slots: Tensor, pixels: Tensor) -> Tensor:
    """A float B×S×P: how much of each pixel is each slot's; sums to 1 over the slots.

    Args:
        slots: float B×S×D, k of each.
        pixels: float B×P×D, k of each.
    """
    cosine = F.normalize(slots, dim=2) @ F.normalize(pixels, dim=2).transpose(1, 2)
    return (cosine / SHARPNESS).softmax(1)


def farthest(pixels: Tensor, number: int) -> Tensor:
    """int64 B×S: pixels of float B×P×D that are far apart, by their cosine."""
    pixels = F.normalize(pixels.detach(), dim=2)
    pictures = torch.arange(len(pixels), device=pixels.device)

    def likeness(vector: Tensor) -> Tensor:  # B×D → B×P
        return (pixels @ vector[:, :, None])[:, :, 0]

    chosen = [likeness(pixels.mean(1)).argmax(1)]
    near = likeness(pixels[pictures, chosen[0]])  # to the most like of those chosen
    while len(chosen) < number:
        # Of pixels that are all alike the first, whatever their last bits.
        chosen.append(near.clamp(max=1 - 1e-4).argmin(1))
        near = near.maximum(likeness(pixels[pictures, chosen[-1]]))
    return torch.stack(chosen, 1)


def gathered(relevance: Tensor, shares: Tensor) -> Tensor:
    """float N×P masks of float N×E relevance r and float N×E×P shares A, of E entities."""
    return (relevance[:, :, None] * shares).sum(1)


class Shatter(nn.Module):
    """Slot attention from pixels that are far apart.

    Args:
        dim: D, of pixels and slots.
        slots: S, with the ground's.
    """

    def __init__(self, dim: int, slots: int = SLOTS, turns: int = TURNS) -> None:
        super().__init__()
        self.slots, self.turns = slots, turns
        self.norm_pixels, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.k, self.v = (nn.Linear(dim, dim, bias=False) for _ in range(2))
        for part in (self.k, self.v):  # what is unlike stays so from the start
            nn.init.orthogonal_(part.weight)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Entities float B×E×D, E = S-1, and shares float B×S×P, of pixels float B×P×D.

        The first share is the ground's.
        """
        pixels = self.norm_pixels(pixels)
        k = self.k(pixels)
        start = farthest(pixels, self.slots)[:, :, None].expand(-1, -1, pixels.shape[2])
        slots = pixels.gather(1, start)
        for _ in range(self.turns):
            slots = _means(pixels, share_out(self.k(slots), k))
        shares = share_out(self.k(slots), k)
        taken = _means(self.v(pixels), shares[:, 1:])
        return taken + self.mlp(self.norm_mlp(taken)), shares


def _means(pixels: Tensor, shares: Tensor) -> Tensor:
    """float B×S×D: of float B×P×D pixels, by float B×S×P shares."""
    return shares @ pixels / (shares.sum(2, keepdim=True) + 1e-6)


class Gather(System):
    """Entities by slots, and sentences that gather them; arguments as `System`."""

    def __init__(
        self, lavt: dict[str, Any], bert: dict[str, Any], encoder: str | None = None
    ) -> None:
        super().__init__(lavt, bert, encoder)
        self.shatter = Shatter(self.dim)
        self.q, self.k, self.v = (nn.Linear(self.dim, self.dim, bias=False) for _ in range(3))

    def fuse(self, entity: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
        """r float B×N×E and e float B×N×D of all pictures' entities, B×E×D, and sentences, N×D."""
        logits = self.q(sentences) @ self.k(entity).transpose(1, 2) * self.dim**-0.5  # B×N×E
        relevance = logits.softmax(2)
        return relevance, relevance @ self.v(entity)

    def loss(
        self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor, same: Tensor
    ) -> Tensor:
        entity, _ = self.shatter(pixels.flatten(1, 2))  # B×h×w×D → B×P×D
        sentences = self.sentences(text, mask)
        _, embeddings = self.fuse(entity, sentences)
        return cycle_loss(embeddings, sentences, image_index, same)

    def see(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        entity, shares = self.shatter(pixels.flatten(1, 2))
        relevance, _ = self.fuse(entity, self.sentences(text, mask))  # B×N×E
        numbers = torch.arange(len(image_index), device=pixels.device)
        masks = gathered(relevance[image_index, numbers], shares[image_index, 1:])
        return masks.unflatten(1, pixels.shape[1:3])  # N×P → N×h×w


def cycle_loss(embeddings: Tensor, sentences: Tensor, image_index: Tensor, same: Tensor) -> Tensor:
    """L, the mean over all sentences.

    Args:
        embeddings: float B×N×D, e of each picture and sentence.
        sentences: float N×D, t.
        image_index: int64 N, the picture of each sentence.
        same: bool N×N, whether two sentences are the same.
    """
    n = torch.arange(len(sentences), device=sentences.device)
    e, t = F.normalize(embeddings, dim=2), F.normalize(sentences, dim=1)
    among_sentences = e[image_index, n] @ t.T / TEMPERATURE  # N×N
    twin = same & (n[:, None] != n)
    among_sentences = among_sentences.masked_fill(twin, -torch.inf)
    among_pictures = (e * t).sum(2).T / TEMPERATURE  # N×B
    own = belonging(same, image_index, len(embeddings)).T  # N×B
    others_own = own & (torch.arange(len(embeddings), device=n.device) != image_index[:, None])
    among_pictures = among_pictures.masked_fill(others_own, -torch.inf)
    return F.cross_entropy(among_sentences, n) + F.cross_entropy(among_pictures, image_index)


@torch.inference_mode()
def entities(corrector: Corrector, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool E×H×W: a picture's entities, each with the pixels of which it has the most.

    Args:
        corrector: with a `Gather`.
        image: RGB uint8 H×W×3.
    """
    model = corrector.model
    assert isinstance(model, Gather)
    pixels = model.embed(preprocess(torch.from_numpy(np.array(image))[None], corrector.size))
    _, shares = model.shatter(pixels.flatten(1, 2))  # B×h×w×D → B×P×D
    shares = shares.unflatten(2, pixels.shape[1:3])  # 1×S×P → 1×S×h×w
    shares = F.interpolate(shares, image.shape[:2], mode="bilinear", align_corners=True)
    owner = shares[0].argmax(0)
    return np.asarray(owner.numpy() == np.arange(1, shares.shape[1])[:, None, None])
