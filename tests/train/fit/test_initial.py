"""What a training of the paper's model begins with: BERT, and ImageNet's Swin."""

import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from ssc.correct.predict import CONFIGS, ReferringModel
from ssc.errors import InputError
from ssc.weights.files import Weights
from tests.train.tiny_lavt import LAVT_TINY, tiny_config
from train.fit import initial as start
from train.fit.initial import fill_visual, new_model
from train.fit.tokenizer import learn_tokenizer

VISUAL = re.compile(r"backbone\.(patch_embed|layers\.\d\.(blocks|downsample))\.")


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """swin_b's configuration of tiny networks, a BERT of that size, and an empty cache."""
    from transformers import BertConfig, BertModel

    tokenizer = learn_tokenizer(["left dog", "the man in blue"], 20)
    config = tiny_config(len(tokenizer))
    monkeypatch.setitem(CONFIGS, "swin_b", config)
    tokenizer.save_pretrained(tmp_path / "bert")
    BertModel(BertConfig(**config["bert"])).save_pretrained(tmp_path / "bert")
    monkeypatch.setattr(start, "BERT", SimpleNamespace(source=tmp_path / "bert", revision="main"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tokenizer


@pytest.fixture
def swin():
    """Weights as Microsoft's file has them, by its names."""
    torch.manual_seed(1)
    own = ReferringModel(LAVT_TINY, CONFIGS["swin_b"]["bert"]).lavt.state_dict()
    return {k.removeprefix("backbone."): v for k, v in own.items() if VISUAL.match(k)}


def published(swin, path):
    """Writes Swin's file: with a classifier, and masks that are made anew."""
    extra = {"norm.weight": torch.ones(2), "head.bias": torch.ones(2)}
    extra |= {"layers.0.blocks.1.attn_mask": torch.ones(2)}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": swin | extra}, path)


def holds(model, swin):
    return all(
        torch.equal(model.lavt.state_dict()[f"backbone.{name}"], value)
        for name, value in swin.items()
    )


def test_the_papers_model_begins_with_bert_and_imagenets_swin(swin, tmp_path, tiny):
    published(swin, start.SWIN.path)
    model, tokenizer, _ = new_model("swin_b", None, None, 0)
    assert start.SWIN.path.is_relative_to(tmp_path)
    assert holds(model, swin)
    assert tokenizer.get_vocab() == tiny.get_vocab()

    fresh, *_ = new_model("swin_b", None, "none", 0)
    again, *_ = new_model("swin_b", None, "none", 0)
    assert not holds(fresh, swin)
    fusion = "backbone.layers.0.fusion.project_mm.0.weight"  # not Swin's: by the seed alone
    assert torch.equal(model.lavt.state_dict()[fusion], fresh.lavt.state_dict()[fusion])
    assert torch.equal(fresh.lavt.state_dict()[fusion], again.lavt.state_dict()[fusion])
    bert = "embeddings.word_embeddings.weight"
    assert torch.equal(fresh.bert.state_dict()[bert], again.bert.state_dict()[bert])


def test_swin_is_downloaded_where_it_is_not_here(swin, tmp_path, monkeypatch):
    published(swin, tmp_path / "site" / start.SWIN.file)
    site = (tmp_path / "site").as_uri()
    monkeypatch.setattr(start, "SWIN", Weights(start.SWIN.file, site, "", None, None, "MIT"))
    model, *_ = new_model("swin_b", None, None, 0)
    assert holds(model, swin)
    assert start.SWIN.present


def test_without_a_network_the_way_out_is_named(monkeypatch):
    monkeypatch.setenv("SSC_NO_DOWNLOADS", "1")
    with pytest.raises(InputError, match=r"ImageNet's Swin-B\. swin_base.*--visual FILE.*none"):
        new_model("swin_b", None, None, 0)


def test_files_of_ones_own(swin, tmp_path):
    published(swin, tmp_path / "mine.pth")
    assert holds(new_model("swin_b", None, str(tmp_path / "mine.pth"), 0)[0], swin)
    some = {"backbone.patch_embed.proj.bias": torch.full((8,), 3.0)}
    save_file(some, tmp_path / "some.safetensors")
    model, *_ = new_model("swin_b", None, str(tmp_path / "some.safetensors"), 0)
    assert holds(model, {"patch_embed.proj.bias": some.popitem()[1]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda swin: swin.popitem(), "1 that differ, first backbone.layers.3.blocks"),
        (lambda swin: swin.update(new=torch.ones(1)), "1 that differ, first backbone.new"),
        (
            lambda swin: swin.update({"patch_embed.proj.bias": torch.ones(3)}),
            r"1 that differ, first backbone.patch_embed.proj.bias \(3,\)",
        ),
    ],
)
def test_another_networks_file_is_refused(swin, tmp_path, change, message):
    change(swin)
    published(swin, tmp_path / "swin.pth")
    with pytest.raises(InputError, match=rf"swin\.pth: expected weights of LAVT's.*{message}"):
        new_model("swin_b", None, str(tmp_path / "swin.pth"), 0)


def test_no_weights_at_all_are_refused(tmp_path):
    model = ReferringModel(LAVT_TINY, CONFIGS["swin_b"]["bert"])
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save({"state": {}}, tmp_path / "other.pth")
    for file, message in (
        ("text.safetensors", "expected weights as safetensors"),
        ("missing.safetensors", "expected weights as safetensors"),
        ("other.pth", 'expected weights under "model"'),
        ("missing.pth", "expected a .pth file of tensors only"),
    ):
        with pytest.raises(InputError, match=message):
            fill_visual(model, tmp_path / file)
