"""Words for a place as a preference over boxes: what is read, and the laws it obeys."""

import re
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssc.explain import explain
from ssc.export import result_record
from ssc.page.views import chips, score_bars
from ssc.result import Result
from ssc.select import Select
from ssc.select.spatial import guide
from ssc.types import Candidates, ClassMatch
from ssc.words.geometry import penalties
from ssc.words.read import Reader

W, H = 320, 240
READER = Reader()


def guided(scores, texts, boxes, height, width):
    return guide(scores, [READER.read(text) for text in texts], boxes, height, width)[0]


def boxes_at(xs, ys, side=20):
    return np.array([(x, y, x + side, y + side) for x, y in zip(xs, ys)], np.float32)


def test_the_place_named_is_chosen():
    boxes = boxes_at((200, 10, 150, 80), (10, 60, 120, 200))
    chosen = {
        "left": 1,
        "right": 0,
        "second from left": 3,
        "second from right": 2,
        "fourth from right": 1,
        "top": 0,
        "bottom": 3,
        "middle": 2,
        "closest": 3,
        "in the background": 0,
    }
    equal = np.full(4, 0.2, np.float32)
    for text, number in chosen.items():
        assert guided(equal, [text], boxes, H, W).argmax() == number, text


def test_no_candidates_and_fewer_than_the_rank():
    none = guided(np.zeros(0, np.float32), ["left"], np.zeros((0, 4), np.float32), H, W)
    assert none.shape == (0,)
    boxes = boxes_at((10, 100), (0, 0))
    scores = np.zeros(2, np.float32)
    assert guided(scores, ["third from left"], boxes, H, W) is scores
    missing = penalties(READER.read("third from left"), boxes, H, W).missing
    assert [str(place) for place in missing] == ["3 from left"]


def test_clip_decides_among_equals_and_several_expressions_share():
    boxes = boxes_at((10, 10, 200), (0, 100, 50))
    scores = np.array([0.1, 0.15, 0.3], np.float32)
    assert guided(scores, ["left one"], boxes, H, W).argmax() == 1
    once, twice = (guided(scores, texts, boxes, H, W) for texts in (["left"], ["left", "red"]))
    np.testing.assert_allclose(scores - twice, (scores - once) / 2, atol=1e-6)


NOUN = st.sampled_from(["man", "red car", "woman with the hat", "zebra"])
PLACED = st.sampled_from(
    [
        "left {}",
        "{} on the right",
        "second {} from the left",
        "{} third from right",
        "upper left {}",
        "{} in the bottom right corner",
        "middle {}",
        "{} facing left",
        "{} left of the tree",
        "{} right next to a car on the left",
        "front {} on the right side",
        "big {}",
    ]
)
BOXES = st.lists(
    st.tuples(*[st.integers(0, 139)] * 2, *[st.integers(1, 90)] * 2), min_size=1, max_size=6
).map(lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32))


@given(NOUN, PLACED, BOXES, st.integers(0, 99))
def test_a_mirrored_picture_and_sentence_give_the_mirrored_scores(noun, form, boxes, seed):
    text = form.format(noun)
    scores = np.random.default_rng(seed).uniform(-0.2, 0.4, len(boxes)).astype(np.float32)
    other = {"left": "right", "right": "left"}
    swapped = re.sub("(?:left|right)(?! next)", lambda match: other[match.group()], text)
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = W - boxes[:, [2, 0]]
    expected = guided(scores, [text], boxes, H, W)
    np.testing.assert_allclose(guided(scores, [swapped], mirrored, H, W), expected, atol=1e-6)


@given(NOUN, PLACED, BOXES, st.integers(1, 8))
def test_the_size_of_the_picture_and_the_order_of_boxes_do_not_matter(noun, form, boxes, factor):
    text = [form.format(noun)]
    scores = np.linspace(0, 0.3, len(boxes), dtype=np.float32)
    expected = guided(scores, text, boxes, H, W)
    scaled = guided(scores, text, boxes * factor, H * factor, W * factor)
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    turned = guided(scores[::-1], text, boxes[::-1], H, W)
    np.testing.assert_allclose(turned[::-1], expected, atol=1e-6)


@given(NOUN, BOXES)
def test_without_a_place_the_scores_are_as_they_were(noun, boxes):
    scores = np.linspace(-0.1, 0.3, len(boxes), dtype=np.float32)
    assert guided(scores, [noun, f"the {noun} that smiles"], boxes, H, W) is scores


@given(PLACED, BOXES)
def test_some_box_is_in_place(form, boxes):
    out = penalties(READER.read(form.format("man")), boxes, H, W).place
    if out is not None:
        assert out.min() == 0
        assert np.isfinite(out).all()


class Undecided:
    """A CLIP to which all pictures and texts are the same."""

    def encode_images(self, images):
        return np.ones((len(images), 1), np.float32)

    def encode_text(self, texts):
        return np.full((len(texts), 1), 0.5, np.float32)


IMAGE = np.zeros((H, W, 3), np.uint8)


def asked(*expressions):
    """Stage 1's results: three dogs at 10, 200 and 100 from the left, for each expression."""
    boxes = boxes_at((10, 200, 100), (10, 10, 10))
    masks = np.zeros((3, H, W), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
        mask[y0:y1, x0:x1] = True
    ones = np.ones(3, np.float32)
    candidates = Candidates(boxes, ones, ("dog",) * 3, masks, ones)
    match = ClassMatch("dog", "dog", 1.0)
    return [Result((t,), (match,), candidates, words=(READER.read(t),)) for t in expressions]


def test_stage_2_listens_where_it_is_told_to():
    dogs = asked("right dog", "second dog from the right", "brown dog")
    plain = Select(Undecided(), prompt="crop", spatial=False)
    assert [r.index for r in plain(IMAGE, dogs)] == [0, 0, 0]
    spatial = plain.with_options(spatial=True)
    assert [r.index for r in spatial(IMAGE, dogs)] == [1, 2, 0]
    assert [r.index for r in spatial.with_options(rule="matching")(IMAGE, dogs[:2])] == [1, 2]
    assert spatial.with_options().spatial


def test_clip_reads_looks_alone_where_boxes_tell_the_rest():
    texts = ("right brown dog", "brown dog", "brown dog left of the cat")
    looks, plain, related = asked(*texts)
    seen = replace(related, others={"cat": boxes_at((150,), (10,))})
    [vague] = asked("brown dog next to the fountain")  # of no class: no box can tell it

    class Noting(Undecided):
        def encode_text(self, texts):
            read.extend(texts)
            return super().encode_text(texts)

    for spatial, expected in (
        (True, ["brown dog", "brown dog", *texts[2:], "brown dog", *vague.expressions]),
        (False, [*texts, texts[2], *vague.expressions]),
    ):
        read: list[str] = []
        Select(Noting(), prompt="crop", spatial=spatial)(
            IMAGE, [looks, plain, related, seen, vague]
        )
        assert read == expected


def test_guided_scores_are_told_from_clips_own():
    plain = Select(Undecided(), prompt="crop", spatial=False)
    right, big = plain.with_options(spatial=True)(IMAGE, asked("right dog", "brown dog"))
    [unguided] = plain(IMAGE, asked("right dog"))
    assert right.selection.spatial
    assert np.array_equal(right.selection.clip_scores, unguided.selection.scores)
    boxes = right.candidates.boxes
    assert np.array_equal(
        right.selection.scores, guided(unguided.selection.scores, ["right dog"], boxes, H, W)
    )
    assert "(score 0.500 with words counted, next" in explain(right)
    record = result_record("a.png", IMAGE, right)
    assert record["selected"]["spatial"] is True
    for name, scores in (("clip", unguided.selection.scores), ("guided", right.selection.scores)):
        assert [c[f"{name}_score"] for c in record["candidates"]] == scores.tolist()
    assert "Score with words counted" in score_bars(right)
    for result in (big, unguided):  # it names no place; guidance is off
        assert not result.selection.spatial
        record = result_record("a.png", IMAGE, result)
        assert record["selected"]["spatial"] is False
        assert record["candidates"][0]["clip_score"] == 0.5
        assert record["candidates"][0]["guided_score"] is None
        assert "spatial" not in explain(result) + score_bars(result)


def test_what_was_understood_is_in_the_record_and_on_the_page():
    select = Select(Undecided(), prompt="crop")
    [result] = select(IMAGE, asked("brown dgo zzqx at the lft not wearing a hat"))
    record = result_record("a.png", IMAGE, result)
    [said] = record["words"]
    assert (said["places"], said["unread"]) == (["left"], ["zzqx"])
    assert {"typed": "lft", "read": "left"} in said["mended"]
    assert [c["place"] for c in record["candidates"]] == result.selection.parts["place"].tolist()
    assert record["candidates"][0]["place"] == 0 < record["candidates"][1]["place"]
    assert record["candidates"][0]["size"] is record["candidates"][0]["colour"] is None
    assert record["sure"] == result.sure == "likely"
    shown = chips(result.words[0])
    assert "<b>place</b> left" in shown
    assert "<s>zzqx</s>" in shown
    assert "<b>not</b> wearing a hat" in shown
    assert "How well each candidate fits" in score_bars(result)
    [plain] = select(IMAGE, asked("brown dog"))
    assert "How well each candidate fits" not in score_bars(plain)


def test_what_cannot_be_answered_as_asked_is_not_sure():
    select = Select(Undecided(), prompt="crop")
    for text in ("seventh dog from the left", "all the dogs", "der Hund links"):
        [result] = select(IMAGE, asked(text))
        assert result.sure == "not sure", text
    assert result.with_override(1).sure is None
