"""Stage 2 with a fake CLIP: one call, kept embeddings, scores as defined."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssc.errors import InputError, OptionError
from ssc.explain import explain
from ssc.result import Result
from ssc.select import Select
from ssc.types import Candidates, ClassMatch, Selection

H, W = 48, 64
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "reddish": (0.8, 0.6, 0)}


class FakeClip:
    """Sees the mean colour and knows the words of `WORDS`."""

    def __init__(self):
        self.images, self.texts = [], []

    def encode_images(self, images):
        self.images.append(len(images))
        colours = images.reshape(len(images), -1, 3).mean(axis=1)
        return (colours / np.linalg.norm(colours, axis=1, keepdims=True)).astype(np.float32)

    def encode_text(self, texts):
        self.texts.append(list(texts))
        return np.array([WORDS[text] for text in texts], np.float32)


def stripes():
    """Red, green and blue stripes on black, one candidate each."""
    image = np.zeros((H, W, 3), np.uint8)
    masks = np.zeros((3, H, W), bool)
    for i in range(3):
        masks[i, :, 20 * i : 20 * i + 16] = True
        image[masks[i], i] = 255
    boxes = np.array([[20 * i, 0, 20 * i + 16, H] for i in range(3)], np.float32)
    ones = np.ones(3, np.float32)
    return image, Candidates(boxes, ones, ("stripe",) * 3, masks, ones)


def result(candidates, *expressions):
    return Result(expressions, (ClassMatch("stripe", "stripe", 1.0),), candidates)


def cropping(clip):
    return Select(clip, prompt="crop")


def test_nothing_found_runs_no_encoder():
    clip = FakeClip()
    empty = Candidates.empty(H, W)
    [out] = Select(clip)(np.zeros((H, W, 3), np.uint8), [result(empty, "red")])
    assert (clip.images, clip.texts) == ([], [])
    assert out.selection.index == -1
    assert out.selection.prompts.shape == (0, H, W, 3)
    assert out.selection.scores.shape == (0,)
    assert set(out.timings) == {"prompts", "scores"}
    assert not out.mask.any()


def test_no_objects():
    assert Select(FakeClip())(np.zeros((H, W, 3), np.uint8), []) == []


def test_matching_parts_two_objects_that_want_the_same():
    image, stripe = stripes()
    objects = [result(stripe, "red", "red", "blue"), result(stripe[[2, 1, 0]], "red")]
    alone = cropping(FakeClip())(image, objects)
    assert [out.selection.index for out in alone] == [0, 2]  # both the red stripe
    outs = Select(FakeClip(), prompt="crop", rule="matching")(image, objects)
    assert [out.selection.index for out in outs] == [2, 2]  # the blue one, and the red one
    assert [out.selection.rule for out in outs] == ["matching"] * 2
    best, second = outs[0].selection.scores[[0, 2]]
    assert explain(outs[0]) == (
        "The answer (not sure) is candidate 3 of 3. "
        f"S+S chose candidate 3 (score {second:.3f}) by matching, "
        f"as candidate 1 ({best:.3f}) went to another object."
    )
    assert not (outs[0].mask & outs[1].mask).any()


def test_more_objects_than_candidates():
    image, stripe = stripes()
    one = stripe[[0]]
    outs = Select(FakeClip(), prompt="crop", rule="matching")(
        image, [result(one, "blue"), result(one, "red")]
    )
    assert [out.selection.index for out in outs] == [-1, 0]
    assert (
        explain(outs[0]) == "S+S chose no candidate: matching gave each of them to another object."
    )
    assert not outs[0].mask.any()


def test_margin_is_of_the_softmax():
    image, stripe = stripes()
    [out] = cropping(FakeClip())(image, [result(stripe, "red")])
    assert out.selection.margin == pytest.approx(1)
    even = Selection(np.zeros((2, 1, 1, 3), np.uint8), np.array([0.3, 0.3], np.float32), 0, "crop")
    assert even.margin == 0
    close = Selection(
        np.zeros((2, 1, 1, 3), np.uint8), np.array([0.3, 0.31], np.float32), 1, "crop"
    )
    assert close.margin == pytest.approx(np.tanh(0.5), abs=1e-4)  # (e - 1) / (e + 1)


def test_each_object_gets_what_its_words_say_in_one_call_of_each_encoder():
    clip = FakeClip()
    image, stripe = stripes()
    empty = Candidates.empty(H, W)
    objects = [result(stripe, "blue"), result(empty, "red"), result(stripe, "green")]
    outs = cropping(clip)(image, objects)
    assert [out.selection.index for out in outs] == [2, -1, 1]
    assert clip.images == [3]  # the shared masks once
    assert clip.texts == [["blue", "red", "green"]]
    assert outs[0].selection.prompt == "crop"
    assert outs[0].selection.prompts.shape == (3, H, W, 3)
    assert outs[0].timings["scores"] > 0
    assert outs[2].timings["scores"] == 0  # shared work is counted once


def test_second_expression_runs_no_image_encoder():
    clip = FakeClip()
    image, stripe = stripes()
    select = cropping(clip)
    [first] = select(image, [result(stripe, "red")])
    [second] = select(image.copy(), [result(stripe, "blue")])
    assert clip.images == [3]
    assert (first.selection.index, second.selection.index) == (0, 2)
    assert np.array_equal(first.selection.prompts, second.selection.prompts)


def test_on_an_accelerator_prompts_stay_there_for_the_encoder():
    """The processor stands in for one: what the encoder gets is one tensor of all candidates."""
    seen = []

    class OnDevice(FakeClip):
        device = SimpleNamespace(type="cuda")

        def encode_images(self, images):
            seen.append(images)
            return super().encode_images(images.numpy())

    clip = OnDevice()
    select = Select(clip)
    assert select._cache._device is clip.device
    select._cache._device = torch.device("cpu")
    image, stripe = stripes()
    [out] = select(image, [result(stripe, "blue")])
    [tensor] = seen
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), out.selection.prompts)
    [expected] = Select(FakeClip())(image, [result(stripe, "blue")])
    assert out.selection.index == expected.selection.index == 2
    np.testing.assert_allclose(out.selection.scores, expected.selection.scores, atol=0.02)
    [other] = select(image, [result(stripe, "red")])
    assert len(seen) == 1  # kept
    assert other.selection.index == 0
    assert Select(FakeClip())._cache._device is None


@pytest.mark.parametrize("what", ["image", "mask", "box"])
def test_a_changed_image_mask_or_box_is_seen_anew(what):
    clip = FakeClip()
    image, stripe = stripes()
    select = cropping(clip)
    select(image, [result(stripe, "red")])
    if what == "image":
        image = image + np.uint8(1)
    elif what == "mask":
        masks = stripe.masks.copy()
        masks[0, 0, 0] ^= True
        stripe = replace(stripe, masks=masks)
    else:
        stripe = replace(stripe, boxes=stripe.boxes + np.float32([[0, 0, 1, 0], *[[0] * 4] * 2]))
    select(image, [result(stripe, "red")])
    assert clip.images == [3, 3 if what == "image" else 1]


def test_score_is_the_mean_over_expressions():
    image, stripe = stripes()
    select = cropping(FakeClip())
    alone = [select(image, [result(stripe, w)])[0].selection.scores for w in ("red", "reddish")]
    [both] = select(image, [result(stripe, "red", "reddish")])
    assert both.selection.scores == pytest.approx(np.mean(alone, axis=0), abs=1e-6)
    assert both.selection.scores.dtype == np.float32


def test_order_of_objects_and_candidates_does_not_matter():
    image, stripe = stripes()
    words = ["red", "green", "blue", "reddish"]
    forward = cropping(FakeClip())(image, [result(stripe, w) for w in words])
    turned = cropping(FakeClip())(image, [result(stripe[[2, 1, 0]], w) for w in words[::-1]])
    for one, other in zip(forward, turned[::-1]):
        assert one.selection.scores == pytest.approx(other.selection.scores[::-1], abs=1e-6)
        assert np.array_equal(one.mask, other.mask)


def test_memory_is_bounded_and_more_candidates_than_are_kept_work(monkeypatch):
    monkeypatch.setattr("ssc.select.prompt_cache.KEPT_PROMPTS", 2)
    image, stripe = stripes()
    select = cropping(FakeClip())
    [out] = select(image, [result(stripe, "blue")])
    assert out.selection.index == 2
    assert len(select._cache._embedded._values) == 2


def test_threads_get_their_own_answers():
    image, stripe = stripes()
    select = cropping(FakeClip())
    words = ["red", "green", "blue"] * 20
    with ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(lambda w: select(image, [result(stripe, w)])[0], words))
    assert [out.selection.index for out in outs] == [0, 1, 2] * 20


def test_bad_settings_are_told_in_one_line():
    with pytest.raises(InputError, match=r"expected one of reverse_blur.*got 'glow'"):
        Select(FakeClip(), prompt="glow")
    with pytest.raises(InputError, match="expected one of argmax, matching, got 'best'"):
        Select(FakeClip(), rule="best")
    with pytest.raises(InputError, match="above 0, got 0"):
        Select(FakeClip(), sigma=0)
    with pytest.raises(OptionError, match="expected none with the prompt crop"):
        Select(FakeClip(), prompt="crop", sigma=20)
    with pytest.raises(OptionError, match="expected none with the prompt crop"):
        Select(FakeClip(), prompt="crop").with_options(sigma=20)
    other = Select(FakeClip(), sigma=20).with_options(prompt="crop")
    assert other.with_options(prompt="reverse_blur").sigma == 20  # kept for a prompt that blurs
