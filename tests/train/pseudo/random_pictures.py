"""Random contents of a store."""

import numpy as np

from ssc.types import Candidates
from train.pseudo.records import PseudoObject, PseudoPicture

H, W = 7, 9


def candidates(rng, count):
    corner = rng.uniform(0, 4, (count, 2))
    return Candidates(
        np.concatenate([corner, corner + rng.uniform(0, 5, (count, 2))], 1).astype(np.float32),
        rng.random(count).astype(np.float32),
        tuple(rng.choice(["dog", "cat"], count).tolist()),
        rng.random((count, H, W)) > 0.4,  # they overlap
        rng.random(count).astype(np.float32),
    )


def thing(rng, name, found, expressions):
    return PseudoObject(
        name,
        expressions,
        ("dog",),
        found,
        rng.normal(size=(len(expressions), len(found))).astype(np.float32),
        int(rng.integers(len(found))) if len(found) else -1,
    )


def picture(seed, counts=(3, 0)):
    rng = np.random.default_rng(seed)
    objects = [
        thing(rng, str(k), candidates(rng, n), ("a dog", "Hund")) for k, n in enumerate(counts)
    ]
    return PseudoPicture(f"picture {seed}", (H, W), tuple(objects))
