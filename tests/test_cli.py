"""`python -m ssc`, with a pipeline without weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssc.__main__ import main
from ssc.errors import InputError
from ssc.pipeline import Pipeline
from tests.fake_pipeline import SCENE, SCENES, fake_pipeline

ROOT = Path(__file__).parents[1]
PHOTO = SCENES / f"{SCENE}.jpg"


def load(name, correct):
    if name != "mini":
        raise InputError(f"model set: expected one of mini, got {name!r}")
    return fake_pipeline(correct is not False)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Runs a command line; returns exit code, stdout and stderr."""
    monkeypatch.setenv("SSC_MODELS", "mini")  # whatever is on this machine

    def call(*argv):
        code = main([str(a) for a in (*argv, "--out", tmp_path / "out")], load)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def folder(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(PHOTO, photos / "a.jpg")
    shutil.copy(PHOTO, photos / "c.jpg")
    (photos / "b.jpg").write_bytes(PHOTO.read_bytes()[:2000])
    (photos / "notes.txt").write_text("no picture")
    return photos


@pytest.mark.process
def test_help_is_quick():
    """In seconds of the processor, which other processes of a machine do not change."""
    times = []
    for _ in range(3):
        start = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "ssc", "--help"], cwd=ROOT, capture_output=True, text=True
        )
        end = os.times()
        times.append(end.children_user + end.children_system)
        times[-1] -= start.children_user + start.children_system
    assert done.returncode == 0
    assert "IMAGE" in done.stdout
    assert min(times) <= 0.5


def test_one_image(run, tmp_path):
    code, out, err = run(PHOTO, "the left laptop")
    assert (code, err) == (0, "")
    assert "S+S chose candidate" in out
    assert "; S+S+C " in out
    kinds = ("overlay", "mask", "candidates", "corrected.overlay", "corrected.mask")
    names = [f"{SCENE}.{kind}.{'png' if 'mask' in kind else 'jpg'}" for kind in kinds]
    for name in [*names, "result.json"]:
        assert (tmp_path / "out" / name).is_file()
        assert str(tmp_path / "out" / name) in out


def test_several_objects_and_expressions(run, tmp_path):
    code, out, _ = run(PHOTO, "left laptop | laptop at the left", "a unicorn")
    assert code == 0
    assert "No horse found" in out
    records = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert records[0]["expressions"] == ["left laptop", "laptop at the left"]
    assert records[1]["candidate"] is None
    assert (tmp_path / "out" / f"{SCENE}.2.mask.png").is_file()


@pytest.mark.parametrize("one", [[], ["--one"]])
def test_a_set_or_one_of_it(run, tmp_path, one):
    code, out, _ = run(PHOTO, "both laptops", "left laptop", *one)
    assert code == 0
    first, second = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert first["members"] == (None if one else [1, 2])
    assert second["members"] is None
    assert ("One object is answered, though several are asked for." in out) is bool(one)


def test_options_may_stand_between(tmp_path):
    argv = [str(PHOTO), "left laptop", "--out", str(tmp_path / "o"), "right laptop"]
    assert main(argv, load) == 0
    assert len(json.loads((tmp_path / "o" / "result.json").read_text())["results"]) == 2


def test_another_prompt(run, tmp_path):
    assert run(PHOTO, "left laptop", "--prompt", "red_ellipse")[0] == 0
    [record] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert record["selected"]["prompt"] == "red_ellipse"


def test_rule_by_matching(run, tmp_path):
    assert run(PHOTO, "left laptop", "left laptop", "--rule", "matching")[0] == 0
    records = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert [record["selected"]["rule"] for record in records] == ["matching"] * 2
    assert records[0]["selected"]["candidate"] != records[1]["selected"]["candidate"]


def test_a_vocabulary_of_words_or_a_file(run, tmp_path):
    listing = tmp_path / "words"
    listing.write_text("Laptop\n\ntv\n")
    padded = " , " * 200  # a text longer than any file name
    for words in ("laptop, TV", listing, f"laptop{padded}tv"):
        assert run(PHOTO, "left laptop", "--vocabulary", words)[0] == 0
        [record] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
        [match] = record["matches"]
        assert [near["class"] for near in match["runners_up"]] == ["tv"]


def test_without_projection(run, tmp_path):
    assert run(PHOTO, "left laptop", "--no-projection")[0] == 0
    [record] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert record["matches"][0]["runners_up"] == []


def test_box_threshold(run, tmp_path):
    for threshold, found in ((0, 3), (0.7, 2), (1, 0)):
        assert run(PHOTO, "left laptop", "--box-threshold", threshold)[0] == 0
        [record] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
        assert len(record["candidates"]) == found


def test_words_count_unless_the_papers_rule_is_asked_for(tmp_path, monkeypatch, capsys):
    made = []
    with_options = Pipeline.with_options

    def spy(self, **options):
        made.append(with_options(self, **options))
        return made[-1]

    monkeypatch.setattr(Pipeline, "with_options", spy)
    monkeypatch.chdir(tmp_path)
    for words, paper in (((), False), (("--paper",), True)):
        assert main([str(PHOTO), "left laptop", *words], lambda name, correct: fake_pipeline()) == 0
        assert made[-1].segment.paper is paper
        assert made[-1].select.spatial is not paper


def test_sigma_and_text_threshold_reach_the_stages(tmp_path, monkeypatch, capsys):
    made = []
    with_options = Pipeline.with_options

    def spy(self, **options):
        made.append(with_options(self, **options))
        return made[-1]

    def reads_words(name, correct):
        pipeline = fake_pipeline()
        pipeline.segment.detector.text_threshold = 0.25
        return pipeline

    monkeypatch.setenv("SSC_MODELS", "mini")
    monkeypatch.setattr(Pipeline, "with_options", spy)
    argv = [str(PHOTO), "left laptop", "--out", str(tmp_path / "o")]
    assert main([*argv, "--sigma", "20", "--text-threshold", "0.4"], reads_words) == 0
    assert capsys.readouterr().err == ""
    assert main([*argv, "--text-threshold", "0.4"], load) == 2
    assert "text_threshold: expected none, as the model set's" in capsys.readouterr().err
    [made] = made
    assert made.select.sigma == 20
    assert made.segment.detector.text_threshold == 0.4


def test_without_stage_3(run, tmp_path):
    code, out, err = run(PHOTO, "left laptop", "--correct", "off")
    assert (code, err) == (0, "")
    assert "corrected" not in out
    [record] = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert record["corrected"] is None


@pytest.mark.parametrize("name", ["runs/my/checkpoint", "someone/lavt"])
def test_a_checkpoint_by_folder_or_hub_id(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SSC_MODELS", "mini")
    loaded = []

    def load(models, correct):
        loaded.append((models, correct))
        return fake_pipeline()

    argv = [str(PHOTO), "left laptop", "--out", str(tmp_path / "o"), "--correct", name]
    assert main(argv, load) == 0
    assert loaded == [("mini", name)]  # see test_checkpoints.py


def test_a_set_without_a_corrected_model_says_so(tmp_path, capsys):
    argv = [str(PHOTO), "left laptop", "--out", str(tmp_path / "o")]
    assert main(argv, lambda name, correct: fake_pipeline(correct=False)) == 0
    assert capsys.readouterr().err == (
        "The mini set has no model for stage 3: the answer is S+S alone. "
        "Name a checkpoint with --correct: a folder or an id on the Hub.\n"
    )


@pytest.mark.parametrize("what", ["folder", "glob"])
def test_a_bad_file_among_good_ones(run, folder, tmp_path, what):
    code, out, err = run(folder if what == "folder" else folder / "*.jpg", "left laptop")
    assert code == 1
    errors = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert "b.jpg" in errors[0]
    assert errors[1] == "error: 1 of 3 images failed"
    assert "3/3" in err  # the progress bar
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "c"]
    assert (tmp_path / "out" / "c" / "c.mask.png").is_file()
    assert out.count("S+S chose candidate") == 2


def test_a_name_with_brackets_is_a_file_first(run, tmp_path):
    photo = tmp_path / "photo[1].jpg"
    shutil.copy(PHOTO, photo)
    assert run(photo, "left laptop")[0] == 0
    assert (tmp_path / "out" / "photo[1].mask.png").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "the following arguments are required: IMAGE"),
        ((PHOTO,), "required: EXPRESSION"),
        ((PHOTO, " "), "the expression is empty"),
        ((PHOTO, "a | "), "the expression is empty"),
        ((PHOTO, "x" * 10_000), "at most 500 characters"),
        ((PHOTO, *["a"] * 40), "1 to 32 objects, got 40"),
        ((PHOTO, "a", "--models", "huge"), "expected one of mini, got 'huge'"),
        ((PHOTO, "a", "--prompt", "glow"), "invalid choice: 'glow'"),
        ((PHOTO, "a", "--rule", "best"), "invalid choice: 'best'"),
        ((PHOTO, "a", "--vocabulary", "nowhere.txt"), "nowhere.txt: expected a UTF-8 text file"),
        ((PHOTO, "a", "--vocabulary", "my/words"), "my/words: expected a UTF-8 text file"),
        ((PHOTO, "a", "--vocabulary", PHOTO), "class name a line, got other bytes"),
        ((PHOTO, "a", "--vocabulary", " ,"), "expected at least one class name, got none"),
        ((PHOTO, "a", "--vocabulary", "dog, unicorn"), "80 classes, got unicorn"),
        ((PHOTO, "a", "--box-threshold", 1.5), "--box-threshold: expected a number, 0 to 1, got"),
        ((PHOTO, "a", "--text-threshold", "nan"), "expected a number, 0 to 1, got 'nan'"),
        ((PHOTO, "a", "--sigma", "wide"), "--sigma: expected a number, 1 to 100, got 'wide'"),
        ((PHOTO, "a", "--sigma", -1), "expected a number, 1 to 100, got '-1'"),
        ((PHOTO, "a", "--shiny"), "unrecognized arguments: --shiny"),
        (("nowhere.png", "a"), "no such file"),
        (("nowhere/*.png", "a"), "expected a glob that matches pictures, found none"),
        ((ROOT / "ssc", "a"), "expected a folder with pictures"),
        ((ROOT / "LICENSE", "a"), "expected a picture"),
        ((PHOTO, str(PHOTO), "a"), "quote the glob"),
    ],
)
def test_errors_are_one_line(run, argv, message):
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert "Traceback" not in err


def test_the_environment_names_the_default_set(run, monkeypatch):
    monkeypatch.setenv("SSC_MODELS", "paper")
    assert "expected one of mini, got 'paper'" in run(PHOTO, "left laptop")[2]
    assert run(PHOTO, "left laptop", "--models", "mini")[0] == 0


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert main([str(PHOTO), "left laptop", "--out", str(tmp_path / "out")], load) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_interrupt(capsys):
    def interrupted(name, correct):
        raise KeyboardInterrupt

    assert main([str(PHOTO), "left laptop"], interrupted) == 130
    assert capsys.readouterr().err == "error: interrupted\n"
