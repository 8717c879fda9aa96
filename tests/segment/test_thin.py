"""Pictures of a pixel or two across, and of a few pixels in all, through all sets' networks."""

import numpy as np
import pytest
import torch

import ssc
from ssc.correct.predict import preprocess as for_lavt
from ssc.export import write_result
from ssc.scale import thickened
from ssc.segment.grounding import LONG_SIDE
from ssc.segment.grounding import preprocess as for_grounding
from ssc.segment.onnx_sam import OnnxSamSegmenter
from ssc.segment.sam import SamSegmenter
from ssc.segment.ssd import SsdDetector, _views
from ssc.select.prompts import VISUAL_PROMPTS, make_prompts
from tests.segment.onnx_sessions import Encoder
from tests.segment.tiny_sam import tiny_sam

SIZES = [(3000, 1), (2, 1000), (1, 9000), (5000, 3), (1, 1), (1, 2), (7, 7), (4, 60)]


def picture(size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def box_of(size):
    h, w = size
    return np.array([[0, 0, w, h], [0.2 * w, 0.2 * h, 0.7 * w, 0.9 * h]], np.float32)


@pytest.fixture(scope="module")
def pipeline():
    return ssc.load("mini")


@pytest.mark.parametrize("size", SIZES)
def test_case_1_mini_answers(pipeline, tmp_path, size):
    image = picture(size)
    results = pipeline(image, ["man", "the left one"])
    assert all(result.mask.shape == size for result in results)
    network = pipeline.segment.detector.network
    masks, _ = network.masks(image, box_of(size))
    assert masks.shape == (2, *size)
    assert len(write_result(tmp_path, "x", image, results, "x.png")) > 3
    assert results[0].overlay().size == size[::-1]


@pytest.mark.parametrize("size", SIZES)
def test_every_network_has_a_pixel_across(size):
    image, boxes = picture(size), box_of(size)
    shape = for_grounding(image).shape
    assert min(shape) >= 1
    assert max(shape) <= LONG_SIDE * 1.5
    assert for_lavt(torch.from_numpy(image[None]), (96, 128)).shape == (1, 3, 96, 128)
    masks, qualities = SamSegmenter(tiny_sam()).segment(image, boxes)
    assert (masks.shape, len(qualities)) == ((2, *size), 2)
    for h, w in ((y1 - y0, x1 - x0) for x0, y0, x1, y1 in _views(*size, True)):
        assert h >= 1
        assert w >= 1
    for name in VISUAL_PROMPTS:
        prompts = make_prompts(name, image, np.ones((2, *size), bool), boxes)
        assert min(prompts.shape) >= 1


class Decoder:
    def run(self, names, feeds):
        return [np.array([[0.9]], np.float32), np.full((1, 1, 256, 256), 8, np.float32)]


class Net:
    def setInput(self, blob):
        assert min(blob.shape) >= 1

    def forward(self):
        return np.array([[[[0, 1, 0.9, 0.1, 0.0, 0.9, 1.0]]]], np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_pockets_networks(size):
    image = picture(size)
    boxes, _, labels = SsdDetector(Net()).detect(image, ["person"])
    assert set(labels) == {"person"}
    masks, _ = OnnxSamSegmenter(Encoder(), Decoder()).segment(image, boxes)
    assert masks.shape == (len(boxes), *size)
    assert masks.any()


def test_only_what_is_too_thin_is_stretched():
    image = picture((640, 2))
    assert thickened(image, 320) is image
    assert thickened(image, 319).shape == (640, 3, 3)
    assert thickened(picture((1, 3000)), 320).shape == (10, 3000, 3)
