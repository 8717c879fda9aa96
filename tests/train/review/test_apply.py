"""What decisions do to S1 and S2: laws over random pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.correct.matching import UNMATCHED
from ssc.errors import InputError
from ssc.formats import rle
from ssc.metrics import pairwise_iou
from ssc.segment.masks import DUPLICATE_IOU
from tests.train.pseudo.random_pictures import H, W, picture
from train.data import Picture, Referred
from train.fit.assign import MATCHES, assign
from train.fit.batches import Sampler
from train.fit.examples import Examples
from train.review.apply import reviewed
from train.review.decisions import FILE, Decision, Reviews, append


def code(mask):
    return rle(mask)["counts"]


def decide(file, looked, number, masks, **more):
    name = looked.objects[number].name
    codes = None if masks is None else tuple(code(mask) for mask in masks)
    append(
        file,
        Decision(
            picture=looked.name, object=name, who="ann", when="", size=(H, W), masks=codes, **more
        ),
    )


@pytest.fixture
def file(tmp_path):
    return tmp_path / FILE


def test_without_decisions_nothing_changes(file):
    looked = picture(0)
    assert reviewed(looked, Reviews(file), spatial=False) is looked


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_a_decision_is_fixed_and_no_other_object_can_take_it(tmp_path_factory, seed, data):
    file = tmp_path_factory.mktemp("reviews") / FILE
    looked = picture(seed, counts=(3, 2, 4))
    shared = looked.objects[0].candidates  # objects of a class share their candidates
    object.__setattr__(looked.objects[2], "candidates", shared[[0, 1, 2, 0]])
    chosen = data.draw(st.lists(st.integers(0, 2), max_size=3, unique=True))
    masks = shared.masks[chosen]
    decide(file, looked, 0, masks, candidates=tuple(chosen))
    result = reviewed(looked, Reviews(file), spatial=False)
    by_name = {thing.name: thing for thing in result.objects}
    if not chosen:
        assert "0" not in by_name
    else:
        own = by_name["0"]
        assert own.fixed
        assert own.chosen == 0
        assert (own.candidates.masks == masks.any(0)[None]).all()
    for thing, before in zip(looked.objects[1:], looked.objects[1:]):
        after = by_name[thing.name]
        assert not after.fixed
        if chosen and len(after.candidates):
            assert pairwise_iou(after.candidates.masks, masks).max() <= DUPLICATE_IOU
        assert -1 <= after.chosen < len(after.candidates)
        assert (after.chosen == -1) == (not len(after.candidates))
        kept = [code(mask) for mask in after.candidates.masks]
        old = code(before.candidates.masks[before.chosen])
        if old in kept:
            assert kept[after.chosen] == old  # its own choice stays where it may
        elif kept:
            assert after.chosen == int(after.similarity.mean(0).argmax())


def test_words_are_corrected_and_struck(file):
    looked = picture(3)
    decide(file, looked, 0, None, expressions=(None, "Katze"))
    result = reviewed(looked, Reviews(file), spatial=False)
    own, before = result.objects[0], looked.objects[0]
    assert own.expressions == ("Katze",)
    assert (own.similarity == before.similarity[1:]).all()
    assert own.chosen == before.chosen
    decide(file, looked, 0, None, expressions=(None, None))
    assert [x.name for x in reviewed(looked, Reviews(file), False).objects] == ["1"]


def test_reviews_of_other_data_are_refused(file):
    looked = picture(0)
    decide(file, looked, 0, None, expressions=("one",))
    with pytest.raises(InputError, match="expected a review of 2 expressions, got one of 1"):
        reviewed(looked, Reviews(file), spatial=False)
    file.unlink()
    other = Decision(picture=looked.name, object="0", who="a", when="", size=(2, 2), masks=("04",))
    append(file, other)
    with pytest.raises(InputError, match="the reviews are of other pictures"):
        reviewed(looked, Reviews(file), spatial=False)


class Toys:
    """Random pictures as a data set and its store."""

    name = "toys"

    def __init__(self, count):
        self.manifest = {}
        self.looked = [picture(seed, counts=(3, 3, 3)) for seed in range(count)]
        for own in self.looked:
            for thing in own.objects[1:]:  # all objects compete for the same candidates
                object.__setattr__(thing, "candidates", own.objects[0].candidates)

    def __len__(self):
        return len(self.looked)

    def __getitem__(self, index):
        return self.looked[index].objects


class Data(Toys):
    def __getitem__(self, index):
        own = self.looked[index]
        objects = tuple(Referred(thing.name, thing.expressions) for thing in own.objects)
        return Picture(own.name, np.zeros((H, W, 3), np.uint8), objects)

    def picture_name(self, index):
        return self.looked[index].name

    def files(self):
        return iter(())


class StoreOf(Toys):
    def name(self, index):
        return self.looked[index].name

    def picture(self, index):
        return self.looked[index]


@pytest.mark.parametrize("match", MATCHES)
def test_every_matching_keeps_to_the_decisions(tmp_path, file, match):
    toys, store = Data(6), StoreOf(6)
    for looked in toys.looked[:4]:
        decide(file, looked, 1, looked.objects[1].candidates.masks[[2]], candidates=(2,))
    both = toys.looked[4]  # two objects that are one thing, as a person says
    for number in (0, 2):
        decide(file, both, number, both.objects[0].candidates.masks[[1]], candidates=(1,))
    decide(file, toys.looked[5], 0, ())
    reviews = Reviews(file)
    examples = Examples.cached(
        toys, store, (H, W), tmp_path, workers=0, manifest="toys", reviews=reviews
    )
    assert examples.reviewed == len(reviews) == 7
    sampler = Sampler(examples, batch=6)
    batch = sampler.batch(0)
    rng = torch.Generator().manual_seed(0)
    for _ in range(8):
        logits = 4 * torch.randn(len(batch.texts), 2, H, W, generator=rng)
        for name, own, masks, fixed, chosen in zip(
            batch.names, assign("correct", match, 0.0, batch, logits), *_parts(batch)
        ):
            [looked] = [one for one in toys.looked if one.name == name]
            assert (own[fixed] == chosen[fixed]).all()
            assert not set(own[~fixed].tolist()) & set(own[fixed].tolist())
            free = own[~fixed & (own != UNMATCHED)].tolist()
            assert len({*free}) == len(free)
            if looked in toys.looked[:4]:
                truth = looked.objects[1].candidates.masks[2]
                assert (masks[own[1]].numpy() == truth).all()
            if looked is both:
                assert own[0] == own[2]
                assert fixed.tolist() == [True, False, True]
            if looked is toys.looked[5]:
                assert len(own) == 2


def _parts(batch):
    return batch.masks, batch.fixed, batch.chosen
