"""`train.pseudo` on toy pictures and stages."""

import os
import time

import numpy as np

from ssc.errors import InputError
from ssc.result import Result
from ssc.select import Select
from ssc.types import Candidates, ClassMatch
from train.data import Picture, Referred
from train.data.places import place_of
from train.pseudo import make as pseudo
from train.pseudo import store


class Toys:
    name = "toys"

    def __init__(self, log):
        self.log = log

    def __len__(self):
        return 22

    def picture_name(self, index):
        return f"toy-{index}"

    def __getitem__(self, index):
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()} {index}\n")
        if index == 13:
            raise InputError("toy-13: expected a picture, got none")
        image = np.random.default_rng(index).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        objects = [Referred("0", ("left one", "red one")), Referred("1", ("right one",))]
        return Picture(self.picture_name(index), image, tuple(objects))


class Clip:
    """Unit vectors that are those of no other picture or text."""

    def encode_images(self, images):
        return unit([[1 + int(image.sum()) % k for k in (5, 7, 11)] for image in images])

    def encode_text(self, texts):
        return unit([[len(text), sum(text.encode()) % 13, 1] for text in texts])


def unit(rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Stages:
    def __init__(self):
        self.select = Select(Clip(), prompt="red_overlay", spatial=False)

    def segment(self, image, expressions):
        time.sleep(0.004)
        rng = np.random.default_rng(int(image.sum()))
        n = int(rng.integers(0, 4))
        boxes = np.array([[k, 0, k + 5, 9] for k in range(n)], np.float32).reshape(-1, 4)
        masks = rng.random((n, *image.shape[:2])) > 0.5
        ones = np.ones(n, np.float32)
        matches = tuple(ClassMatch("toy", "toy", 1.0) for _ in expressions)
        return Result(
            tuple(expressions), matches, Candidates(boxes, ones, ("toy",) * n, masks, ones)
        )


def make(out, log):
    """Makes the toys' store, a shard for each picture; `log` gets the process and each picture.

    `out` is a folder or a URL.
    """
    store.SHARD = pseudo.SHARD = 1
    out, toys = place_of(str(out)), Toys(log)
    store.begin(out, {"pictures": len(toys)})
    list(pseudo.run(toys, Stages(), out, store.missing_shards(out, len(toys))))


def make_in_fours(*arguments):
    """`python -m train.pseudo` in shards of four pictures, so that there are several."""
    from train.pseudo import __main__

    store.SHARD = pseudo.SHARD = 4
    __main__.main(arguments)


_TOY = {}


def prepare_toys(out, log):
    """As `train.pseudo.make._prepare`, of the toys."""
    store.SHARD = pseudo.SHARD = 1
    _TOY.update(toys=Toys(log), out=out)


def work_on_toys(shard):
    [done] = pseudo.run(_TOY["toys"], Stages(), _TOY["out"], [shard])
    return done
