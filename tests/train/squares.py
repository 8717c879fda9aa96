"""Three squares of a colour each, and stages that know them: what rows are tested on."""

from types import SimpleNamespace

import numpy as np

from ssc.pipeline import Pipeline
from ssc.result import Result
from ssc.select import Select
from ssc.types import Candidates, ClassMatch
from ssc.words.read import Reader
from train.data import Picture, Referred

H, W = 32, 48
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
OTHER = (0.6, 0.57, 0.56)


READER = Reader()


def squares():
    """A red, a green and a blue square from left to right; masks bool 3×H×W."""
    masks = np.zeros((3, H, W), bool)
    image = np.full((H, W, 3), 128, np.uint8)
    for k, (mask, colour) in enumerate(zip(masks, COLOURS)):
        mask[8:24, 16 * k + 2 : 16 * k + 14] = True
        image[mask] = colour
    return image, masks


def candidates_of(masks, scores=None):
    from ssc.metrics import mask_box

    scores = np.linspace(0.9, 0.5, len(masks), dtype=np.float32) if scores is None else scores
    boxes = np.array([mask_box(mask) for mask in masks], np.float32).reshape(-1, 4)
    return Candidates(boxes, scores, ("square",) * len(masks), masks, scores)


class ColourClip:
    """Sees what is purely of a colour, and reads the first word; others mean any, red rather."""

    def encode_images(self, images):
        pure = [(images == colour).all(axis=-1).sum(axis=(1, 2)) for colour in COLOURS]
        counts = np.stack(pure, axis=1) + 1e-3  # N×3
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)

    def encode_text(self, texts):
        return np.array([WORDS.get(text.split()[0], OTHER) for text in texts], np.float32)


class Squares:
    """Stage 1 that finds all squares, and none of what is called a unicorn."""

    paper, project = False, True

    def __init__(self, detector=None):
        self.detector = detector or SimpleNamespace(classes=("square",))
        self.segmenter = SimpleNamespace(segment=None)
        self.asked = []

    def __call__(self, image, expressions):
        self.asked.append(expressions)
        found = candidates_of(squares()[1])
        if "unicorn" in expressions[0]:
            found = Candidates.empty(H, W)
        words = tuple(READER.read(text) for text in expressions)
        match = ClassMatch("square", "square", 1.0)
        return Result(tuple(expressions), (match,), found, words=words)

    def with_options(self, **options):
        return self


def picture(*objects):
    image, masks = squares()
    referred = tuple(
        Referred(str(k), texts, None if k is None else masks[k]) for k, texts in objects
    )
    return Picture("a", image, referred, masks)


def pipeline():
    return Pipeline(Squares(), Select(ColourClip(), prompt="crop"))


def chosen(row, asked):
    """Index of the square that each mask is, None for no mask at all."""
    squares_ = squares()[1]
    out = []
    for mask in row.masks(asked):
        assert mask.shape == (H, W)
        assert mask.dtype == np.bool_
        same = [k for k in range(3) if np.array_equal(mask, squares_[k])]
        out.append(same[0] if same else None)
        assert same or not mask.any()
    return out


ASKED = ((0, ("red one", "square on the right")), (1, ("green one", "unicorn")))


class Reading:
    """A detector that takes the expression: its boxes, however low they score."""

    def __init__(self):
        self.threshold = self.text_threshold = 0.35
        self.calls = []

    def detect(self, image, names):
        self.calls.append((self.threshold, self.text_threshold, tuple(names)))
        boxes = candidates_of(squares()[1]).boxes
        order = {"green one": [1, 0], "red one": [0], "square on the right": [2, 1, 0]}
        found = boxes[order.get(names[0], [])].reshape(-1, 4)
        return found, np.full(len(found), 0.1, np.float32), tuple(names) * len(found)
