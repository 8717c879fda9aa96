"""What an update sees: whole pictures, sentences drawn, some mirrored; a function of the seed."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from ssc.errors import InputError
from tests.train import toy
from train.fit.batches import Sampler, ahead, mirror_words
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
    straight = Sampler(found, batch=8, seed=3).batch(0)
    mixed = Sampler(found, batch=8, flip=True, seed=3).batch(0)
    mirrored = [bool((a != b).any()) for a, b in zip(straight.images, mixed.images)]
    assert 0 < sum(mirrored) < 8
    for i, flipped in enumerate(mirrored):
        expected = straight.masks[i].flip(-1) if flipped else straight.masks[i]
        assert torch.equal(mixed.masks[i], expected)
        if flipped:
            assert torch.equal(mixed.images[i], straight.images[i].flip(1))


def test_batches_are_a_function_of_seed_and_update(cache):
    found = toy.examples(cache)
    drawing = {"batch": 8, "expressions": 1, "flip": True}
    whole = Sampler(found, **drawing, seed=1)
    halves = Sampler(found, **drawing, seed=1, parts=2)
    names = [whole.batch(u).names for u in range(8)]
    assert sorted(sum(names, ())) == [found[i].name for i in range(64)]  # an epoch is all of them
    for update in (0, 9):
        batch = whole.batch(update)
        a, b = (halves.batch(update, k) for k in range(2))
        assert a.names + b.names == batch.names
        assert a.texts + b.texts == batch.texts
        assert a.share + b.share == pytest.approx(1)
    assert whole.batch(0).names != Sampler(found, **drawing, seed=2).batch(0).names
    with pytest.raises(InputError, match="batch: expected a multiple of 3"):
        Sampler(found, **drawing, parts=3)


def test_batches_made_ahead_come_in_order_and_one_at_a_time():
    made = []

    def make(number):
        made.append(number)
        return -number

    values = ahead(make, range(3, 7))
    assert not made
    for number in range(3, 7):
        assert next(values) == -number
        assert len(made) <= number - 3 + 2
    assert list(values) == []
    assert made == [3, 4, 5, 6]
    assert list(ahead(make, [])) == []


def test_an_error_ahead_comes_where_its_value_would():
    values = ahead(lambda number: 1 // number, [1, 0])
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError):
        next(values)


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


def digest(sampler, updates):
    """Of every bit of the batches."""
    seen = sha256()
    for update in range(updates):
        for k in range(sampler.parts):
            parts = vars(sampler.batch(update, k))
            assert not any(fixed.any() for fixed in parts.pop("fixed"))  # nothing is reviewed
            assert parts.pop("largest") >= len(parts["texts"])  # what else is passed at once
            for value in parts.values():
                for part in value if isinstance(value, list) else [value]:
                    tensor = isinstance(part, torch.Tensor)
                    said = (part.dtype, part.shape) if tensor else part
                    seen.update(repr(said).encode())
                    seen.update(part.numpy().tobytes() if tensor else b"")
    return seen.hexdigest()[:16]


SAMPLERS = [  # arguments, and the digest of twelve updates
    ({"batch": 6, "parts": 2, "expressions": 1, "flip": True, "seed": 5}, "81eb761762d65602"),
    ({"batch": 6, "flip": True, "seed": 5}, "e335023cb7a05ae1"),
    ({"batch": 7, "expressions": 2, "seed": 11}, "7aa3b5cac77664f1"),
    ({"batch": 40, "parts": 4, "flip": True}, "cc2ac2b47d44e9f5"),  # two epochs and a bit
]


@pytest.mark.parametrize(("arguments", "expected"), SAMPLERS)
def test_batches_are_the_same_bit_by_bit(cache, arguments, expected):
    found = varied(cache)
    assert len(found) == 19
    assert found.left_out == {"pictures": 1, "objects": 5}
    assert digest(Sampler(found, **arguments), 12) == expected
