"""Model cards: what the Hub reads of them; the committed ones are as the code writes them."""

import sys

import pytest
from huggingface_hub import ModelCard
from torch import nn

from ssc.models.bundled import ASSETS
from train.mini import __main__, lavt
from train.mini.card import head, write_card

CARDS = {
    "detector": (__main__.ABOUT_DETECTOR, __main__.HEAD_DETECTOR),
    "clip": (__main__.ABOUT_CLIP, __main__.HEAD_CLIP),
    "lavt": (lavt.ABOUT.format(parameters=3.27), lavt.HEAD),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_committed_card(name):
    about, (task, *tags) = CARDS[name]
    text = (ASSETS / "mini" / name / "README.md").read_text()
    assert text.startswith(f"---\n{head(task, *tags)}\n---\n")
    assert f"\n{about}\n" in text
    data = ModelCard(text).data
    assert (data.license, data.pipeline_tag) == ("apache-2.0", task)
    assert data.library_name == "segment-select-correct"
    assert {*tags, "weakly-supervised"} <= {*data.tags}


def test_a_card_says_how_and_not_where(tmp_path, monkeypatch):
    words = [
        "mini",
        "clip",
        "--out",
        "/somewhere",
        "--steps",
        "9",
        "--runs",
        "/else",
        "--seed",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", words)
    write_card(
        tmp_path,
        "Toy",
        "A toy.",
        head("image-segmentation"),
        nn.Linear(1000, 10),
        {"mIoU": 0.5},
        seed=1,
        steps=9,
        seconds=90.0,
    )
    text = (tmp_path / "README.md").read_text()
    assert "| command | `python -m train.mini clip --steps 9 --seed 1` |" in text
    assert "| training time | 2 min |" in text
    assert "| parameters | 0.01 M, stored in half precision |\n| mIoU | 0.500 |" in text
    assert ModelCard(text).data.pipeline_tag == "image-segmentation"
