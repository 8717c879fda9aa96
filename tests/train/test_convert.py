"""The authors' checkpoints into ours and back: every name, every value, no pickle."""

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ssc.correct.authors import from_authors, to_authors
from ssc.correct.lavt import LAVT
from ssc.correct.predict import CONFIGS, Corrector, ReferringModel
from ssc.errors import InputError
from tests.train.tiny_lavt import tiny_config
from train.convert import main
from train.fit.tokenizer import learn_tokenizer

pytestmark = pytest.mark.long

KEYS = Path(__file__).parents[1] / "data" / "golden" / "official_lavt_swinb_keys.json"


@pytest.fixture(scope="module")
def tokenizer():
    return learn_tokenizer(["left dog", "the man in blue"], 20)


@pytest.fixture
def tiny(monkeypatch, tokenizer):
    """The configuration that the converter builds, of tiny networks."""
    config = tiny_config(len(tokenizer))
    monkeypatch.setitem(CONFIGS, "swin_b", config)
    return config


@pytest.fixture
def authors(tiny, tmp_path, tokenizer):
    """A file of the authors' form, with what theirs has besides, and its model."""
    torch.manual_seed(0)
    model = ReferringModel(tiny["lavt"], tiny["bert"])
    held = {
        "model": model.lavt.state_dict(),
        "bert_model": {**model.bert.state_dict(), "embeddings.position_ids": torch.arange(4)},
        "optimizer": {"state": {}, "param_groups": [{"lr": 5e-5}]},
        "epoch": 39,
        "args": argparse.Namespace(window12=True),
    }
    torch.save(held, tmp_path / "authors.pth")
    tokenizer.save_pretrained(tmp_path / "words")
    return tmp_path / "authors.pth", model


def test_our_full_size_names_are_the_published_ones():
    with torch.device("meta"):
        own = LAVT(**CONFIGS["swin_b"]["lavt"]).state_dict()
    shapes = {name: list(value.shape) for name, value in own.items()}
    assert shapes == json.loads(KEYS.read_text())


def test_there_and_back(authors, tmp_path):
    path, model = authors
    assert main([str(path), str(tmp_path / "ours"), "--tokenizer", str(tmp_path / "words")]) == 0
    loaded = Corrector.load(tmp_path / "ours")
    expected = model.state_dict()
    assert loaded.model.state_dict().keys() == expected.keys()
    assert all(torch.equal(v, expected[k]) for k, v in loaded.model.state_dict().items())
    image = np.zeros((20, 30, 3), np.uint8)
    assert loaded.predict(image, ["left dog"]).shape == (1, 20, 30)

    assert main([str(tmp_path / "ours"), str(tmp_path / "back.pth")]) == 0
    held = torch.load(tmp_path / "back.pth", weights_only=True)
    assert set(held) == {"model", "bert_model"}
    assert all(torch.equal(v, model.lavt.state_dict()[k]) for k, v in held["model"].items())
    assert held["bert_model"].keys() == model.bert.state_dict().keys()
    assert not list(tmp_path.glob("*.incomplete"))
    from_authors(tmp_path / "back.pth", tmp_path / "again", str(tmp_path / "words"))
    first, second = (load_file(tmp_path / f / "model.safetensors") for f in ("ours", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("bert_model"), "expected weights under model and bert_model, got"),
        (lambda held: held["model"].popitem(), "1 missing, first lavt.classifier.conv1_1.bias"),
        (lambda held: held["model"].update(new=torch.zeros(1)), "1 unknown, first lavt.new"),
        (
            lambda held: held["bert_model"].update({"embeddings.LayerNorm.bias": torch.zeros(3)}),
            r"1 of another shape, first bert.embeddings.LayerNorm.bias \(3,\) instead of \(16,\)",
        ),
    ],
)
def test_anything_else_is_refused(authors, tmp_path, change, message):
    path, _ = authors
    with torch.serialization.safe_globals([argparse.Namespace]):
        held = copy.deepcopy(torch.load(path, weights_only=True))
    change(held)
    torch.save(held, path)
    with pytest.raises(InputError, match=message):
        from_authors(path, tmp_path / "ours", str(tmp_path / "words"))
    assert not (tmp_path / "ours").exists()


class Harmful:
    def __reduce__(self):
        return print, ("a pickle was run",)


def test_no_pickle_is_run(authors, tmp_path, capsys):
    path, _ = authors
    torch.save({"model": {}, "bert_model": {}, "args": Harmful()}, path)
    with pytest.raises(SystemExit) as end:
        main([str(path), str(tmp_path / "ours")])
    assert end.value.code == 2
    told = capsys.readouterr()
    assert "a pickle was run" not in told.out + told.err
    assert "expected a .pth file of tensors only" in told.err


def test_no_tokenizer(authors, tmp_path, monkeypatch):
    path, _ = authors
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="name a folder that has it with --tokenizer"):
        from_authors(path, tmp_path / "ours", str(tmp_path / "nothing"))


def test_a_folder_that_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="expected the configuration"):
        to_authors(tmp_path, tmp_path / "back.pth")
