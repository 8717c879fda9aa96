"""A toy for training: coloured squares, named by colour and side, and a store that often errs.

torchrun -m tests.train.toy OUT UPDATES    # one training on it in several processes
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from ssc.types import Candidates
from train.data import Picture, Referred, open_dataset
from train.fit.examples import Examples
from train.fit.loop import fit
from train.fit.options import Options
from train.pseudo import store as files
from train.pseudo.records import PseudoObject, PseudoPicture

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 220)}
SIZE = (32, 32)
CONFIG = {
    "lavt": {
        "embed_dim": 16,
        "depths": (1, 1, 1, 1),
        "num_heads": (1, 1, 2, 2),
        "window_size": 4,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 32,
        "decoder_dim": 16,
    },
    "bert": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
    "size": SIZE,
    "words": 6,
}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "square", *COLOURS)


class Squares:
    """Three squares, red, green and blue, of which two are referred to."""

    name = "squares"

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def picture_name(self, index):
        return f"squares-{index:03d}"

    def files(self):
        return iter(())

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng(index)
        image = rng.integers(90, 140, (48, 48, 3), np.uint8)
        masks = np.zeros((3, 48, 48), np.bool_)
        places = rng.permutation(9)[:3]
        for mask, place, colour in zip(masks, places, COLOURS.values()):
            y, x = 16 * (place // 3) + 2, 16 * (place % 3) + 2
            mask[y : y + 13, x : x + 13] = True
            image[mask] = colour
        two = rng.permutation(3)[:2]
        names = [list(COLOURS)[k] for k in two]
        objects = tuple(
            Referred(str(k), (f"{name} square", f"the {name}"), masks[k])
            for k, name in zip(two, names)
        )
        return Picture(f"squares-{index:03d}", image, objects, masks)


class Wrong:
    """S1 has all squares. S2 takes, for `share` of the pictures, the next square instead."""

    def __init__(self, data, share):
        self.data, self.share = data, share

    def __len__(self):
        return len(self.data)

    def name(self, index):
        return self.data[index].name

    def __getitem__(self, index):
        picture = self.data[index]
        shift = int(np.random.default_rng([index, 1]).random() < self.share)
        return tuple(
            SimpleNamespace(
                expressions=thing.expressions,
                candidates=SimpleNamespace(masks=picture.instances),
                chosen=(int(thing.name) + shift) % 3,
            )
            for thing in picture.objects
        )


def examples(cache, share=0.45, pictures=64, truth=False):
    data = Squares(pictures)
    store = None if truth else Wrong(data, share)
    return Examples.cached(data, store, SIZE, cache, workers=0, manifest=f"wrong {share}")


def tokenizer():
    from transformers import BertTokenizer

    return BertTokenizer({word: i for i, word in enumerate(WORDS)})


def model(dropout=0.1):
    from ssc.correct.predict import ReferringModel

    torch.manual_seed(0)
    config = {**CONFIG, "bert": {**CONFIG["bert"], "vocab_size": len(WORDS)}}
    bert = {
        **config["bert"],
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    return ReferringModel(config["lavt"], bert), config


def options(method, out, updates, **others):
    common = {
        "lr": 2e-3,
        "batch": 8,
        "epochs": 1,
        "warmup": 10,
        "clip": 5.0,
        "precision": "no",
        "expressions": 1 if method == "bootstrap" else 0,
        "save_every": 1000,
        "eval_every": 1000,
    }
    return Options(method=method, data="squares", out=out, steps=updates, **common | others)


def train(method, out, updates, cache, *, network=None, share=0.45, pictures=64, **others):
    """One training; returns the trained model."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    with accelerator.main_process_first():
        cached = examples(cache, share, pictures, truth=method == "supervised")
    start, config = model(others.pop("dropout", 0.1))
    return fit(
        options(method, out, updates, **others),
        cached,
        network or start,
        tokenizer(),
        config,
        accelerator,
    )


def run(out, updates, **others):
    """A bootstrap in a process of its own, which writes its state often."""
    torch.set_num_threads(1)
    train("bootstrap", out, updates, out.parent / "cache", save_every=3, **others)


def write_store(folder):
    """S1 and S2 of 64 pictures; the fifth could not be used, the last has an object without S1."""
    data = Squares(64)
    wrong = Wrong(data, 0.45)
    found = [_found(data[k], wrong[k]) for k in range(len(data))]
    found[4] = PseudoPicture(found[4].name, (0, 0), (), "broken")
    first, second = found[-1].objects
    lost = replace(second, candidates=Candidates.empty(*found[-1].size), chosen=-1)
    lost = replace(lost, similarity=np.zeros((2, 0), np.float32))
    found[-1] = replace(found[-1], objects=(first, lost))
    files.begin(folder, {"pictures": len(data)})
    for shard, start in enumerate(range(0, len(data), files.SHARD)):
        files.write_shard(folder, shard, found[start : start + files.SHARD])


def _found(picture, objects):
    masks = picture.instances
    n = len(masks)
    boxes = [[0, 0, *mask.shape[::-1]] for mask in masks]
    ones = np.ones(n, np.float32)
    found = Candidates(np.array(boxes, np.float32), ones, ("square",) * n, masks, ones)
    similarity = np.zeros((2, n), np.float32)
    return PseudoPicture(
        picture.name,
        masks.shape[1:],
        tuple(
            PseudoObject(thing.name, own.expressions, ("square",), found, similarity, own.chosen)
            for thing, own in zip(picture.objects, objects)
        ),
    )


def command(*argv):
    """`python -m train.fit`; `--data squares` are the squares, shards of a store are of eight."""
    from train.fit import __main__, initial

    torch.set_num_threads(1)
    files.SHARD = 8
    initial.open_dataset = lambda text: Squares(64) if text == "squares" else open_dataset(text)
    network, config = model()
    __main__.new_model = lambda *_: (network, tokenizer(), config)
    __main__.main(argv)


def run_calmly(out, updates):
    """The same, such that several processes learn what one does.

    It has LAVT's own rate, no dropout, and Adam without whole steps along gradients that are
    rounding and nothing else, such as those of a bias before a normalisation.
    """
    torch.optim.AdamW = partial(torch.optim.AdamW, eps=1e-5)
    run(out, updates, dropout=0.0, lr=5e-5)


if __name__ == "__main__":
    run_calmly(Path(sys.argv[1]), int(sys.argv[2]))
