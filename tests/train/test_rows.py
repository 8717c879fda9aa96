"""Rows of the evaluation on made-up candidates: what each chooses, and the published baselines'
wiring on tiny random networks, whose answers mean nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssc.clip import Clip
from ssc.models import MEAN, STD
from ssc.pipeline import MAX_OBJECTS, Pipeline
from ssc.select import Select
from ssc.select.prompts import CLIP_MEAN
from ssc.types import Candidates, ClassMatch, InputError, Result
from train.ablations import ablations, clips, without_projection
from train.baselines import Everything, GlobalLocal, best_box, cut_out, gl_clip, sam_select
from train.data import Picture, Referred
from train.rows import ROWS, ask, of_stage_3

H, W = 32, 48
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
OTHER = (0.6, 0.57, 0.56)


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

    def __init__(self, detector=None):
        self.detector = detector or SimpleNamespace(classes=("square",))
        self.segmenter = SimpleNamespace(segment=None)
        self.asked = []

    def __call__(self, image, expressions):
        self.asked.append(expressions)
        found = candidates_of(squares()[1])
        if "unicorn" in expressions[0]:
            found = Candidates.empty(H, W)
        return Result(tuple(expressions), (ClassMatch("square", "square", 1.0),), found)

    def varied(self, project):
        return self


def picture(*objects):
    image, masks = squares()
    referred = tuple(
        Referred(str(k), texts, None if k is None else masks[k]) for k, texts in objects
    )
    return Picture("a", image, referred, masks)


def pipeline():
    return Pipeline(Squares(), Select(ColourClip(), "crop"))


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


def test_what_each_row_chooses():
    parts = pipeline()
    asked = ask(parts, picture(*ASKED))
    assert asked.texts == ["red one", "square on the right", "green one", "unicorn"]
    assert asked.owners == (0, 0, 1, 1)
    rows = {name: chosen(ROWS[name](parts), asked) for name in ("oracle", "s+s", "spatial")}
    assert rows == {
        "oracle": [0, 0, 1, None],
        "s+s": [0, 0, 1, None],
        "spatial": [0, 2, 1, None],
    }


def test_matching_parts_objects_of_a_picture_turn_by_turn():
    parts = pipeline()
    asked = ask(parts, picture((0, ("red", "blue")), (1, ("red too", "blue"))))
    assert chosen(ROWS["s+s"](parts), asked) == [0, 2, 0, 2]
    first, second, third, fourth = chosen(ROWS["matched"](parts), asked)
    assert 0 in (first, third)
    assert first != third
    assert 2 in (second, fourth)
    assert second != fourth


def test_random_is_even_and_the_same_in_any_order():
    parts = pipeline()
    row = ROWS["random"](parts)
    many = [ask(parts, picture(*ASKED), seed) for seed in range(60)]
    drawn = [chosen(row, asked) for asked in many]
    assert [chosen(row, asked) for asked in many[::-1]][::-1] == drawn
    counts = np.bincount([k for choice in drawn for k in choice[:3]], minlength=3)
    assert counts.min() > 35  # of 180, a third is 60
    assert all(choice[3] is None for choice in drawn)


def test_the_oracle_of_a_box():
    parts = pipeline()
    image, masks = squares()
    box = candidates_of(masks).boxes[2] + 1
    thing = Referred("0", ("red",), box=box)
    assert chosen(ROWS["oracle"](parts), ask(parts, Picture("a", image, (thing,)))) == [2]


def test_more_expressions_than_one_call_takes():
    parts = pipeline()
    asked = ask(parts, picture((0, ("red one",) * (MAX_OBJECTS + 3)), (1, ("green one",))))
    assert chosen(ROWS["s+s"](parts), asked) == [0] * (MAX_OBJECTS + 3) + [1]


def test_rows_of_stage_3_need_one():
    for name in ("s+s+c", "snapped"):
        with pytest.raises(InputError, match="stage 3"):
            ROWS[name](pipeline())


def test_rows_of_stage_3():
    from ssc.correct import Correct

    def predict(image, expressions):
        shifted = np.roll(squares()[1][1], 1, axis=1)
        return np.repeat(shifted[None] * np.float32(0.9), len(expressions), axis=0)

    correct = Correct(SimpleNamespace(predict=predict))
    parts = pipeline()
    whole = Pipeline(parts.segment, parts.select, correct)
    asked = ask(whole, picture(*ASKED))
    expected = predict(None, [""])[0] > 0.5
    for row in (ROWS["s+s+c"](whole), of_stage_3("other", correct)):
        assert all(np.array_equal(mask, expected) for mask in row.masks(asked))
    snapped = ROWS["snapped"](whole).masks(asked)
    assert np.array_equal(snapped[0], squares()[1][1])
    assert np.array_equal(snapped[3], expected)  # no candidate to snap to


# The baselines.


def test_best_box_of_a_detector_that_knows_classes():
    parts = pipeline()
    row = best_box(parts)
    assert row.title == "best box of the class"
    assert chosen(row, ask(parts, picture(*ASKED))) == [0, 0, 0, None]


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


def test_grounding_is_asked_with_the_expression_and_its_best_box_counts():
    segment = Squares(Reading())
    prompts = []

    def fill(image, boxes):
        prompts.append(boxes)
        masks = np.zeros((len(boxes), H, W), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
            mask[y0:y1, x0:x1] = True
        return masks, np.ones(len(boxes), np.float32)

    segment.segmenter.segment = fill
    parts = Pipeline(segment, Select(ColourClip(), "crop"))
    asked = ask(parts, picture(*ASKED))
    row = best_box(parts)
    assert row.title == "G-DINO + SAM"
    assert chosen(row, asked) == [0, 2, 1, None]
    assert len(prompts) == 1
    assert segment.detector.threshold == 0.35  # the pipeline's own is as it was


def test_grounding_dino_itself_always_has_a_best_box(monkeypatch):
    monkeypatch.setattr("ssc.segment.grounding.SHORT_SIDE", 64)
    from ssc.segment.grounding import GroundingDetector, TransformersNetwork
    from tests.segment.tiny_grounding import shake, tiny_tokenizer, tiny_transformers

    tokenizer = tiny_tokenizer()
    network = TransformersNetwork(shake(tiny_transformers()), tokenizer)
    segment = Squares(GroundingDetector(network, tokenizer, 0.99))
    seen = []
    segment.segmenter.segment = lambda image, boxes: (
        seen.append(boxes) or np.ones((len(boxes), H, W), bool),
        None,
    )
    parts = Pipeline(segment, Select(ColourClip(), "crop"))
    masks = best_box(parts).masks(ask(parts, picture((0, ("the hot dog. left?",)))))
    assert seen[0].shape == (1, 4)
    assert masks[0].all()
    detector = segment.detector
    detector.threshold = detector.text_threshold = 0.0
    boxes, scores, _ = detector.detect(squares()[0], ["the hot dog. left?"])
    assert scores[0] == scores.max()
    np.testing.assert_array_equal(seen[0][0], boxes[0])


def test_sam_finds_everything_and_stage_2_chooses():
    from segment_anything import SamAutomaticMaskGenerator

    from ssc.segment.sam import SamSegmenter
    from tests.segment.test_sam import tiny_sam

    image = squares()[0]
    keep_all = {"pred_iou_thresh": -1e9, "stability_score_thresh": -1.0, "box_nms_thresh": 2.0}
    settings = {"points_per_side": 3, **keep_all}
    model = tiny_sam()
    theirs = SamAutomaticMaskGenerator(model, **settings).generate(image)
    found = Everything(SamSegmenter(model), **settings)(image)
    assert len(found) == len(theirs) > 1
    for mask, box, row in zip(found.masks, found.boxes, theirs):
        np.testing.assert_array_equal(mask, row["segmentation"])
        x, y, w, h = row["bbox"]  # of pixel centres, as theirs are
        assert box.tolist() == [x, y, x + w + 1, y + h + 1]
    half = Everything(SamSegmenter(tiny_sam(), dtype=torch.bfloat16), **settings)
    assert half(image).masks.shape[1:] == (H, W)
    none = Everything(SamSegmenter(model), points_per_side=2, pred_iou_thresh=1e9)
    assert len(none(image)) == 0


def test_rows_over_all_of_sams_masks(monkeypatch):
    from ssc.segment.sam import SamSegmenter
    from tests.segment.test_sam import tiny_sam

    found = candidates_of(squares()[1][::-1])
    monkeypatch.setattr(Everything, "__call__", lambda self, image: found)
    segment = Squares()
    segment.segmenter = SamSegmenter(tiny_sam())
    parts = Pipeline(segment, Select(ColourClip(), "crop"))
    asked = ask(parts, picture(*ASKED))
    assert chosen(sam_select(parts), asked) == [0, 0, 1, 0]  # "unicorn" has candidates too
    seen = []

    def score(self, image, masks, text, noun):
        seen.append(len(masks))
        return np.arange(len(masks))

    monkeypatch.setattr(GlobalLocal, "__init__", lambda self, clip: None)
    monkeypatch.setattr(GlobalLocal, "__call__", score)
    row = gl_clip(parts)
    assert row.title == "GL CLIP (SAM)"
    assert chosen(row, asked) == [0, 0, 0, 0]
    assert seen == [3] * 4
    mini = gl_clip(pipeline())
    assert mini.title == "GL CLIP (stage 1's candidates)"
    assert chosen(mini, ask(pipeline(), picture(*ASKED))) == [2, 2, 2, None]


def test_sam_select_without_sam_is_refused():
    with pytest.raises(InputError, match="automatic mask generator"):
        sam_select(pipeline())


# Global-local CLIP.


def tiny_clip(resnet):
    from open_clip import get_tokenizer
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision = (
        {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}
        if resnet
        else {"image_size": 64, "layers": 4, "width": 64, "patch_size": 16}
    )
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    model = CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text)
    return Clip(model, get_tokenizer("ViT-B-32"), 64, MEAN, STD)


@pytest.fixture(scope="module", params=["ResNet", "ViT"])
def clip(request):
    return tiny_clip(request.param == "ResNet")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def halves():
    masks = np.zeros((3, 64, 64), bool)
    masks[0, :, :32] = masks[1, :, 32:] = True
    masks[2] = True
    return masks


def test_the_whole_picture_inside_the_whole_mask_is_the_picture(clip, noise):
    rows = GlobalLocal(clip).whole(noise, halves())
    assert rows.shape == (3, 24)
    np.testing.assert_allclose(rows[2], clip.encode_images(noise[None])[0], atol=1e-5)
    assert np.abs(rows[0] - rows[1]).max() > 1e-4
    np.testing.assert_allclose(  # and the hooks are gone
        clip.encode_images(noise[None])[0], rows[2], atol=1e-5
    )


def test_batches_of_masks_do_not_matter(clip, noise, monkeypatch):
    score = GlobalLocal(clip)
    whole = score(noise, halves(), "the left square", "square")
    assert whole.shape == (3,)
    assert np.abs(whole).max() <= 1 + 1e-6
    monkeypatch.setattr("train.baselines.MASKS", 1)
    one_by_one = GlobalLocal(clip)(noise, halves(), "the left square", "square")
    np.testing.assert_allclose(one_by_one, whole, atol=1e-5)
    assert score(noise, np.zeros((0, 64, 64), bool), "square", "square").shape == (0,)


def test_weights_of_global_and_local(clip, noise):
    text = "man in the blue shirt"
    sentence, phrase = clip.encode_text([text, "man"])
    local = GlobalLocal(clip, alpha=0.0, beta=1.0)(noise, halves(), text, "man")
    cut = clip.encode_images(cut_out(noise, halves(), clip.size))
    np.testing.assert_allclose(local, cut @ sentence, atol=1e-5)
    whole = GlobalLocal(clip, alpha=1.0, beta=0.0)
    expected = whole.whole(noise, halves()) @ phrase
    np.testing.assert_allclose(whole(noise, halves(), text, "man"), expected, atol=1e-5)


def test_an_object_too_small_for_a_cell_still_counts(clip, noise):
    mask = np.zeros((1, 64, 64), bool)
    mask[0, 3, 3] = True
    rows = GlobalLocal(clip).whole(noise, mask)
    assert np.isfinite(rows).all()
    empty = GlobalLocal(clip).whole(noise, ~halves()[2:])
    assert np.isfinite(empty).all()
    assert np.abs(rows - empty).max() > 1e-4


def test_cut_out_is_the_object_and_nothing_around_it():
    image, masks = squares()
    cut = cut_out(image, np.concatenate([masks, np.zeros((1, H, W), bool)]), 20)
    assert cut.shape == (4, 20, 20, 3)
    for patch, colour in zip(cut, COLOURS):
        assert (patch == colour).all()
    assert (cut[3] == CLIP_MEAN).all()
    ring = masks[:1].copy()
    ring[0, 12:20, 6:10] = False
    assert tuple(cut_out(image, ring, 20)[0, 10, 10]) == CLIP_MEAN


def test_the_noun_phrase_of_what_is_named():
    score = GlobalLocal(tiny_clip(True))
    assert score._phrase("the old man in a red shirt", "man") == "the old man"
    assert score._phrase("A big Zebra on the left", "zebra") == "a big zebra"
    assert score._phrase("the one in the middle", "") == "the one in the middle"
    assert score._phrase("left", "zebra") == "zebra"


def test_another_image_encoder_is_refused():
    with pytest.raises(InputError, match="ResNet or a vision transformer"):
        GlobalLocal(SimpleNamespace(model=SimpleNamespace(visual=torch.nn.Identity())))


# The ablations.


def test_ablations_have_the_papers_rows():
    parts = pipeline()
    parts.segment.classes = SimpleNamespace(_clip=parts.select.clip)
    tables = ablations(parts, "mini")
    asked = ask(parts, picture(*ASKED))
    titles = [[row.title for row in rows] for rows in tables.values()]
    assert titles[0] == ["Oracle", "no projection (class names only)"]
    assert titles[1][:2] == ["Random", "Oracle"]
    assert {"red_ellipse, mini CLIP", "reverse_blur, mini CLIP"} <= set(titles[1])
    for rows in tables.values():
        for row in rows:
            assert len(chosen(row, asked)) == 4
    crops = next(row for row in tables[list(tables)[1]] if row.title == "crop, mini CLIP")
    assert chosen(crops, asked) == chosen(ROWS["s+s"](parts), asked)


def test_without_projection_unknown_nouns_find_nothing_or_are_read():
    class Refusing(Squares):
        def __call__(self, image, expressions):
            if "green" in expressions[0]:
                raise InputError("the mini set knows COCO's 80 classes only")
            return super().__call__(image, expressions)

    parts = pipeline()
    asked = ask(parts, picture(*ASKED))
    knowing = Pipeline(Refusing(), parts.select)
    assert chosen(without_projection(knowing), asked) == [0, 0, None, None]
    reading = Pipeline(Refusing(Reading()), parts.select)
    row = without_projection(reading)
    assert row.title == "no projection"
    with pytest.raises(InputError):
        row.masks(asked)


def test_the_clips_of_a_set():
    both = pipeline()
    both.segment.classes = SimpleNamespace(_clip=ColourClip())
    assert list(clips(both, "paper")) == ["clip-vit-b-32", "clip-vit-l-14-336"]
    assert clips(both, "paper")["clip-vit-l-14-336"] is both.select.clip
    assert list(clips(both, "mini")) == ["mini CLIP"]
