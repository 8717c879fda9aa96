"""Grounding DINO behind the Detector protocol: prompts, phrases, retry, both implementations."""

import numpy as np
import pytest
import torch
from transformers import GroundingDinoImageProcessor

from ssc.errors import InputError
from ssc.segment import grounding
from ssc.segment.class_prompts import TOKENS, make_class_prompts
from ssc.segment.grounding import (
    GroundingDetector,
    TransformersNetwork,
    load_grounding_dino,
    preprocess,
)
from tests.segment.tiny_grounding import Answering, shake, tiny_tokenizer, tiny_transformers

MANY = [f"person {'dog ' * (i % 7)}{i}" for i in range(60)]
"""Classes that take several prompts."""
BOX, OTHER, FAR = (0.3, 0.3, 0.2, 0.2), (0.31, 0.3, 0.2, 0.2), (0.7, 0.7, 0.4, 0.2)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(grounding, "SHORT_SIDE", 64)
    monkeypatch.setattr(grounding, "LONG_SIDE", 110)


def words(prompt, tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt.text)["input_ids"])
    return {
        name: [t for t, inside in zip(tokens, row) if inside]
        for name, row in zip(prompt.names, prompt.tokens)
    }


def test_no_classes_no_prompts(tokenizer, image):
    network = Answering(tokenizer, {})
    assert make_class_prompts([], tokenizer) == []
    boxes, scores, labels = GroundingDetector(network, tokenizer).detect(image, [])
    assert (boxes.shape, boxes.dtype, scores.shape, labels) == ((0, 4), np.float32, (0,), ())
    assert network.asked == []


def test_prompt_text_and_the_tokens_of_each_class(tokenizer):
    [prompt] = make_class_prompts(["Person", "hot dog", "traffic light"], tokenizer)
    assert prompt.text == "person . hot dog . traffic light ."
    assert words(prompt, tokenizer) == {
        "Person": ["person"],
        "hot dog": ["hot", "dog"],
        "traffic light": ["traffic", "light"],
    }


def test_retry_prompt_marks_the_name_without_all(tokenizer):
    [prompt] = make_class_prompts(["drinker", "cars"], tokenizer, "all {}s")
    assert prompt.text == "all drinkers . all cars ."
    assert words(prompt, tokenizer)["drinker"] == ["drink", "##er", "##s"]
    assert words(prompt, tokenizer)["cars"] == ["cars"]


def test_names_cannot_break_the_prompt(tokenizer):
    [prompt] = make_class_prompts(["dog.car?", "...", "dog.car?", "person"], tokenizer)
    assert prompt.text == "dog car . person ."
    assert prompt.names == ("dog.car?", "person")
    assert make_class_prompts(["?", "dog " * 300], tokenizer) == []


def test_many_classes_take_several_prompts_and_lose_none(tokenizer):
    names = [f"person {'dog ' * (i % 7)}{i}" for i in range(200)]
    prompts = make_class_prompts(names, tokenizer)
    assert [name for prompt in prompts for name in prompt.names] == names
    assert len(prompts) > 1
    for prompt in prompts:
        assert len(tokenizer(prompt.text)["input_ids"]) <= TOKENS
        assert prompt.tokens.any(1).all()


@pytest.mark.usefixtures("small")
def test_the_image_backbone_runs_once_for_each_picture(tokenizer, image):
    model = shake(tiny_transformers())
    detector = GroundingDetector(
        TransformersNetwork(model, tokenizer), tokenizer, threshold=0.0, text_threshold=0.0
    )
    ran = []
    swin = model.model.backbone.conv_encoder.model
    swin.register_forward_hook(lambda _, args, __: ran.append(len(args[0])))
    detector.detect(image, ["person"])
    other = detector.detect(image, ["dog"])
    detector.detect_once(image, ["car", "traffic light"])
    assert ran == [1]
    detector.detect(255 - image, MANY)
    assert ran == [1, 1]  # and for several prompts at once
    fresh = shake(tiny_transformers())
    again = GroundingDetector(
        TransformersNetwork(fresh, tokenizer), tokenizer, threshold=0.0, text_threshold=0.0
    ).detect(image, ["dog"])
    np.testing.assert_allclose(other[0], again[0], atol=1e-3)


def test_half_precision_stays_in_the_backbone(tokenizer, image):
    model = shake(tiny_transformers())
    network = TransformersNetwork(model, tokenizer, dtype=torch.bfloat16)
    seen = {}
    backbone, decoder = model.model.backbone.conv_encoder.model, model.model.decoder
    block = backbone.swin.encoder.layers[0].blocks[0].mlp
    for name, part in (("backbone", block), ("decoder", decoder.layers[0].fc1)):
        part.register_forward_hook(lambda *a, name=name: seen.setdefault(name, a[-1]))
    with torch.inference_mode():
        logits, boxes = network(preprocess(image)[None], ["person ."])
    kinds = {name: getattr(out, "dtype", None) for name, out in seen.items()}
    assert kinds == {"backbone": torch.bfloat16, "decoder": torch.float32}
    assert logits.dtype == boxes.dtype == torch.float32


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (480, 640), (7, 7)])
def test_preprocessing_is_that_of_transformers(size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    theirs = GroundingDinoImageProcessor(size={"shortest_edge": 800, "longest_edge": 1333})
    channels = {"input_data_format": "channels_last"}
    expected = theirs(picture, return_tensors="pt", **channels)["pixel_values"][0]
    ours = preprocess(picture)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 2 / 255 / 0.22


def test_the_thinnest_pictures_stay_small():
    assert preprocess(np.zeros((1, 30000, 3), np.uint8)).shape == (3, 1, 1333)
    assert preprocess(np.zeros((2000, 1, 3), np.uint8)).shape == (3, 2000, 1)


def test_tokens_to_classes(tokenizer, image):
    # tokens: [CLS] person . hot dog . dog . [SEP]
    table = {
        "person . hot dog . dog .": [
            (BOX, {1: 0.6, 6: 0.3}),  # person over dog
            (FAR, {3: 0.5, 4: 0.5, 6: 0.4}),  # hot dog, not dog
            ((0.2, 0.8, 0.1, 0.1), {4: 0.4, 6: 0.45}),  # half a name: dog
            ((0.8, 0.2, 0.1, 0.1), {7: 0.9, 1: 0.2}),  # a dot's, no phrase
            ((0.5, 0.1, 0.1, 0.1), {1: 0.34, 6: 0.34}),  # under the box threshold
        ]
    }
    detector = GroundingDetector(Answering(tokenizer, table), tokenizer)
    boxes, scores, labels = detector.detect(image, ["person", "hot dog", "dog"])
    assert labels == ("person", "hot dog", "dog")
    np.testing.assert_allclose(scores, [0.6, 0.5, 0.45], atol=1e-6)
    np.testing.assert_allclose(boxes[0], [12, 8, 24, 16], atol=1e-4)
    assert boxes.dtype == scores.dtype == np.float32


def test_overlapping_boxes_are_suppressed_and_boxes_clipped(tokenizer, image):
    table = {
        "person .": [
            (OTHER, {1: 0.5}),
            (BOX, {1: 0.7}),
            ((1.0, 0.5, 0.4, 2.0), {1: 0.6}),
            ((1.5, 0.5, 0.4, 0.2), {1: 0.9}),  # outside the picture
        ]
    }
    detector = GroundingDetector(Answering(tokenizer, table), tokenizer)
    boxes, scores, labels = detector.detect(image, ["person"])
    np.testing.assert_allclose(scores, [0.7, 0.6], atol=1e-6)
    np.testing.assert_allclose(boxes[1], [48, 0, 60, 40], atol=1e-4)
    assert labels == ("person", "person")


def test_asks_again_in_the_plural_only_where_nothing_is_found(tokenizer, image):
    table = {"all persons .": [(BOX, {2: 0.5, 1: 0.9})], "dog .": [(FAR, {1: 0.5})]}
    network = Answering(tokenizer, table)
    detector = GroundingDetector(network, tokenizer)
    assert detector.detect(image, ["person"])[2] == ("person",)
    assert detector.detect(image, ["dog"])[2] == ("dog",)
    asked = [prompts for _, prompts in network.asked]
    assert asked == [("person .",), ("all persons .",), ("dog .",)]
    network.asked.clear()
    assert detector.detect(image, ["car"])[2] == ()
    assert [prompts for _, prompts in network.asked] == [("car .",), ("all cars .",)]
    detector.detect(image.copy(), ["car"])
    assert len(network.asked) == 2  # an answer is kept


def test_out_of_memory_falls_back_to_fewer_prompts(tokenizer, image):
    prompts = [prompt.text for prompt in make_class_prompts(MANY, tokenizer)]
    assert len(prompts) > 1
    network = Answering(tokenizer, {prompt: [(FAR, {1: 0.5})] for prompt in prompts})

    def full(pixels, prompts):
        if len(prompts) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(pixels, prompts)

    with pytest.warns(UserWarning, match="going on with 1 prompts"):
        boxes, _, labels = GroundingDetector(full, tokenizer).detect(image, MANY)
    assert [asked for _, asked in network.asked] == [(prompt,) for prompt in prompts]
    assert labels == (MANY[0],)  # the same box of each prompt, once
    np.testing.assert_allclose(boxes, [[30, 24, 54, 32]], atol=1e-4)


@pytest.mark.usefixtures("small")
def test_transformers_network_end_to_end_and_batch_equals_single(tokenizer, image):
    network = TransformersNetwork(shake(tiny_transformers()), tokenizer)
    detector = GroundingDetector(network, tokenizer, threshold=0.5, text_threshold=0.3)
    asked = [["person", "hot dog"], ["dog"], ["traffic light", "car", "person"]]
    texts = [make_class_prompts(names, tokenizer)[0].text for names in asked]
    pixels = preprocess(image)
    with torch.inference_mode():
        together = network(torch.stack([pixels] * 3), texts)
        for k, text in enumerate(texts):
            logits, boxes = network(pixels[None], [text])
            torch.testing.assert_close(
                together[0][k].sigmoid(), logits[0].sigmoid(), atol=1e-4, rtol=0
            )
            torch.testing.assert_close(together[1][k], boxes[0], atol=1e-4, rtol=0)
    for picture, names in zip((image, image[::-1], image[:, :30]), asked):
        boxes, scores, labels = detector.detect(picture, names)
        assert len(boxes)
        assert set(labels) <= set(names)
        assert (np.diff(scores) <= 0).all()
        h, w = picture.shape[:2]
        assert (boxes >= 0).all()
        assert (boxes <= [w, h, w, h]).all()


@pytest.mark.usefixtures("small")
def test_half_precision_is_close(tokenizer, image):
    model = shake(tiny_transformers())
    pixels = preprocess(image)[None]
    with torch.inference_mode():
        exact, _ = TransformersNetwork(model, tokenizer)(pixels, ["person . dog ."])
        half, _ = TransformersNetwork(model, tokenizer, dtype=torch.bfloat16)(
            pixels, ["person . dog ."]
        )
    assert (half[0].isfinite() == exact[0].isfinite()).all()
    # Sorted, as queries that score nearly alike change places.
    best, other = (x[0].float().sigmoid().amax(1).sort().values for x in (exact, half))
    assert (best - other).abs().mean() < 0.05


def test_checkpoint_of_transformers(tmp_path):
    model = tiny_transformers()
    with pytest.raises(InputError, match="expected Grounding DINO's config"):
        load_grounding_dino(tmp_path)
    model.save_pretrained(tmp_path)
    loaded = load_grounding_dino(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
