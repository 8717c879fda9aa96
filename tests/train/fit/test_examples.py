"""The cache of what training reads: what is in it, and that it is on disk, not in memory."""

import gc
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from ssc.errors import InputError
from tests.train import toy
from train.fit.batches import Sampler
from train.fit.examples import ABOUT, Examples


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_the_cache_holds_what_store_and_data_say(cache):
    found = toy.examples(cache)
    data = toy.Squares(64)
    store = toy.Wrong(data, 0.45)
    assert len(found) == 64
    for i in (0, 17, 63):
        example, picture, objects = found[i], data[i], store[i]
        assert example.name == picture.name
        assert example.image.shape == (32, 32, 3)
        assert example.masks.shape == (3, 32, 32)  # shared by both objects, and held once
        assert example.allowed.tolist() == [[True] * 3] * 2
        assert example.chosen.tolist() == [thing.chosen for thing in objects]
        assert example.expressions == tuple(thing.expressions for thing in picture.objects)
        areas = example.masks.sum((1, 2)) / 32**2
        np.testing.assert_allclose(areas, 13**2 / 48**2, rtol=0.15)


def test_the_true_masks_are_in_the_cache_of_supervised_training_only(cache):
    data = toy.Squares(5)
    truth = Examples.cached(data, None, toy.SIZE, cache, workers=0)
    for i in range(5):
        assert truth[i].allowed.tolist() == [[True, False], [False, True]]

    class Blind(toy.Squares):
        name = "blind"

        def __getitem__(self, index):
            picture = super().__getitem__(index)
            bare = tuple(type(o)(o.name, o.expressions, None, o.kinds) for o in picture.objects)
            return type(picture)(picture.name, picture.image, bare, picture.instances)

    with pytest.raises(InputError, match="blind, squares-000: expected true masks"):
        Examples.cached(Blind(5), None, toy.SIZE, cache, workers=0)
    assert len(Examples.cached(Blind(5), toy.Wrong(Blind(5), 0), toy.SIZE, cache, workers=0)) == 5


def test_a_store_of_other_pictures_is_refused(cache):
    class Other(toy.Squares):
        def __getitem__(self, index):
            picture = super().__getitem__(index + 1 if index < self.count - 1 else 0)
            return picture

    with pytest.raises(InputError, match="expected a store of squares in the same order"):
        Examples.cached(
            toy.Squares(4), toy.Wrong(Other(4), 0), toy.SIZE, cache, workers=0, manifest="other"
        )


def test_objects_without_a_candidate_are_left_out(cache):
    class Holes(toy.Wrong):
        def __getitem__(self, index):
            first, second = super().__getitem__(index)
            first.candidates.masks = first.candidates.masks[:0]
            first.chosen = -1
            if index == 2:
                second.candidates.masks, second.chosen = first.candidates.masks, -1
            return first, second

    data = toy.Squares(4)
    found = Examples.cached(data, Holes(data, 0), toy.SIZE, cache, workers=0, manifest="holes")
    assert found.left_out == {"pictures": 1, "objects": 5}
    assert [len(found[i].expressions) for i in range(3)] == [1, 1, 1]
    assert [found[i].name for i in range(3)] == ["squares-000", "squares-001", "squares-003"]


def test_what_could_not_be_read_before_is_left_out(cache):
    class Broken(toy.Squares):
        def __getitem__(self, index):
            if index == 1:
                raise InputError("squares-001: truncated")
            return super().__getitem__(index)

    class Noted(toy.Wrong):
        def picture(self, index):
            return SimpleNamespace(error="truncated" if index == self.noted else None)

    data = Broken(3)
    store = Noted(toy.Squares(3), 0)
    store.noted = 1
    found = Examples.cached(data, store, toy.SIZE, cache, workers=0, manifest="noted")
    assert [example.name for example in found] == ["squares-000", "squares-002"]
    assert found.left_out == {"pictures": 1, "objects": 0}
    assert found.reasons == {"squares-001": "squares-001: truncated"}


def test_more_than_a_tenth_left_out_stops_with_a_question(cache):
    class Broken(toy.Squares):
        name = "broken"

        def __getitem__(self, index):
            if index in (1, 2, 5):
                raise ZeroDivisionError("of any kind")
            return super().__getitem__(index)

    of_thirty = Examples.cached(Broken(30), None, toy.SIZE, cache, workers=0)
    assert len(of_thirty) == 27
    assert of_thirty.reasons["squares-005"] == "ZeroDivisionError: of any kind"
    for _ in range(2):
        with pytest.raises(InputError, match=r"3 of 29 .*: squares-001 \(.* --allow-missing"):
            Examples.cached(Broken(29), None, toy.SIZE, cache, workers=0)
    found = Examples.cached(Broken(29), None, toy.SIZE, cache, workers=0, allow_missing=True)
    assert len(found) == 26
    with pytest.raises(InputError, match="3 of 29"):  # the cache knows it too
        Examples.cached(Broken(29), None, toy.SIZE, cache, workers=0)


def build(cache):
    Examples.cached(toy.Squares(40), None, toy.SIZE, cache, workers=0)


def test_case_17_one_makes_the_cache_and_the_others_wait(tmp_path):
    from multiprocessing import get_context

    context = get_context("fork")
    processes = [context.Process(target=build, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    [folder] = tmp_path.iterdir()
    assert len(Examples(folder)) == 40


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_worker_is_one_line_and_leaves_no_cache(tmp_path, workers):
    class Broken(toy.Squares):
        def __getitem__(self, index):
            raise InputError(f"picture {index}: expected a picture, got none")

    with pytest.raises(
        InputError,
        match=r"^squares: 2 of 3 .*: squares-000 \(picture 0: expected a p",
    ):
        Examples.cached(Broken(3), None, toy.SIZE, tmp_path, workers=workers)
    assert not list(tmp_path.glob(f"*/{ABOUT}"))
    assert len(Examples.cached(toy.Squares(3), None, toy.SIZE, tmp_path, workers=0)) == 3


def test_sentences_are_counted_and_read_in_order(cache):
    found, data = toy.examples(cache), toy.Squares(64)
    objects = [[thing.expressions for thing in data[i].objects] for i in range(64)]
    assert list(found.expressions) == [text for said in objects for own in said for text in own]
    assert [found.expression_counts(i).tolist() for i in range(64)] == [[2, 2]] * 64
    for index in (-1, 64):
        with pytest.raises(IndexError):
            found[index]
        with pytest.raises(IndexError):
            found.expression_counts(index)


@pytest.mark.long
def test_memory_does_not_grow_with_the_pictures(tmp_path):
    """Python's and NumPy's own of the training loop, after a look at all of them. The first round
    leaves what is allocated once; other threads of the process are not counted."""
    own = tracemalloc.Filter(True, "*/train/fit/*", all_frames=True)
    held = {}
    for count in (30, 30, 300):
        toy.examples(tmp_path, pictures=count)
        gc.collect()
        tracemalloc.start(10)
        found = toy.examples(tmp_path, pictures=count)
        sampler = Sampler(found, batch=10, flip=True, seed=count)
        for update in range(count // 10):
            sampler.batch(update)
        assert sum(1 for _ in found.expressions) == 4 * count
        gc.collect()
        shot = tracemalloc.take_snapshot().filter_traces([own])
        held[count] = sum(trace.size for trace in shot.traces)
        tracemalloc.stop()
        del found
    assert held[300] - held[30] < 100 * 270  # their sentences alone: above a kB each
