"""Trains the mini CLIP on pictures in which one object is sharp, with captions, and on synonyms.

python -m train.mini clip --steps 3000 --batch 144 --scenes 9000 --seed 0
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ssc.clip import Clip
from ssc.models.bundled import MEAN, STD
from ssc.result import Result
from ssc.select import Select
from ssc.types import Candidates
from train.mini.captions import caption
from train.mini.loop import in_half, train
from train.scenes import Scene, render
from train.scenes.lexicon import LEXICON

SIZE = 96
SIGMAS = (5.0, 12.0, 25.0)  # px in a 320-px frame; 25 is the reverse blur's 50 in a 640-px one
BLURS = (0.1, 0.15, 0.15, 0.6)  # how often a picture is sharp all over, or blurred so
TEMPLATE = "a picture of {}"  # of class projection (paper §3.1)
CONTEXT = 24
MERGES = 3000
SYNONYMS = 64  # words a step
WORDS = [(word, k) for k, words in enumerate(LEXICON.values()) for word in words]


def config(vocab_size: int) -> dict[str, Any]:
    """The open_clip configuration; a file of it lies beside the weights."""
    return {
        "embed_dim": 192,
        "vision_cfg": {"image_size": SIZE, "layers": [1, 2, 2, 1], "width": 24},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocab_size,
            "width": 128,
            "heads": 4,
            "layers": 3,
        },
    }


def learn_merges(texts: list[str], path: Path) -> None:
    """Learns byte-pair merges and writes them as CLIP's tokenizer reads them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGES, min_frequency=2, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    merges = json.loads(bpe.to_str())["model"]["merges"]
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def _levels(args: tuple[int, int]) -> tuple[Scene, np.ndarray]:
    """A scene without its pixels, and uint8 4×SIZE×SIZE×3: sharp, and blurred by each σ."""
    scene = render("train", *args)
    h, w = scene.ids.shape
    sharp = cv2.resize(scene.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    blurred = [
        cv2.GaussianBlur(sharp, (0, 0), sigmaX=sigma * SIZE / w, sigmaY=sigma * SIZE / h)
        for sigma in SIGMAS
    ]
    light = Scene(scene.image[:0], scene.ids, scene.instances, scene.referred)
    return light, np.stack([sharp, *blurred])


class Pairs:
    """Picture–caption pairs from a pool of scenes rendered once."""

    def __init__(self, scenes: int, seed: int) -> None:
        with get_context("fork").Pool() as pool:
            jobs = ((k, seed + 1) for k in range(scenes))  # not the detector's scenes
            done = pool.imap(_levels, jobs, chunksize=64)
            self.scenes = list(tqdm(done, total=scenes, unit="scene", mininterval=5))

    def pair(self, rng: np.random.Generator, index: int, k: int) -> tuple[np.ndarray, str]:
        """Instance `k` sharp, the rest blurred to a random degree, and its caption."""
        scene, levels = self.scenes[index]
        mask = (scene.ids == k + 1).astype(np.float32)
        soft = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., None]
        rest = levels[rng.choice(len(levels), p=BLURS)].astype(np.float32)
        prompt = rest + soft * (levels[0] - rest)
        return prompt.astype(np.uint8), caption(rng, scene, k)

    def batch(self, step: int, size: int, seed: int) -> tuple[Tensor, list[str]]:
        """`size` pairs, two of each scene, of one class where it has two: the hard negatives."""
        rng = np.random.default_rng([seed, step])
        pictures, captions = [], []
        for index in rng.integers(len(self.scenes), size=size // 2).tolist():
            instances = self.scenes[index][0].instances
            first = int(rng.integers(len(instances)))
            category = instances[first].sprite.category
            others = [k for k in range(len(instances)) if k != first]
            same = [k for k in others if instances[k].sprite.category == category]
            for k in (first, int(rng.choice(same or others or [first]))):
                picture, text = self.pair(rng, index, k)
                pictures.append(picture)
                captions.append(text)
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)  # N×h×w×3 → N×3×h×w
        pixels = (pixels.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(
            3, 1, 1
        )
        return pixels, captions


def words_of(step: int, seed: int) -> list[tuple[str, int]]:
    """A step's synonyms with their classes, a class drawn in proportion to √(its words)."""
    rng = np.random.default_rng([seed, step, 1])
    counts = Counter(k for _, k in WORDS)
    weight = np.array([counts[k] ** -0.5 for _, k in WORDS])
    return [WORDS[i] for i in rng.choice(len(WORDS), SYNONYMS, p=weight / weight.sum())]


def _encode_text(model: Any, tokens: Tensor) -> Tensor:
    """`model.encode_text` without the columns of padding behind the longest text.

    The result is equal, as attention is causal and only the last token is read. In float32, since
    flash attention's backward pass in bfloat16 is slower on a CPU.
    """
    tokens = tokens[:, : int(tokens.argmax(1).max()) + 1]  # the end token has the highest number
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x)[torch.arange(len(tokens)), tokens.argmax(1)]  # N×L×W → N×W
    return x @ model.text_projection


def _within_scenes(logits: Tensor, same: Tensor) -> Tensor:
    """The contrastive loss between the two pictures and captions of each scene alone.

    Among all pairs of a batch, what tells two dogs of one scene apart counts for little. Without
    this loss the model hardly learns size.
    """
    pairs = torch.arange(len(logits)).view(-1, 2)  # S×2: both of a scene stand side by side
    blocks = logits[pairs[:, :, None], pairs[:, None, :]]  # S×2×2
    target = same[pairs[:, :, None], pairs[:, None, :]]
    target = target / target.sum(2, keepdim=True)  # symmetric, as equality is
    rows = F.cross_entropy(blocks.flatten(0, 1), target.flatten(0, 1))
    columns = F.cross_entropy(blocks.mT.flatten(0, 1), target.flatten(0, 1))
    return (rows + columns) / 2


def train_clip(
    steps: int, batch: int, scenes: int, seed: int, runs: Path, tokenizer_path: Path
) -> tuple[nn.Module, float]:
    """Trains from random weights; the tokenizer is learned first, from captions and synonyms."""
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer

    torch.manual_seed(seed)
    pairs = Pairs(scenes, seed)
    rng = np.random.default_rng(seed)
    sample = [pairs.pair(rng, k, 0)[1] for k in range(0, scenes, max(1, scenes // 4000))]
    if not (runs / "clip" / "state.pt").exists():  # ties are broken at random: learned once per run
        learn_merges(sample + 3 * [word for word, _ in WORDS], tokenizer_path)
    tokenizer = SimpleTokenizer(str(tokenizer_path), context_length=CONTEXT)
    model = CLIP(**config(tokenizer.vocab_size))
    class_prompts = tokenizer([TEMPLATE.format(name) for name in LEXICON])

    def batches(first: int) -> Iterator[Any]:
        for step in range(first, steps):
            pixels, captions = pairs.batch(step, batch, seed)
            yield pixels, captions, words_of(step, seed)

    def loss_of(model: Any, data: tuple) -> dict[str, Tensor]:
        pixels, captions, words = data
        with in_half(pixels.device):
            images = model.encode_image(pixels.contiguous(memory_format=torch.channels_last))
        prompts = tokenizer([TEMPLATE.format(word) for word, _ in words])
        texts = _encode_text(model, torch.cat([tokenizer(captions), prompts, class_prompts]))
        scale = model.logit_scale.exp().clamp(max=100)
        images, texts = F.normalize(images.float(), dim=1), F.normalize(texts.float(), dim=1)
        texts, synonyms, classes = texts.split([len(captions), len(words), len(LEXICON)])
        same = torch.tensor([[a == b for a in captions] for b in captions]).float()
        target = same / same.sum(1, keepdim=True)  # equal captions fit each other's pictures
        logits = scale * images @ texts.T  # N×N
        contrast = F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)
        labels = torch.tensor([k for _, k in words])
        return {
            "contrast": contrast / 2,
            "within": _within_scenes(logits, same),
            "synonyms": 0.5 * F.cross_entropy(scale * synonyms @ classes.T, labels),
        }

    return train(model, loss_of, batches, steps, runs / "clip", lr=1.5e-3, weight_decay=0.05)


def measure(clip: Clip, count: int, seed: int) -> dict[str, float]:
    """Choice accuracy by kind of expression among the true masks of the class, on `count` val
    scenes, each beside chance; and the share of the synonyms that project to their class."""
    select = Select(clip)
    right: dict[str, list[bool]] = {}
    chance: dict[str, list[float]] = {}
    for index in range(count):
        scene = render("val", index, seed)
        for k, expressions in scene.referred.items():
            category = scene.instances[k].sprite.category
            same = [i for i, x in enumerate(scene.instances) if x.sprite.category == category]
            ones = np.ones(len(same), np.float32)
            labels = (category,) * len(same)
            candidates = Candidates(scene.boxes[same], ones, labels, scene.masks[same], ones)
            results = [Result((e.text,), (), candidates) for e in expressions]
            for expression, result in zip(expressions, select(scene.image, results)):
                assert result.selection is not None
                chosen = same[result.selection.index]
                right.setdefault(expression.kind, []).append(chosen == k)
                chance.setdefault(expression.kind, []).append(1 / len(same))
    figures = {}
    for kind in sorted(right):
        figures[f"choice accuracy, {kind}"] = float(np.mean(right[kind]))
        figures[f"chance, {kind}"] = float(np.mean(chance[kind]))
    classes = clip.encode_text([TEMPLATE.format(name) for name in LEXICON])
    words = clip.encode_text([TEMPLATE.format(word) for word, _ in WORDS])
    nearest = (words @ classes.T).argmax(1)
    figures["synonyms on their class"] = float(np.mean(nearest == [k for _, k in WORDS]))
    return figures
