"""The published baselines' wiring on tiny random networks, whose answers mean nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssc.errors import InputError
from ssc.pipeline import Pipeline
from ssc.select import Select
from ssc.select.prompts import CLIP_MEAN
from tests.tiny_clip import tiny_clip
from tests.train.squares import (
    ASKED,
    COLOURS,
    ColourClip,
    H,
    Reading,
    Squares,
    W,
    candidates_of,
    chosen,
    picture,
    pipeline,
    squares,
)
from train.evaluate.baselines import (
    Everything,
    best_box,
    gl_clip,
    gl_clip_freesolo,
    sam_select,
)
from train.evaluate.global_local import GlobalLocal, cut_out
from train.evaluate.methods import ask

pytestmark = pytest.mark.long


def test_best_box_of_a_detector_that_knows_classes():
    parts = pipeline()
    row = best_box(parts)
    assert row.title == "best box of the class"
    assert chosen(row, ask(parts, picture(*ASKED))) == [0, 0, 0, None]


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
    parts = Pipeline(segment, Select(ColourClip(), prompt="crop"))
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
    segment = Squares(GroundingDetector(network, tokenizer, threshold=0.99))
    seen = []
    segment.segmenter.segment = lambda image, boxes: (
        seen.append(boxes) or np.ones((len(boxes), H, W), bool),
        None,
    )
    parts = Pipeline(segment, Select(ColourClip(), prompt="crop"))
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
    from tests.segment.tiny_sam import tiny_sam

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
    from tests.segment.tiny_sam import tiny_sam

    found = candidates_of(squares()[1][::-1])
    monkeypatch.setattr(Everything, "__call__", lambda self, image: found)
    segment = Squares()
    segment.segmenter = SamSegmenter(tiny_sam())
    parts = Pipeline(segment, Select(ColourClip(), prompt="crop"))
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


def test_gl_clip_over_all_that_freesolo_finds(monkeypatch):
    with pytest.raises(InputError, match="FreeSOLO's weights are not here"):
        gl_clip_freesolo(pipeline())
    found = candidates_of(squares()[1])
    everything = SimpleNamespace(everything=lambda image: found)
    monkeypatch.setattr("train.evaluate.baselines.freesolo", lambda: everything)
    monkeypatch.setattr(GlobalLocal, "__init__", lambda self, clip: None)
    first = lambda self, image, masks, text, noun: -np.arange(len(masks))  # noqa: E731
    monkeypatch.setattr(GlobalLocal, "__call__", first)
    row = gl_clip_freesolo(pipeline())
    assert row.title == "GL CLIP (FreeSOLO)"
    assert chosen(row, ask(pipeline(), picture(*ASKED))) == [0, 0, 0, 0]


def test_sam_select_without_sam_is_refused():
    with pytest.raises(InputError, match="automatic mask generator"):
        sam_select(pipeline())


# Global-local CLIP.


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
    monkeypatch.setattr("train.evaluate.global_local.MASKS", 1)
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
