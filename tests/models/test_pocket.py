"""The pocket set put together, with stand-ins for the files that its networks are read from."""

import numpy as np
import pytest

from ssc.models.pocket import build_pocket

pytestmark = pytest.mark.long


class Texts:
    def encode_text(self, texts):
        return np.eye(1, 8, dtype=np.float32).repeat(len(texts), 0)


@pytest.fixture
def pipeline(monkeypatch):
    monkeypatch.setattr("ssc.segment.ssd.load_ssd", lambda *_: None)
    monkeypatch.setattr("ssc.segment.onnx_sam.load_onnx", lambda _: None)
    return build_pocket(Texts(), None)


def test_it_reads_words_and_chooses_by_them(pipeline):
    boxes = np.array([[x, 10, x + 10, 40] for x in (5, 30, 60)], np.float32)
    pipeline.segment.detector = type(
        "Zebras", (), {"detect": lambda *_: (boxes, np.float32([0.9, 0.8, 0.7]), ("zebra",) * 3)}
    )()
    masks = np.zeros((3, 50, 80), np.bool_)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
        mask[y0:y1, x0:x1] = True
    pipeline.segment.segmenter = type(
        "Masks", (), {"segment": lambda *_: (masks, np.ones(3, np.float32))}
    )()
    image = np.full((50, 80, 3), 128, np.uint8)
    image[masks[1]] = 200, 10, 10
    asked = ["zebra on the right", "second zebra from the left", "the red zebra", "zebra"]
    results = pipeline(image, asked)
    assert [result.selection.index for result in results] == [2, 1, 1, 0]
    assert all(result.selection.by_words for result in results)
