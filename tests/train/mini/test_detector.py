"""What the mini detector learns from a scene: which cell learns which object, and its mask."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from ssc.models.bundled import ASSETS
from ssc.segment.mini import CONFIG, STRIDES, MiniFCOS, paste_masks
from train.mini import detector
from train.mini.detector import _crops, example, losses, match
from train.scenes.catalogue import SPRITES
from train.scenes.render import Instance, Scene

H, W = 96, 128


def scene(*boxes):
    """Filled rectangles, the later in front, of the first sprites of the catalogue."""
    ids = np.zeros((H, W), np.uint8)
    for k, (x0, y0, x1, y1) in enumerate(boxes, 1):
        ids[y0:y1, x0:x1] = k
    image = np.repeat((ids * 40)[..., None], 3, axis=2)
    instances = tuple(Instance(SPRITES[k], None, (0, 0), 1, 1) for k in range(len(boxes)))
    return Scene(image, ids, instances, {})


def anchors():
    levels = [torch.zeros(1, 1, H // s, W // s) for s in STRIDES]
    generator = AnchorGenerator(tuple((s,) for s in STRIDES), ((1.0,),) * len(STRIDES))
    return generator(ImageList(torch.zeros(1, 3, H, W), [(H, W)]), levels)[0]


def test_the_truth_of_a_scene():
    pixels, truth = example(scene((10, 20, 40, 60)), (H, W), flip=False)
    assert pixels.shape == (3, H, W)
    assert truth["boxes"].tolist() == [[10, 20, 40, 60]]
    assert truth["ids"].sum() == 30 * 40


def test_mirrored_truth_is_mirrored():
    _, truth = example(scene((10, 20, 40, 60)), (H, W), flip=True)
    assert truth["boxes"].tolist() == [[W - 40, 20, W - 10, 60]]


def test_half_the_size_halves_the_boxes():
    _, truth = example(scene((10, 20, 40, 60)), (H // 2, W // 2), flip=False)
    assert truth["boxes"].tolist() == [[5, 10, 20, 30]]


def test_a_hidden_object_is_not_learned_and_numbers_stay_right():
    _, truth = example(scene((10, 10, 30, 30), (8, 8, 40, 40), (60, 8, 80, 20)), (H, W), False)
    assert truth["boxes"].tolist() == [[8, 8, 40, 40], [60, 8, 80, 20]]
    assert set(truth["ids"].unique().tolist()) == {0, 1, 2}


@pytest.mark.parametrize("box", [(20, 20, 48, 50), (9, 9, 90, 80), (3, 5, 9, 60)])
def test_cells_on_an_object_learn_it_and_no_others_do(box):
    _, truth = example(scene(box), (H, W), False)
    cells = match(truth["ids"], truth["boxes"], anchors())
    assert (cells == 0).any()
    centres = anchors()[:, :2] + (anchors()[:, 2:] - anchors()[:, :2]) / 2
    x0, y0, x1, y1 = box
    inside = (centres > torch.tensor([x0, y0])) & (centres < torch.tensor([x1, y1]))
    assert inside.all(1)[cells == 0].all()
    assert set(cells.tolist()) == {-1, 0}


def test_what_hides_an_object_keeps_its_own_cells():
    _, truth = example(scene((8, 8, 56, 56), (24, 24, 40, 40)), (H, W), False)
    cells = match(truth["ids"], truth["boxes"], anchors())
    centres = (anchors()[:, :2] + anchors()[:, 2:]) / 2
    middle = ((centres > 26) & (centres < 38)).all(1)
    assert 0 not in cells[middle].tolist()
    assert 1 in cells[middle].tolist()


def test_nothing_in_the_scene_nothing_to_learn():
    _, truth = example(scene(), (H, W), False)
    assert (match(truth["ids"], truth["boxes"], anchors()) == -1).all()


def test_the_mask_target_pasted_back_is_the_object():
    _, truth = example(scene((8, 8, 56, 56), (24, 20, 40, 70)), (H, W), False)
    pasted = paste_masks(_crops(truth["ids"], truth["boxes"]), truth["boxes"], H, W)
    for k, mask in enumerate(pasted, 1):
        object_ = truth["ids"] == k
        assert (mask & object_).sum() / (mask | object_).sum() > 0.9


@pytest.mark.long
def test_a_few_steps_lower_every_loss():
    torch.manual_seed(0)
    small = {"widths": [8, 16, 16, 32], "blocks": [0, 1, 1, 1], "pyramid": 32, "convolutions": 1}
    model = MiniFCOS(CONFIG | small)
    model.pixels = nn.Conv2d(32, 81, 1)
    pixels, truth = example(scene((8, 8, 56, 56), (70, 20, 100, 70)), (H, W), False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(25):
        named = losses(model.train(), pixels[None], [truth])
        optimizer.zero_grad()
        sum(named.values()).backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in named.items()})
    for name in ("classification", "bbox_regression", "mask", "pixels"):
        assert history[-1][name] < 0.8 * history[0][name], name


def test_an_earlier_detector_goes_on(tmp_path, monkeypatch):
    shipped = ASSETS / "mini" / "detector" / "model.safetensors"
    monkeypatch.setattr(detector, "train", lambda model, *rest, **settings: (model, 0.0))
    model, _ = detector.train_detector(1, 1, 0, tmp_path, shipped)
    weights = load_file(shipped)
    assert model.state_dict().keys() == weights.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name].to(value.dtype)), name
