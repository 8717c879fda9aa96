"""`train.pseudo` on toy pictures and stages; prints nothing. Usage: toy_pseudo.py OUT LOG"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from ssc.errors import InputError
from ssc.result import Result
from ssc.types import Candidates, ClassMatch, Selection
from train.data import Picture, Referred
from train.pseudo import make as pseudo
from train.pseudo import store

store.SHARD = pseudo.SHARD = 1


class Toys:
    name = "toys"

    def __len__(self):
        return 22

    def picture_name(self, index):
        return f"toy-{index}"

    def __getitem__(self, index):
        with log.open("a") as file:
            file.write(f"{os.getpid()} {index}\n")
        if index == 13:
            raise InputError("toy-13: expected a picture, got none")
        image = np.random.default_rng(index).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        objects = [Referred("0", ("left one", "red one")), Referred("1", ("right one",))]
        return Picture(self.picture_name(index), image, tuple(objects))


class Stages:
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

    def select(self, image, results):
        return [r.with_selection(self._selection(image, r), {}) for r in results]

    def _selection(self, image, result):
        n = len(result.candidates)
        rows = [
            np.random.default_rng([int(image.sum()), len(text)]).random(n)
            for text in result.expressions
        ]
        scores = np.mean(rows, axis=0).astype(np.float32)
        prompts = np.zeros((n, 2, 2, 3), np.uint8)
        return Selection(prompts, scores, int(scores.argmax()) if n else -1, "reverse_blur")


out, log = map(Path, sys.argv[1:])
toys = Toys()
store.begin(out, {"pictures": len(toys)})
list(pseudo.run(toys, Stages(), out, store.missing_shards(out, len(toys))))
