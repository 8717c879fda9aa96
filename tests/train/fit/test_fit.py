"""Training of the correct stage on a toy: what is learnt, from what, and that nothing is lost."""

import json
import os
import random
import re
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load_file
from torch.optim.lr_scheduler import LambdaLR

from ssc.correct.matching import matched_loss
from ssc.correct.predict import Corrector
from ssc.errors import InputError
from tests.forks import ended, fork
from tests.train import toy
from train.data import open_dataset
from train.fit.__main__ import main
from train.fit.assign import assign
from train.fit.batches import Batch
from train.fit.checkpoint import Log, State
from train.fit.options import HEEDED_BY, METHODS, Options, heeded, parse
from train.fit.tokenizer import EVERYDAY, learn_tokenizer

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def miou(model, dataset):
    corrector = Corrector(model, toy.tokenizer(), size=toy.SIZE, words=6)
    ious = []
    for i in range(len(dataset)):
        picture = dataset[i]
        for thing in picture.objects:
            answers = corrector.predict(picture.image, thing.expressions) > 0.5
            ious += [(a & thing.mask).sum() / (a | thing.mask).sum() for a in answers]
    return float(np.mean(ious))


@pytest.mark.long
def test_bootstrap_learns_and_leaves_a_checkpoint(cache, tmp_path):
    trained = toy.train("bootstrap", tmp_path, 120, cache, share=0.0)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
    assert rows[-1]["as chosen"] == rows[-1]["matched"] == rows[-1]["objects"]
    picture = toy.Squares(1)[0]
    texts = picture.objects[0].expressions
    loaded = Corrector.load(tmp_path)
    again = Corrector(trained, toy.tokenizer(), size=toy.SIZE, words=6)
    np.testing.assert_allclose(
        loaded.predict(picture.image, texts), again.predict(picture.image, texts), atol=1e-5
    )


@pytest.mark.long
def test_correct_recovers_from_a_store_that_errs(cache, tmp_path):
    boot = toy.train("bootstrap", tmp_path / "boot", 200, cache)
    before = miou(boot, toy.Squares(40))
    corrected = toy.train("correct", tmp_path / "correct", 120, cache, network=boot)
    after = miou(corrected, toy.Squares(40))
    rows = (tmp_path / "correct" / "log.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["matched"] == json.loads(rows[-1])["objects"]
    assert after > before + 0.1


@pytest.mark.parametrize(("prior", "learnt"), [(0.0, [0, 0]), (0.9, [0, 0]), (1.1, [1, 0])])
def test_what_s2_chose_counts_as_far_as_the_prior_goes(prior, learnt):
    """Both objects are seen on the left; S2 has the first one on the right, the second nowhere."""
    halves = torch.zeros(2, 4, 6, dtype=torch.bool)
    halves[0, :, :3] = halves[1, :, 3:] = True
    batch = Batch(
        names=("a", "b"),
        images=torch.zeros(2, 4, 6, 3, dtype=torch.uint8),
        texts=["it", "it"],
        object_of=[torch.tensor([0])] * 2,
        masks=[halves] * 2,
        allowed=[torch.ones(1, 2, dtype=torch.bool)] * 2,
        chosen=[torch.tensor([1]), torch.tensor([-1])],
        fixed=[torch.tensor([False])] * 2,
        share=1.0,
        largest=2,
    )
    seen = torch.where(halves[0], 20.0, -20.0)
    logits = torch.stack([-seen, seen])[None].repeat(2, 1, 1, 1)  # 2×2×4×6
    assignment = assign("correct", "greedy", prior, batch, logits)
    assert [own.item() for own in assignment] == learnt


@pytest.mark.process
def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    updates, kills = 40, 5
    assert ended(fork(toy.run, tmp_path / "whole", updates)) == 0
    rng = random.Random(0)
    cut = tmp_path / "cut"
    cut.mkdir()
    log = cut / "log.jsonl"
    for _ in range(kills):
        run = fork(toy.run, cut, updates)
        state = cut / "state.pt"
        was = state.stat().st_mtime_ns if state.exists() else 0
        while run.is_alive() and not (state.exists() and state.stat().st_mtime_ns > was):
            time.sleep(0.02)  # no kill before it got anywhere: the test would never end
        time.sleep(rng.uniform(0, 0.2))
        run.kill()
        ended(run)
    assert ended(fork(toy.run, cut, updates)) == 0
    a, b = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "cut"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    whole = (tmp_path / "whole" / "log.jsonl").read_text()
    assert log.read_text() == whole


@pytest.mark.process
def test_two_processes_learn_what_one_does(tmp_path):
    assert ended(fork(toy.run_calmly, tmp_path / "one", 20)) == 0
    # `accelerate launch` starts one process where there is no GPU, whatever it is asked for.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", "-m", "tests.train.toy", str(tmp_path / "two"), "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
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
    with pytest.raises(InputError, match=r"data and masks squares-\w+ .now squares-\w+."):
        toy.train("bootstrap", tmp_path, 2, cache, share=0.2)
    network = toy.model()[0]
    with torch.no_grad():
        network.lavt.classifier.conv1_1.weight[0, 0, 0, 0] += 1e-3
    with pytest.raises(InputError, match=r"first weights \w+ .now \w+.; give the first command"):
        toy.train("bootstrap", tmp_path, 2, cache, network=network)
    toy.train("bootstrap", tmp_path, 2, cache)


def test_no_figure_stays_of_other_validation_pictures(tmp_path, capsys):
    network = toy.model()[0]
    optimizer = torch.optim.AdamW(network.parameters())
    parts = (network, optimizer, LambdaLR(optimizer, lambda _: 1.0), Accelerator(cpu=True))
    first, same, other = (State(tmp_path, {}, *parts, val) for val in ("one", "one", "other"))
    first.best = 0.5
    first.save(2)
    assert (same.resume(), same.best, same.other_val) == (2, 0.5, False)
    assert (other.resume(), other.best, other.other_val) == (2, 0.0, True)
    rows = [{"update": 0, "loss": 1.0}, {"update": 1, "val mIoU": 0.5}, {"update": 2, "loss": 1.0}]
    log = tmp_path / "log.jsonl"
    for measured, kept in ((True, rows[:2]), (False, rows[:1])):
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        Log(tmp_path, 2, enabled=True, measured=measured).close()
        assert [json.loads(line) for line in log.read_text().splitlines()] == kept
    assert "--val changed" in capsys.readouterr().out


@pytest.mark.process
def test_an_input_error_ends_it_with_one_line(tmp_path, capsys):
    (tmp_path / "manifest.json").write_text("{}")
    command = ["--data", "refsprites:train:2", "--out", str(tmp_path / "out"), "--cpu"]
    command += ["--precision", "no", "--store", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main(["bootstrap", *command])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.fullmatch(r"error: \S+manifest\.json: expected the manifest .*", said)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.process
def test_of_two_processes_one_says_the_input_error(tmp_path):
    """One that the main process meets in a worker, while the other waits for it."""
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png")
    (tmp_path / "a.jsonl").write_text('{"image": "a.png", "objects": [["the dog"]]}\n')
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", "-m", "train.fit", "supervised", "--cpu"]
    command += ["--data", str(tmp_path / "a.jsonl")]
    command += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path), "--workers", "1"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=500)
    assert run.returncode == 1
    assert re.findall("^.*error: .*$", run.stderr, re.MULTILINE) == [
        f"error: {open_dataset(str(tmp_path / 'a.jsonl')).name}, a.png: expected true masks, got "
        "none; supervised training and validation need a data set that has them"
    ], run.stderr
    assert "train/fit/" not in run.stderr  # no traceback but torchrun's own


def test_a_loss_that_is_not_finite_stops_with_the_pictures(cache, tmp_path):
    network = toy.model()[0]
    with torch.no_grad():
        network.lavt.classifier.conv1_1.weight.fill_(float("nan"))
    with pytest.raises(RuntimeError, match=r"update 0: the loss is nan on squares-\d{3}, squares"):
        toy.train("bootstrap", tmp_path, 2, cache, network=network)


def test_the_first_loss_that_is_not_finite_is_named_and_nothing_is_saved(
    cache, tmp_path, monkeypatch
):
    """One between two lines of the log, before a checkpoint is due."""
    calls = []

    def poisoned(*arguments):
        calls.append(arguments)
        return matched_loss(*arguments) * (torch.nan if len(calls) == 2 else 1)

    monkeypatch.setattr("train.fit.loop.matched_loss", poisoned)
    with pytest.raises(RuntimeError, match=r"update 1: the loss is nan on squares-\d{3}, squares"):
        toy.train("bootstrap", tmp_path, 80, cache, save_every=3)  # logs every fourth update
    assert len(calls) == 3
    assert not (tmp_path / "state.pt").exists()
    assert not (tmp_path / "log.jsonl").read_text()


def test_the_options_are_kept_as_json(cache, tmp_path):
    toy.train("bootstrap", tmp_path, 2, cache, prior=0.5)
    kept = json.loads((tmp_path / "options.json").read_text())
    assert Options(**kept | {name: Path(kept[name]) for name in ("out", "cache")}) == toy.options(
        "bootstrap", tmp_path, 2, prior=0.5
    )


def test_the_command_lines_defaults_are_those_of_the_options_and_the_model(capsys):
    command = ["bootstrap", "--data", "x", "--out", "y", "--store", "z"]
    options = parse([*command, "--model", "nano", "--no-flip", "--size", "24", "32"])
    assert (options.lr, options.batch, options.warmup) == (1e-3, 16, 100)
    assert (options.weight_decay, options.match, options.seed) == (1e-2, "greedy", 0)
    assert (options.flip, options.size, options.expressions) == (False, (24, 32), 1)
    assert parse(command).flip
    assert parse(["correct", *command[1:], "--init", "w"]).expressions == 0
    assert options.updates(100) == 75
    assert parse([*command, "--steps", "7"]).updates(100) == 7
    for wrong in (["correct", *command[1:]], ["supervised", *command[1:]], command[:5]):
        with pytest.raises(SystemExit):
            parse(wrong)
        assert "error: " in capsys.readouterr().err


VALUES = {"--match": "optimal", "--prior": "0.5"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("option", HEEDED_BY)
def test_an_option_that_a_method_does_not_heed_is_refused(method, option, capsys):
    own = {"--init": "w"} if method == "correct" else {}
    own |= {"--store": "z"} if method in HEEDED_BY["--store"] else {}
    own |= {option: VALUES.get(option, "v")}
    command = [method, "--data", "x", "--out", "y", *chain.from_iterable(own.items())]
    if method in HEEDED_BY[option]:
        assert str(getattr(parse(command), option[2:])) == own[option]
        return
    with pytest.raises(SystemExit):
        parse(command)
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"error: {option}: expected with {HEEDED_BY[option][0]}" in said
    assert f", got {method}; leave it out" in said


def test_of_options_for_several_methods_each_gets_its_own():
    argv = ["--match=optimal", "--seed", "3", "--prior", "0.5", "--no-flip"]
    paper = ("bootstrap", "correct")
    assert heeded("bootstrap", paper, argv) == ["--seed", "3", "--no-flip"]
    assert heeded("correct", paper, argv) == argv
    assert heeded("supervised", ("supervised",), argv) == argv  # which `parse` refuses


def test_the_vocabulary_is_learnt_and_has_the_everyday_words():
    said = ["man on the left", "zebra nearest the pram"] * 3
    learnt, again = (learn_tokenizer(said, 12) for _ in range(2))
    assert learnt.get_vocab() == again.get_vocab()
    for word in [*EVERYDAY.split(), "skateboard", "giraffe", "zebra", "pram"]:
        assert learnt.tokenize(word) == [word]
    assert learnt.tokenize("The LEFT pramx")[:2] == ["the", "left"]
    assert learnt.unk_token not in learnt.tokenize("leftmost prams, nearest")
