"""What an update sees: whole pictures, sentences drawn, some mirrored; a function of the seed."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from ssc.errors import InputError
from tests.train import toy
from train.fit.batches import Plan, mirror_words
from train.fit.examples import Examples


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("man on the left", "man on the right"),
        ("rightmost dog", "leftmost dog"),
        ("Left-hand cup, not the RIGHT one", "Right-hand cup, not the Left one"),
        ("second from left", "second from right"),
        ("bright leftover bag, upright", "bright leftover bag, upright"),
        ("the dog", "the dog"),
    ],
)
def test_mirrored_words(text, mirrored):
    assert mirror_words(text) == mirrored


def test_a_mirrored_picture_has_mirrored_words_and_masks(cache):
    found = toy.examples(cache)
    straight = Plan(8, 1, 0, flip=False, seed=3).part(found, 0, 0)
    mixed = Plan(8, 1, 0, flip=True, seed=3).part(found, 0, 0)
    mirrored = [bool((a != b).any()) for a, b in zip(straight.images, mixed.images)]
    assert 0 < sum(mirrored) < 8
    c = 0
    for i, flipped in enumerate(mirrored):
        own = slice(c, c + straight.allowed[i].shape[1])
        c = own.stop
        expected = straight.masks[own].flip(-1) if flipped else straight.masks[own]
        assert torch.equal(mixed.masks[own], expected)
        if flipped:
            assert torch.equal(mixed.images[i], straight.images[i].flip(1))


def test_batches_are_a_function_of_seed_and_update(cache):
    found = toy.examples(cache)
    whole = Plan(8, 1, 1, flip=True, seed=1)
    halves = Plan(8, 2, 1, flip=True, seed=1)
    names = [whole.part(found, u, 0).names for u in range(8)]
    assert sorted(sum(names, ())) == [found[i].name for i in range(64)]  # an epoch is all of them
    for update in (0, 9):
        batch = whole.part(found, update, 0)
        a, b = (halves.part(found, update, k) for k in range(2))
        assert a.names + b.names == batch.names
        assert a.texts + b.texts == batch.texts
        assert a.share + b.share == pytest.approx(1)
    assert whole.part(found, 0, 0).names != Plan(8, 1, 1, True, 2).part(found, 0, 0).names
    with pytest.raises(InputError, match="batch: expected a multiple of 3"):
        Plan(8, 3, 1, flip=True, seed=1)


class Varied(toy.Squares):
    """One to four expressions for an object."""

    name = "varied"

    def __getitem__(self, index):
        picture = super().__getitem__(index)
        said = tuple(
            replace(thing, expressions=tuple(f"{thing.name} left of {n}" for n in range(count)))
            for thing, count in zip(picture.objects, (1 + index % 4, 1 + index % 3))
        )
        return replace(picture, objects=said)


class Gaps(toy.Wrong):
    """Objects without a candidate, one picture without any, and some without a choice."""

    def __getitem__(self, index):
        first, second = super().__getitem__(index)
        if index % 5 == 4:
            first.candidates.masks, first.chosen = first.candidates.masks[:0], -1
        if index == 9:
            second.candidates.masks, second.chosen = second.candidates.masks[:0], -1
        if index % 7 == 3:
            second.chosen = -1
        return first, second


def varied(cache):
    data = Varied(20)
    size = (48, 48)  # the pictures' own: nothing is rounded
    return Examples.cached(data, Gaps(data, 0.3), size, cache, workers=0, manifest="gaps")


def digest(found, plan, updates):
    """Of every bit of the batches."""
    seen = sha256()
    for update in range(updates):
        for k in range(plan.parts):
            for value in vars(plan.part(found, update, k)).values():
                for part in value if isinstance(value, list) else [value]:
                    tensor = isinstance(part, torch.Tensor)
                    said = (part.dtype, part.shape) if tensor else part
                    seen.update(repr(said).encode())
                    seen.update(part.numpy().tobytes() if tensor else b"")
    return seen.hexdigest()[:16]


PLANS = {  # → digest of twelve updates, as they were when all sentences were held in memory
    Plan(6, 2, 1, flip=True, seed=5): "29d9b2dddda3a800",
    Plan(6, 1, 0, flip=True, seed=5): "e7942f2493b3aade",
    Plan(7, 1, 2, flip=False, seed=11): "b38727612377297b",
    Plan(40, 4, 0, flip=True, seed=0): "bc1828343b8cc347",  # two epochs and a bit
}


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_batches_are_the_same_bit_by_bit(cache, plan):
    found = varied(cache)
    assert len(found) == 19
    assert found.left_out == {"pictures": 1, "objects": 5}
    assert digest(found, plan, 12) == PLANS[plan]
