"""What the page offers: model sets and checkpoints, without a browser."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import demo_app
import ssc
from ssc.correct import Correct
from ssc.errors import InputError
from ssc.models.by_picture import ByPicture
from ssc.page import choices as module
from ssc.page.choices import (
    AUTO,
    MAX_WORDS,
    Choices,
    ModelSet,
    find_choices,
    read_words,
    short_names,
)
from ssc.page.endpoints import asks, seconds_for
from ssc.page.gpu import on_gpu
from ssc.page.session import Question, stream
from ssc.page.texts import intro, photo_note
from tests.fake_pipeline import FakeCorrector, fake_pipeline, scene_image

OPTIONS = ["reverse_blur", 50, "argmax", 0, "own", 0, None, True, False, "mini", False, False]


def with_(**changed):
    named = dict(zip(module.OPTIONS, OPTIONS))
    return list({**named, **changed}.values())


def sets(*pipelines):
    return [ModelSet(name, lambda p=p: p) for name, p in zip(("mini", "base"), pipelines)]


def test_stage_3_of_choice():
    mini, base, toy = fake_pipeline(), fake_pipeline(correct=False), Correct(FakeCorrector())
    choices = Choices(sets(mini, base), {"toy": toy})
    assert (choices.models, choices.correct) == ("mini", "toy")
    assert choices.corrects == ["toy", "own", "off"]
    assert choices.pipeline("mini", "toy").correct is toy
    assert choices.pipeline("mini", "own").correct is mini.correct
    assert choices.pipeline("mini", "off").correct is None
    assert choices.pipeline("base", "own").correct is None
    assert choices.pipeline("base", "toy").segment is base.segment
    with pytest.raises(InputError, match="expected one of mini, base, got 'paper'"):
        choices.pipeline("paper")
    with pytest.raises(InputError, match="expected one of toy, own, off, got 'runs/a'"):
        choices.pipeline("mini", "runs/a")


@pytest.mark.parametrize(
    ("pipeline", "own", "correct", "corrects"),
    [
        (fake_pipeline(), True, "own", ["own", "off"]),
        (fake_pipeline(), False, "off", ["off"]),
        (fake_pipeline(correct=False), True, "off", ["off"]),
    ],
)
def test_without_checkpoints(pipeline, own, correct, corrects):
    choices = Choices(sets(pipeline), own=own)
    assert (choices.correct, choices.corrects) == (correct, corrects)


def test_options_reach_the_stages_and_nothing_is_changed_for_others():
    pipeline = fake_pipeline()
    choices = Choices(sets(pipeline))
    varied = choices.with_options(
        with_(prompt="crop", box_threshold=0.7, vocabulary="laptop,\n TV ", project=False)
    )
    assert varied.select.prompt == "crop"
    assert varied.segment.detector.threshold == 0.7
    assert varied.segment.classes.vocabulary == ("laptop", "tv")
    assert varied.segment.project is False
    plain = choices.with_options(OPTIONS)
    assert plain.segment.detector.threshold == 0.5
    assert len(plain.segment.classes.vocabulary) == 80
    assert plain.select.clip is varied.select.clip


def test_missing_weights_are_one_sentence():
    choices = Choices(
        [*sets(fake_pipeline()), ModelSet("base", fake_pipeline, "", lambda: "Do X.")]
    )
    with pytest.raises(InputError, match=r"^Do X\.$"):
        choices.with_options(with_(models="base"))
    assert choices.sets["base"].thresholds() == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        ("dog", ["dog"]),
        ("dog, cat\nhot dog,,\n", ["dog", " cat", "hot dog"]),
    ],
)
def test_words(text, words):
    assert read_words(text) == words


def test_too_many_words():
    with pytest.raises(InputError, match="at most 300 words, got 301"):
        read_words("dog,\n" * (MAX_WORDS + 1))
    with pytest.raises(InputError, match="at least one class name"):
        Choices(sets(fake_pipeline())).with_options(with_(vocabulary=", ,"))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["runs/a"], ["a"]),
        (["runs/a", "old/a", "b"], ["runs/a", "old/a", "b"]),
        (["someone/lavt", "x/own", "off"], ["lavt", "x/own", "off"]),
    ],
)
def test_short_names(paths, names):
    assert short_names(paths) == names


@pytest.mark.parametrize("wrong", ["no/such/folder", "README.md", "/nowhere"])
def test_a_wrong_checkpoint_is_one_line_at_start(wrong):
    with pytest.raises(SystemExit, match=f"^error: {wrong}: expected the folder of a checkpoint"):
        demo_app.main(["--correct", wrong])


def test_a_folder_without_a_checkpoint_is_one_line_at_start(tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*config.json: expected the configuration"):
        demo_app.main(["--correct", str(tmp_path)])


def test_an_unknown_model_set_is_one_line_at_start():
    with pytest.raises(SystemExit, match=r"^error: model set: expected one of mini, pocket"):
        demo_app.main(["--models", "huge"])


def test_the_environment_is_checked_at_start_too(monkeypatch):
    monkeypatch.setenv("SSC_MODELS", "huge")
    with pytest.raises(SystemExit, match=r"^error: SSC_MODELS: expected one of mini, pocket"):
        demo_app.main([])


@pytest.mark.parametrize(("present", "best"), [(False, "mini"), (True, "paper")])
def test_the_page_opens_with_the_best_set_that_is_here(monkeypatch, present, best):
    monkeypatch.delenv("SSC_MODELS", raising=False)
    monkeypatch.setattr("ssc.weights.files.Weights.present", present)
    monkeypatch.setattr(ssc, "load", lambda *_, **__: fake_pipeline())
    assert find_choices().models == best
    assert list(find_choices("base").sets) == ["base", "mini", "pocket", "lite", "paper"]


def test_the_sets_that_there_are(monkeypatch):
    choices = find_choices("mini", ["off"])
    assert list(choices.sets) == ["mini", "pocket", "lite", "base", "paper"]
    assert choices.corrects == ["off"]
    assert choices.sets["mini"].missing() == ""
    assert choices.pipeline("mini").segment is ssc.load("mini").segment
    monkeypatch.setattr("ssc.weights.files.Weights.present", False)
    monkeypatch.delenv("SSC_NO_DOWNLOADS", raising=False)
    run = "run python -m ssc models --download base"
    page = r"missing \(2\.3 GB\)\. Download them under “Networks .*” on the page, or "
    with pytest.raises(InputError, match=page + run):
        choices.pipeline("base")
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    with pytest.raises(InputError, match=r"missing \(2\.3 GB\)\. R" + run[1:]):
        choices.pipeline("base")


def test_zero_gpu_is_used_where_there_is_one(monkeypatch):
    lent, asked = [], []

    def lend(task, duration):
        lent.append(task)
        asked.append(duration)
        return task

    monkeypatch.setattr("ssc.page.gpu.spaces", SimpleNamespace(GPU=lend))
    choices = Choices(sets(fake_pipeline()))
    ask = asks(choices)
    assert len(lent) == 1
    small, large = (Question("", np.zeros((n, n, 3), np.uint8), [["a"]]) for n in (300, 4000))
    times = [asked[0](q, with_(models=m)) for q in (small, large) for m in ("mini", "paper")]
    assert times == [22, 47, 54, 79]  # by set and picture
    question = Question("a.jpg", scene_image(), [["left laptop"]])
    stages = list(lent[0](question, OPTIONS))
    assert [len(s.results) for s in stages] == [1, 1, 1]
    [error] = lent[0](question, with_(prompt="glow"))  # passed on as a value
    assert isinstance(error, InputError)
    assert ask is not lent[0]


def test_errors_come_through_zero_gpu(monkeypatch):
    monkeypatch.setattr("ssc.page.gpu.spaces", SimpleNamespace(GPU=lambda task, duration: task))
    choices = Choices(sets(fake_pipeline()))
    run = on_gpu(lambda *given: stream(choices, *given), seconds_for)
    with pytest.raises(InputError, match="prompt: expected one of"):
        list(run(Question("a.jpg", scene_image(), [["dog"]]), with_(prompt="glow")))


def test_without_the_package_nothing_is_wrapped():
    assert "spaces" not in sys.modules
    assert on_gpu(stream, seconds_for) is stream


def test_the_subtitle_names_the_corrected_model_where_there_is_one():
    assert "trained model" in intro(True)
    assert "trained model" not in intro(False)


def test_the_note_leads_to_real_weights():
    assert "answer here is not meaningful" in photo_note(True)
    assert "photographs answer:" in photo_note(True)  # by the buttons below it
    assert "once, with <code>python -m ssc models --download pocket</code>" in photo_note(False)


def test_by_the_picture_where_pocket_is_the_best_that_is_here(monkeypatch):
    photographs, scenes = fake_pipeline(correct=False), fake_pipeline()
    both = ByPicture(scenes, photographs)
    monkeypatch.delenv("SSC_MODELS", raising=False)
    monkeypatch.setattr("ssc.models.sets.default_set", lambda: "pocket")
    monkeypatch.setattr(ssc, "load", lambda name=None, **_: photographs if name else both)
    choices = find_choices()
    assert list(choices.sets) == [AUTO, "pocket", "mini", "lite", "base", "paper"]
    assert choices.sets[AUTO].thresholds() == (None, None)
    assert list(find_choices("pocket").sets) == ["pocket", "mini", "lite", "base", "paper"]
    assert choices.pipeline(AUTO, "off").scenes.correct is None
    looked = []
    monkeypatch.setattr("ssc.models.by_picture.is_unknown", lambda *_: looked.pop())
    options = dict(zip(module.OPTIONS, OPTIONS), models=AUTO)
    question = Question("a.jpg", scene_image(), [["left laptop"]])
    for photograph in (True, False):
        looked.append(photograph)
        *_, session = stream(choices, question, list(options.values()))
        assert (session.result.correction is None) == photograph
        assert not session.unknown


def test_titles_say_what_a_set_needs(monkeypatch):
    monkeypatch.setattr("ssc.weights.files.Weights.present", False)
    titles = {name: title for title, name in find_choices("mini").titles}
    assert titles["mini"] == "mini"
    assert titles["base"] == "base (needs 2.3 GB to download)"
    monkeypatch.setattr("ssc.weights.files.Weights.present", True)
    monkeypatch.setattr("ssc.models.published.find_spec", lambda _: None)
    choices = find_choices("mini")
    assert choices.sets["pocket"].title == "pocket (needs onnxruntime, by pip install onnxruntime)"
    with pytest.raises(InputError, match="The pocket set needs onnxruntime"):
        choices.pipeline("pocket")


def test_answers_of_models_that_cannot_know_the_picture_say_so():
    question = Question("a.jpg", scene_image(), [["left laptop"]])
    *_, session = stream(Choices(sets(fake_pipeline())), question, OPTIONS)
    assert [caption for _, caption in session.answers()] == ["Answer (not sure) · candidate 1"]
    doubtful = replace(session, unknown=True)
    assert [caption for _, caption in doubtful.answers()] == [
        "Answer (not sure) · candidate 1 · not meaningful"
    ]
    assert all(caption.endswith("· not meaningful") for _, caption in doubtful.sides())
