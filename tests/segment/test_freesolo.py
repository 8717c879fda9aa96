"""FreeSOLO behind the Segmenter protocol, and its published weights' names."""

import pickle

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssc.errors import InputError, OptionError
from ssc.segment.freesolo import FreeSolo, around
from ssc.segment.solo import Seen, Solo, SoloConfig
from ssc.segment.solo_weights import load_solo, own_name
from tests.segment.tiny_solo import TINY, published_names, published_weights, tiny_solo

SIDES = (64, 96)


class Colours(torch.nn.Module):
    """In place of the network: an instance is all that is red, one all that is blue."""

    config = SoloConfig(grids=(3,))

    def __init__(self, likely=(0.9, 0.8)):
        super().__init__()
        self.likely = likely
        self.seen = []

    def forward(self, batch):
        self.seen.append(batch.shape)
        features = F.avg_pool2d(batch, 4)  # red, green, blue; a mean colour is 0
        kernels, scores = torch.zeros(9, 3), torch.zeros(9)
        kernels[0], kernels[8] = torch.tensor([[5.0, -5, -5], [-5, -5, 5]])
        scores[0], scores[8] = self.likely  # no neighbours in the grid
        categories = torch.logit(scores, eps=1e-6)[None, :, None]
        return Seen(categories, kernels[None], torch.full((9,), 4.0), features)


def scene(h=120, w=160):
    """Green, with a red and a blue rectangle."""
    image = np.full((h, w, 3), (40, 190, 20), np.uint8)
    red, blue = np.zeros((2, h, w), np.bool_)
    red[20:60, 30:90] = True
    blue[70:110, 100:150] = True
    image[red], image[blue] = (220, 20, 20), (20, 20, 220)
    return image, red, blue


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_the_instance_that_fits_the_box_is_taken_in_the_pictures_frame():
    image, red, blue = scene()
    boxes = np.array([[30, 20, 90, 60], [100, 70, 150, 110], [10, 10, 155, 118]], np.float32)
    masks, qualities = FreeSolo(Colours(), sides=(320, 480)).segment(image, boxes)
    assert masks.shape == (3, 120, 160)
    assert iou(masks[0], red) > 0.95
    assert iou(masks[1], blue) > 0.95
    assert iou(masks[2], red) > 0.95  # both are there: red fits the large box better
    assert (qualities > 0.9).all()
    assert (qualities <= 1).all()


def test_where_nothing_is_found_the_mask_is_empty():
    image, _, _ = scene()
    boxes = np.array([[30, 20, 90, 60], [0, 100, 20, 120], [-9, -9, -5, -5]], np.float32)
    masks, qualities = FreeSolo(Colours(likely=(0.02, 0.02)), sides=SIDES).segment(image, boxes)
    assert not masks.any()
    assert not qualities.any()
    masks, _ = FreeSolo(Colours(), sides=SIDES).segment(image, boxes)
    assert masks.any((1, 2)).tolist() == [True, False, False]


def test_a_crop_is_seen_once_and_at_its_own_size():
    image, _, _ = scene()
    network = Colours()
    segmenter = FreeSolo(network, sides=SIDES)
    boxes = np.array([[30, 20, 90, 60], [100, 70, 150, 110]], np.float32)
    first = segmenter.segment(image, boxes)
    again = segmenter.segment(image, boxes[::-1])
    assert np.array_equal(first[0], again[0][::-1])
    assert network.seen == [(1, 3, 64, 96), (1, 3, 64, 96)]
    segmenter.segment(image[:, :90], boxes[:1])
    assert len(network.seen) == 3
    empty = segmenter.segment(image, boxes[:0])
    assert empty[0].shape == (0, 120, 160)
    assert empty[1].shape == (0,)


def test_a_crop_goes_a_tenth_beyond_its_box_and_not_beyond_the_picture():
    assert around(np.array([30, 20, 90, 60]), (120, 160)) == (slice(16, 64), slice(24, 96))
    assert around(np.array([0, 0, 160, 120]), (120, 160)) == (slice(0, 120), slice(0, 160))
    assert around(np.array([-9, 500, -5, 501]), (120, 160)) == (slice(119, 120), slice(0, 1))


def test_everything_in_a_picture():
    image, red, blue = scene()
    found = FreeSolo(Colours(), sides=(320, 480)).everything(image)
    assert [iou(mask, own) > 0.9 for mask, own in zip(found.masks, (red, blue))] == [True] * 2
    np.testing.assert_allclose(found.boxes, [[30, 20, 90, 60], [100, 70, 150, 110]], atol=2)
    assert found.scores[0] > found.scores[1] > 0.7
    assert len(FreeSolo(Colours((0, 0)), sides=SIDES).everything(image)) == 0


@pytest.mark.parametrize("frame", [(1, 1), (1, 200), (150, 2)])
def test_thin_pictures(frame):
    image = np.full((*frame, 3), 90, np.uint8)
    box = np.array([[0, 0, frame[1], frame[0]]], np.float32)
    masks, qualities = FreeSolo(tiny_solo(), sides=SIDES, threshold=0.0).segment(image, box)
    assert masks.shape == (1, *frame)
    assert np.isfinite(qualities).all()


def test_a_random_network_gives_a_box_alone_what_it_gives_among_others():
    image = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    boxes = np.array([[5, 5, 60, 50], [20, 10, 88, 69], [0, 0, 90, 70]], np.float32)
    together, qualities = FreeSolo(tiny_solo(), sides=SIDES).segment(image, boxes)
    for k in range(len(boxes)):
        mask, quality = FreeSolo(tiny_solo(), sides=SIDES).segment(image, boxes[k : k + 1])
        assert np.array_equal(mask[0], together[k])
        assert quality[0] == qualities[k]
    assert together.any((1, 2)).all()


def test_a_threshold_beyond_1_is_refused():
    with pytest.raises(OptionError, match="threshold"):
        FreeSolo(Colours(), threshold=1.5)


def test_all_published_names_of_the_true_network_are_known():
    with torch.device("meta"):
        own = Solo().state_dict()
    names = published_names(SoloConfig())
    assert {own_name(theirs): theirs for theirs in names}.keys() == own.keys()
    assert [own_name(theirs) for theirs in names] == list(names.values())


def test_published_weights_load_and_answer_alike(tmp_path):
    model = tiny_solo()
    torch.save(published_weights(model), tmp_path / "solo.pth")
    loaded = load_solo(tmp_path / "solo.pth", TINY)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for one, other in zip(model(image), loaded(image)):
            assert torch.equal(one, other)
    assert not loaded.training


def test_other_weights_are_told_in_one_line(tmp_path):
    path = tmp_path / "solo.pth"
    held = published_weights(tiny_solo())
    model = held["model"]
    del model["ins_head.cate_pred.bias"]
    model["ins_head.more"] = torch.zeros(1)
    model["ins_head.kernel_pred.bias"] = torch.zeros(3)
    torch.save(held, path)
    with pytest.raises(InputError) as told:
        load_solo(path, TINY)
    message = str(told.value)
    for part in (
        "1 missing, first cells.category.bias",
        "1 unknown, first ins_head.more",
        "cells.kernel.bias (3,) instead of (32,)",
        str(path),
    ):
        assert part in message
    torch.save({"model": [1]}, path)
    with pytest.raises(InputError, match='names and tensors under "model", got a list'):
        load_solo(path, TINY)


def test_a_pickle_is_not_opened_and_how_to_convert_is_said(tmp_path):
    path = tmp_path / "solo.pkl"
    ours = published_weights(tiny_solo())["model"]
    arrays = {name: value.numpy() for name, value in ours.items()}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "someone"}))
    with pytest.raises(InputError, match="convert it: import pickle, torch; ") as told:
        load_solo(path, TINY)
    line = str(told.value).partition("convert it: ")[2]
    exec(line.replace("'IN'", repr(str(path))).replace("'OUT.pth'", repr(str(path) + ".pth")))
    load_solo(path.with_name("solo.pkl.pth"), TINY)
    with pytest.raises(InputError, match="No such file") as told:
        load_solo(tmp_path / "none.pth", TINY)
    assert "pickle.load" not in str(told.value)
