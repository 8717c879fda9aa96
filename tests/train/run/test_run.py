"""`python -m train run`: the README's tutorial in small, killed on its way."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import ssc
from ssc.errors import InputError
from tests.train.slice_pictures import pictures
from train.data import open_dataset
from train.data.export import export
from train.fit.options import parse as parse_fit
from train.pseudo.store import Store
from train.run import __main__ as run
from train.run import plan, steps

ROOT = Path(__file__).resolve().parents[3]
QUICK = ["--init", "none", "--precision", "no", "--batch", "2", "--save-every", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Files of nine pictures with sentences alone, and of three with masks."""
    folder = tmp_path_factory.mktemp("data")
    scenes = list(pictures(12))
    train = export(scenes[:9], folder / "train.jsonl")
    return str(train), str(export(scenes[9:], folder / "val.jsonl", masks=True))


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.process
def test_from_sentences_to_a_checkpoint_with_a_kill_on_the_way(data, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["--data", data[0], "--out", str(out), "--val", data[1], "--steps", "4", *QUICK]
    with subprocess.Popen(
        [sys.executable, "-m", "train", "run", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not (out / "correct" / "state.pt").exists():
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = content(out / "pseudo") | content(out / "bootstrap")
    assert not (out / "checkpoint").exists()

    run.main(command)
    said = capsys.readouterr().out
    assert said.count("complete, skipped") == 2
    assert done == content(out / "pseudo") | content(out / "bootstrap")
    assert f"python demo_app.py --models mini --correct {out / 'checkpoint'}" in said
    for name in ("bootstrap", "correct"):
        assert steps.read_state(out / name)["update"] == 4

    pipeline = ssc.models.sets.load("mini", correct=out / "checkpoint")
    scene = open_dataset(data[1])[0]
    [result] = pipeline(scene.image, [scene.objects[0].expressions[0]])
    assert result.correction.mask.shape == scene.image.shape[:2]
    assert np.isfinite(result.correction.probability).all()
    weights = (out / "checkpoint" / "model.safetensors").read_bytes()
    assert weights == (out / "correct" / "model.safetensors").read_bytes()
    assert weights != (out / "bootstrap" / "model.safetensors").read_bytes()
    assert not (out / "checkpoint" / "state.pt").exists()

    rows = json.loads((out / "evaluation.json").read_text())["splits"][data[1]]["all"]["rows"]
    asked = sum(len(o.expressions) for p in list(pictures(12))[9:] for o in p.objects)
    assert {title: row["samples"] for title, row in rows.items()} == dict.fromkeys(
        (
            *("Random", "S+S", "Oracle"),
            *("ZSBootstrap", "S+S and ZSBootstrap", "S+S+C", "S+S and S+S+C"),
        ),
        asked,
    )
    report = (out / "report.md").read_text()
    assert f"| {data[1]} | all ({asked}) | S+S+C | " in report
    assert "9 pictures, 0 of them unreadable" in report
    assert "| correct | 4 | 8 | " in report

    before = content(out)
    run.main(command)
    assert capsys.readouterr().out.count("complete, skipped") == 5
    assert content(out) == before
    with pytest.raises(SystemExit, match=r"error: .*expected to go on with options = .*--steps 4"):
        run.main(["--steps" if part == "--batch" else part for part in command])


@pytest.mark.long
def test_the_best_recipe(data, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["--data", data[0], "--out", str(out), "--val", data[1], "--recipe", "best"]
    command += ["--steps", "1", *QUICK]
    run.main(command)
    said = capsys.readouterr().out
    assert "Step 2 of 7: S2 with words counted" in said
    assert "Step 5 of 7: correct, by matching over S1, round 2" in said
    assert f"--checkpoint ZSBootstrap={out / 'bootstrap'} S+S+C={out / 'checkpoint'}" in said
    plain, guided = Store.open(out / "pseudo"), Store.open(out / "spatial")
    assert "spatial" in guided.manifest.keys() - plain.manifest.keys()
    for method, seed in (("bootstrap", 0), ("correct", 0), ("correct-2", 1)):
        assert steps.read_state(out / method)["run"]["seed"] == seed
    weights = (out / "checkpoint" / "model.safetensors").read_bytes()
    assert weights == (out / "correct-2" / "model.safetensors").read_bytes()
    assert "| correct-2 | 1 | 2 | " in (out / "report.md").read_text()
    run.main(command)
    assert capsys.readouterr().out.count("complete, skipped") == 7
    with pytest.raises(SystemExit, match=r"expected to go on with recipe = best, got paper"):
        run.main(["paper" if part == "best" else part for part in command])


@pytest.mark.long
def test_a_checkpoint_is_tuned_without_a_bootstrap(data, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["--data", data[0], "--out", str(out), "--val", data[1], "--recipe", "tune"]
    bare = [x for x in QUICK if x not in ("--init", "none")]
    with pytest.raises(InputError, match="--recipe tune: expected --init, a checkpoint"):
        run.parse([*command, "--init", "none"])
    run.main([*command, "--steps", "1", *bare])
    said = capsys.readouterr().out
    assert "Step 3 of 5: correct, by matching over S1" in said
    assert "ZSBootstrap" not in said
    run_of = steps.read_state(out / "correct")["run"]
    assert (run_of["method"], run_of["prior"]) == ("correct", 0.5)
    assert (out / "report.html").exists()


def test_trainings_of_the_best_recipe_start_from_each_other(data, tmp_path):
    args = ["--data", data[0], "--out", str(tmp_path), "--recipe", "best", "--seed", "3"]
    plan = steps.steps(run.parse([*args, "--init", "none"]))
    trainings = [step for step in plan if step.module == "train.fit"]
    options = [" ".join(step.options) for step in trainings]
    assert all(f"--store {tmp_path / 'spatial'} " in text for text in options)
    assert "--init" not in options[0]
    for before, text in zip(trainings, options[1:]):
        assert text.endswith(f"--init {before.output}")
    parsed = [parse_fit(step.options) for step in trainings]
    assert [(own.seed, own.prior) for own in parsed] == [(3, 0.0), (3, 0.5), (4, 0.5)]


@pytest.mark.long
def test_a_dry_run_writes_nothing(data, tmp_path, capsys, monkeypatch):
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(plan, "PICTURES", 2)
    monkeypatch.setattr(plan, "UPDATES", 1)
    command = ["--data", data[0], "--out", "out", "--val", data[1], "--epochs", "3", *QUICK]
    run.main([*command, "--dry-run"])
    said = capsys.readouterr().out
    assert not list(here.iterdir())
    assert not list(temporary.glob("train-run-*"))  # torch may leave an empty cache of its own
    assert "9 pictures, about" in said
    assert said.count("14 updates of 2 pictures") == 2
    assert "Step 1 of 5: S1 and S2, stages 1 and 2" in said
    assert "python -m train.fit correct --data" in said
    assert "Measured on 2 pictures" in said
    assert "are free" in said


@pytest.mark.long
def test_a_shard_that_is_missing_is_made_again(data, tmp_path):
    step = steps.steps(run.parse(["--data", data[0], "--out", str(tmp_path), *QUICK]))[0]
    assert not steps.complete(step)
    step.run()
    assert steps.complete(step)
    assert len(Store.open(step.output)) == 9
    [shard] = step.output.glob("shard-*")
    was = shard.read_bytes()
    shard.unlink()
    assert not steps.complete(step)
    step.run()
    assert shard.read_bytes() == was


def test_where_training_starts(data, tmp_path, monkeypatch):
    monkeypatch.setattr("ssc.models.bundled.ASSETS", tmp_path)
    command = ["--data", data[0], "--out", str(tmp_path / "out")]
    assert run.parse(command).init is None  # nothing is bundled there
    bundled = tmp_path / "mini" / "lavt"
    bundled.mkdir(parents=True)
    (bundled / "model.safetensors").touch()
    boot = steps.steps(run.parse(command))[1].options
    assert boot[boot.index("--init") + 1] == str(bundled)
    table = steps.steps(run.parse([*command, "--val", data[1]]))[-2]
    assert f"Start={bundled}" in table.options
    for other in (["--init", "none"], ["--model", "swin_b"], ["--visual", "v.safetensors"]):
        assert run.parse([*command, *other]).init is None
    assert run.parse([*command, "--init", "mine"]).init == "mine"


@pytest.mark.parametrize(
    ("options", "lr"),
    [
        ([], 1e-4),  # of what is bundled, a tenth of the rate for fresh weights
        (["--init", "none"], 1e-3),
        (["--lr", "2e-3"], 2e-3),
        (["--lr=2e-3"], 2e-3),
        (["--model", "swin_b", "--init", "mine"], 5e-5),
    ],
)
def test_a_checkpoint_keeps_what_it_knows(data, tmp_path, options, lr):
    plan = steps.steps(run.parse(["--data", data[0], "--out", str(tmp_path), *options]))
    trainings = [step for step in plan if step.module == "train.fit"]
    assert [parse_fit(step.options).lr for step in trainings] == pytest.approx([lr, lr])


def test_what_is_evaluated(data, tmp_path):
    command = ["--data", data[0], "--out", str(tmp_path)]
    args = run.parse(command)
    assert args.measured == []
    assert [step.module for step in steps.steps(args)][3:] == ["train.run.report"]
    args = run.parse(["--data", data[1], "--out", str(tmp_path)])
    assert (args.measured, args.measure) == ([data[1]], run.OF_DATA)
    args = run.parse([*command, "--val", data[1], "--test", data[1], "--measure", "2"])
    assert (args.measured, args.measure) == ([data[1]] * 2, 2)
    with pytest.raises(InputError, match=r"train\.jsonl: expected true masks or boxes"):
        run.parse([*command, "--val", data[0]])


def test_options_go_to_the_trainings_plainly(data, tmp_path, capsys):
    command = ["--data", data[0], "--out", str(tmp_path), "--processes", "2", "--workers", "3"]
    args = run.parse([*command, "--match", "optimal", "--epochs", "4", "--batch", "4"])
    pseudo, boot, correct, *_ = steps.steps(args)
    assert args.updates == 9
    assert pseudo.options[-2:] == ["--workers", "3"]
    assert pseudo.launch is None
    for step in (boot, correct):
        assert "torch.distributed.run --nproc_per_node 2 -m train.fit" in step.command
        assert "--epochs 4 --batch 4 --lr 0.0001 --warmup 0" in step.command
    assert ["--match optimal " in step.command for step in (boot, correct)] == [False, True]
    assert correct.options[-2:] == ["--init", str(boot.output)]
    for wrong, said in (
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--recipe", "supervised", "--prior", "1"], "--prior: expected with correct, got superv"),
    ):
        with pytest.raises(SystemExit):
            run.parse([*command, *wrong])
        assert said in capsys.readouterr().err


def test_one_run_in_a_folder_at_a_time(data, tmp_path):
    args = run.parse(["--data", data[0], "--out", str(tmp_path)])
    with run._alone(tmp_path), pytest.raises(InputError, match="no other run in this folder"):
        run.run(args)


def test_a_step_outlives_its_run_with_the_lock_in_its_hands(tmp_path, monkeypatch):
    started = []

    def start(command, locks, env):
        child = [sys.executable, "-c", "input()"]
        started.append(subprocess.Popen(child, stdin=subprocess.PIPE, pass_fds=locks))
        return 0

    monkeypatch.setattr(steps, "run_child", start)
    with run._alone(tmp_path) as lock:
        steps.Step("", "train.run.report", [], tmp_path, launch=()).run([lock])
    with pytest.raises(InputError, match="no other run in this folder"), run._alone(tmp_path):
        pass
    started[0].communicate(b"\n")
    with run._alone(tmp_path):
        pass


def test_processes_share_the_cores(tmp_path, monkeypatch):
    given = []

    def start(command, locks, env):
        given.append(env.get("OMP_NUM_THREADS"))
        return 0

    monkeypatch.setattr(steps, "run_child", start)
    monkeypatch.setattr(steps, "processors", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    launch = ("-m", "torch.distributed.run", "--nproc_per_node", "4")
    steps.Step("", "train.fit", [], tmp_path, launch).run()
    steps.Step("", "train.fit", [], tmp_path, launch=()).run()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    steps.Step("", "train.fit", [], tmp_path, launch).run()
    assert given == ["4", None, "3"]


@pytest.mark.process
def test_a_step_that_fails_in_a_process_of_its_own_ends_the_run(tmp_path):
    step = steps.Step("", "train.run.report", [str(tmp_path)], tmp_path / "report.md", launch=())
    with pytest.raises(SystemExit, match=r"ended with status 2: python -m train\.run\.report"):
        step.run()
