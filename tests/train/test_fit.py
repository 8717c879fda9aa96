"""Training of the correct stage on a toy: what is learnt, from what, and that nothing is lost."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ssc.correct.predict import Corrector
from ssc.types import InputError
from tests.train import toy
from train.batches import Examples, Plan, mirror_words
from train.words import EVERYDAY, learn_tokenizer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def examples(cache, share=0.45, pictures=64):
    data = toy.Squares(pictures)
    return Examples.cached(
        data, toy.Wrong(data, share), toy.SIZE, cache, workers=0, manifest=f"wrong {share}"
    )


def launch(out, updates, *options, processes=1, dropout=0.1, wait=True):
    """The toy's training in processes of its own."""
    command = [sys.executable, "tests/train/toy.py", "bootstrap", str(out), str(updates)]
    command += [str(dropout), *options]
    if processes > 1:
        # `accelerate launch` starts one process where there is no GPU, whatever it is asked for.
        head = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
        command = [*head, *command[1:]]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    if wait:
        _, errors = run.communicate()
        assert run.returncode == 0, errors[-3000:]
    return run


def miou(model, dataset):
    corrector = Corrector(model, toy.tokenizer(), toy.SIZE, 6)
    ious = []
    for i in range(len(dataset)):
        picture = dataset[i]
        for thing in picture.objects:
            answers = corrector.predict(picture.image, thing.expressions) > 0.5
            ious += [(a & thing.mask).sum() / (a | thing.mask).sum() for a in answers]
    return float(np.mean(ious))


def test_the_cache_holds_what_store_and_data_say(cache):
    found = examples(cache)
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
    found = examples(cache)
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
    found = examples(cache)
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


def test_bootstrap_learns_and_leaves_a_checkpoint(cache, tmp_path):
    trained = toy.train("bootstrap", tmp_path, 120, cache, share=0.0)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    assert rows[-1]["as chosen"] == rows[-1]["matched"] == rows[-1]["objects"]
    picture = toy.Squares(1)[0]
    texts = picture.objects[0].expressions
    loaded = Corrector.load(tmp_path)
    again = Corrector(trained, toy.tokenizer(), toy.SIZE, 6)
    np.testing.assert_allclose(
        loaded.predict(picture.image, texts), again.predict(picture.image, texts), atol=1e-5
    )


def test_correct_recovers_from_a_store_that_errs(cache, tmp_path):
    boot = toy.train("bootstrap", tmp_path / "boot", 200, cache)
    before = miou(boot, toy.Squares(40))
    corrected = toy.train("correct", tmp_path / "correct", 120, cache, network=boot)
    after = miou(corrected, toy.Squares(40))
    rows = (tmp_path / "correct" / "log.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["matched"] == json.loads(rows[-1])["objects"]
    assert after > before + 0.1


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    updates, kills = 40, 5
    launch(tmp_path / "whole", updates)
    rng = random.Random(0)
    cut = tmp_path / "cut"
    cut.mkdir()
    log = cut / "log.jsonl"
    for _ in range(kills):
        run = launch(cut, updates, wait=False)
        state = cut / "state.pt"
        was = state.stat().st_mtime_ns if state.exists() else 0
        while run.poll() is None and not (state.exists() and state.stat().st_mtime_ns > was):
            time.sleep(0.02)  # no kill before it got anywhere: the test would never end
        time.sleep(rng.uniform(0, 0.2))
        run.kill()
        run.communicate()
    launch(cut, updates)
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "cut"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    whole = (tmp_path / "whole" / "log.jsonl").read_text()
    assert log.read_text() == whole


def test_two_processes_learn_what_one_does(tmp_path):
    launch(tmp_path / "one", 20, "--calm", dropout=0.0)
    launch(tmp_path / "two", 20, "--calm", dropout=0.0, processes=2)
    for run, processes in (("one", 1), ("two", 2)):
        assert len(torch.load(tmp_path / run / "state.pt", weights_only=True)["rng"]) == processes
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("one", "two"))
    start = toy.model(0.0)[0].state_dict()
    assert max((a[n].float() - start[n].float()).abs().max() for n in a) > 3e-4
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-5, rtol=0, msg=name)


def test_a_state_of_another_run_is_refused(cache, tmp_path):
    toy.train("bootstrap", tmp_path, 2, cache)
    with pytest.raises(InputError, match=r"lr 0\.002 .now 0\.001."):
        toy.train("bootstrap", tmp_path, 2, cache, lr=1e-3)


def test_a_loss_that_is_not_finite_stops_with_the_pictures(cache, tmp_path):
    network = toy.model()[0]
    with torch.no_grad():
        network.lavt.classifier.conv1_1.weight.fill_(float("nan"))
    with pytest.raises(RuntimeError, match=r"update 0: the loss is nan on squares-\d{3}, squares"):
        toy.train("bootstrap", tmp_path, 2, cache, network=network)


def test_the_vocabulary_is_learnt_and_has_the_everyday_words():
    said = ["man on the left", "zebra nearest the pram"] * 3
    learnt, again = (learn_tokenizer(said, 12) for _ in range(2))
    assert learnt.get_vocab() == again.get_vocab()
    for word in [*EVERYDAY.split(), "skateboard", "giraffe", "zebra", "pram"]:
        assert learnt.tokenize(word) == [word]
    assert learnt.tokenize("The LEFT pramx")[:2] == ["the", "left"]
    assert learnt.unk_token not in learnt.tokenize("leftmost prams, nearest")
