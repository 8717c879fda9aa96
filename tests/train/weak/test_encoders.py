"""Published image encoders, random, in place of LAVT's visual layers."""

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from ssc.correct.predict import MEAN, STD
from ssc.entry import Ended
from ssc.models.parts import WEIGHTS
from ssc.weights.reading import unfilled
from tests.tiny_clip import TINY
from tests.train.squares import squares
from tests.train.weak.toy import train
from train.evaluate.checkpoints import checkpoint
from train.weak.build import load
from train.weak.encoders import Encoder, resized
from train.weak.names import ENCODERS, SYSTEMS

RESNET = {**TINY, "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 8}}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Files of the encoders' CLIPs, tiny and random, in a cache of their own."""
    from open_clip.model import CLIP

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    configs = {"RN50-quickgelu": RESNET, "ViT-B-16-quickgelu": TINY}
    monkeypatch.setattr("open_clip.get_model_config", configs.__getitem__)
    torch.manual_seed(1)
    made = {}
    for name, architecture in ENCODERS.items():
        made[name] = CLIP(**configs[architecture]).eval()
        path = WEIGHTS[name][0].path
        path.parent.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in made[name].state_dict().items()}, path)
    file = type(WEIGHTS["clip-rn50"][0])
    monkeypatch.setattr(file, "present", property(lambda own: own.path.exists()))
    return made


def looked_at(encoder, clip, side):
    """Its maps of a random picture, and open_clip's own, which takes CLIP's colours."""
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    pixels = torch.rand(1, 3, side, side)
    ours, theirs = (
        (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        for mean, std in ((MEAN, STD), (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    )
    maps = clip.visual.forward_intermediates(theirs, intermediates_only=True)
    return encoder.look(ours), maps["image_intermediates"]


@torch.inference_mode()
def test_a_resnets_maps_are_its_layers(tiny):
    encoder, side = Encoder("clip-rn50", weights=True).train(), 96
    maps, own = looked_at(encoder, tiny["clip-rn50"], side)
    for found, expected in zip(maps, own[1:4], strict=True):  # after the stem; without the last
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert tuple(found.shape[1] for found in maps) == encoder.widths == (32, 64, 128)
    assert maps[0].shape[2] == side // encoder.cell


@torch.inference_mode()
def test_a_transformers_map_is_its_last_tokens(tiny):
    encoder = Encoder("clip-vit-b-16", weights=True)
    [found], own = looked_at(encoder, tiny["clip-vit-b-16"], 32)
    torch.testing.assert_close(found, own[-1], atol=1e-5, rtol=1e-4)
    assert (found.shape[1],) == encoder.widths
    [other] = encoder.look(torch.zeros(1, 3, 48, 80))
    assert other.shape[2:] == (3, 5) == (48 // encoder.cell, 80 // encoder.cell)


def test_positions_of_another_grid():
    across = torch.arange(3.0).repeat(3)  # of a square of three by three
    embedding = torch.cat([torch.tensor([[9.0]]), across[:, None]])
    assert resized(embedding, torch.Size((3, 3))) is embedding
    wide = resized(embedding, torch.Size((2, 6)))
    assert wide.shape == (13, 1)
    assert wide[0] == 9
    rows = wide[1:, 0].view(2, 6)
    assert torch.allclose(rows[0], rows[1])  # as they do not differ from row to row
    assert (rows[0].diff() > 0).all()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "widths"), [("clip-rn50", (256, 512, 1024)), ("clip-vit-b-16", (768,))]
)
def test_true_to_size(name, widths):
    with unfilled():
        encoder = Encoder(name)
    assert encoder.widths == widths
    with torch.inference_mode():
        finest, *_ = encoder.look(torch.zeros(1, 3, 96, 128))
    assert finest.shape == (1, widths[0], 96 // encoder.cell, 128 // encoder.cell)


@pytest.mark.parametrize(("method", "name"), [("tris", "clip-rn50"), ("tseg", "clip-vit-b-16")])
def test_a_training_from_published_weights(method, name, tiny, data, tmp_path):
    out = tmp_path / "out"
    train(method, data, out, 2, more=["--visual", name, "--size", 64, 64])
    corrector = load(out)
    weights = tiny[name].visual.state_dict()
    held = {k.removeprefix("encoder.visual."): v for k, v in corrector.model.state_dict().items()}
    same = [k for k in weights if k in held]
    assert len(same) > 10
    assert all(torch.equal(held[k], weights[k]) for k in same)  # not trained, norms included
    assert not any(k.startswith("lavt.") for k in corrector.model.state_dict())
    probability = corrector.predict(squares()[0], ["red square"])
    assert probability.shape == (1, *squares()[0].shape[:2])
    assert np.isfinite(probability).all()
    assert next(row.title for row in checkpoint("T", out)) == "T"
    other = next(n for n in ENCODERS if n != name)
    refused = f"--visual: expected the checkpoint's, {name}, got {other}"
    with pytest.raises(Ended, match=refused):
        train(method, data, tmp_path / "more", 1, more=["--visual", other, "--init", out])


def test_only_text_supervised_systems_take_one(data, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train("supervised", data, tmp_path, 1, more=["--visual", "clip-rn50"])
    wanted = f"--visual clip-rn50: expected with {' or '.join(SYSTEMS)}"
    assert wanted in capsys.readouterr().err


def test_damaged_weights_are_named(tiny, data, tmp_path):
    path = WEIGHTS["clip-rn50"][0].path
    path.write_bytes(b"x")
    with pytest.raises(Ended, match=f"{path.name}: expected weights as safetensors"):
        train("tris", data, tmp_path / "out", 1, more=["--visual", "clip-rn50"])
