"""The mini LAVT's recipe: pixel classes first, then the whole chain of trainings."""

import json
from argparse import Namespace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssc.correct.lavt import LAVT
from ssc.correct.predict import CONFIGS, Corrector
from ssc.errors import InputError
from tests.train.toy import CONFIG
from train.data import RefSprites
from train.fit import initial as start
from train.mini import lavt, pixels
from train.mini.pixels import _at_cells
from train.scenes import render


def test_labels_are_those_of_the_cells_centres():
    classes = torch.arange(8).repeat(1, 6, 1)  # 1×6×8, each column its number
    assert _at_cells(classes, torch.Size((3, 4)), corners=False)[0, 0].tolist() == [
        1,
        3,
        5,
        7,
    ]
    assert _at_cells(classes, torch.Size((3, 4)), corners=True)[0, 0].tolist() == [
        0,
        2,
        5,
        7,
    ]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("positions", [False, True])
def test_pixel_classes_train_the_visual_layers_under_lavts_names(whole, positions):
    torch.manual_seed(0)
    config = CONFIG["lavt"] | {"positions": positions}
    network = pixels.PixelClasses(LAVT(**config), whole=whole)
    start_weights = {k: v.clone() for k, v in network.visual_weights().items()}
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    image = torch.randn(4, 3, 32, 32)
    classes = (image[:, 0] > 0).long() * 7
    totals = []
    for _ in range(12):
        loss = sum(pixels.pixel_losses(network(image), classes).values())
        totals.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert totals[-1] < 0.7 * totals[0]
    fresh = LAVT(**config)
    fit = fresh.load_state_dict(network.visual_weights(), strict=False)
    assert not fit.unexpected_keys
    unread = "classifier.conv1_1." if whole else "classifier."
    assert all("image_lang_att" in k or unread in k for k in fit.missing_keys)
    idle = [
        k
        for k, p in network.lavt.named_parameters()
        if k in start_weights and p.requires_grad and torch.equal(p, start_weights[k])
    ]
    assert not idle  # every layer that is handed on has learnt


class Truth:
    """A store for RefSprites in which the first of all instances is always chosen."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def name(self, index):
        return self.data[index].name

    def __getitem__(self, index):
        picture = self.data[index]
        candidates = SimpleNamespace(masks=picture.instances)
        return tuple(
            SimpleNamespace(expressions=o.expressions, candidates=candidates, chosen=0)
            for o in picture.objects
        )


@pytest.mark.long
def test_the_whole_recipe(tmp_path, monkeypatch):
    small = {**CONFIGS["mini"], "lavt": {**CONFIG["lavt"], "language_dim": 128}}
    monkeypatch.setitem(CONFIGS, "mini", small)
    monkeypatch.setattr(lavt, "choose_anew", lambda source, out: None)  # see test_pseudo.py
    monkeypatch.setattr("train.scenes.render", cache(render))  # 13 trainings on the same scenes

    def truth(folder):
        name = folder.name
        known = {"spatial-wide": ("train", 16), "spatial-fresh": ("train", 8, 0, 16)}
        return Truth(RefSprites(*known.get(name, ("train", 12)))), name

    monkeypatch.setattr(start, "open_store", truth)
    args = Namespace(
        pretrain_steps=3,
        pretrain_scenes=20,
        pretrain_only=False,
        data="refsprites:train:12",
        store=None,
        val="refsprites:val:2",
        names_epochs=0.8,
        bootstrap_epochs=2.0,
        spatial_epochs=2.0,
        correct_epochs=3.0,
        again_epochs=1.0,
        wide="refsprites:train:16",
        wide_store=tmp_path / "wide",
        wide_epochs=1.0,
        prior_epochs=1.0,
        large_epochs=2.0,
        fresh="refsprites:train:8:16",
        fresh_store=tmp_path / "fresh",
        fresh_epochs=2.0,
        rows=True,
        workers=0,
        seed=0,
        measure=2,
        runs=tmp_path / "runs",
        out=tmp_path / "assets",
    )
    with pytest.raises(InputError, match=r"expected pseudo-masks of refsprites:train:12"):
        lavt.train_lavt(args)
    args.store = tmp_path / "store"
    args.store.mkdir()
    with pytest.raises(InputError, match=r"expected pseudo-masks of refsprites:train:16"):
        lavt.train_lavt(args)
    args.wide_store.mkdir()
    args.fresh_store.mkdir()
    args.pretrain_only = True
    lavt.train_lavt(args)
    made = {folder.name for folder in args.runs.glob("lavt-*")}
    assert made == {"lavt-pixels", "lavt-begin", "lavt-names"}
    args.pretrain_only = False
    lavt.train_lavt(args)
    updates = {
        "names": 2,
        "bootstrap": 3,
        "spatial": 2,
        "correct": 3,
        "again": 1,
        "wide": 1,
        "prior": 1,
        "large": 2,
        "fresh": 1,
        "plus": 3,
        "prior-8": 3,
        "told": 2,
        "supervised": 1,
    }
    for run, done in updates.items():
        state = torch.load(args.runs / f"lavt-{run}" / "state.pt", weights_only=True)
        assert state["update"] == done, run
    folder = tmp_path / "assets" / "lavt"
    weights = (folder / "model.safetensors").stat().st_size
    full = (args.runs / "lavt-correct" / "model.safetensors").stat().st_size
    assert weights < 0.55 * full
    picture = RefSprites("val", 1)[0]
    answer = Corrector.load(folder).predict(picture.image, picture.objects[0].expressions)
    assert answer.shape == (3, 240, 320)
    assert np.isfinite(answer).all()
    card = (folder / "README.md").read_text()
    assert "mIoU" in card
    assert "class masks" in card
    assert json.loads((folder / "config.json").read_text())["size"] == [144, 192]
