"""The authors' Grounding DINO on transformers 5, and its weights in transformers' network."""

import numpy as np
import pytest
import torch

from ssc.errors import InputError
from ssc.segment.grounding import GroundingDetector, TransformersNetwork, preprocess
from ssc.weights.reading import fill, unfilled
from tests.segment.tiny_grounding import BERT, tiny_original, tiny_tokenizer, tiny_transformers

pytest.importorskip("groundingdino", reason="groundingdino-py is not installed")

from ssc.segment.grounding_names import read_original, to_transformers
from ssc.segment.grounding_original import (
    LegacyBert,
    OriginalNetwork,
    build_original,
    load_into_transformers,
    load_original,
)

pytestmark = [
    pytest.mark.long,
    # What their package does by itself.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning"),
]

PROMPTS = ["person . hot dog . traffic light .", "dog ."]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def original(tokenizer):
    return tiny_original(tokenizer)


@pytest.fixture(scope="module")
def same(original):
    """transformers' network with the original's weights."""
    model = tiny_transformers()
    fill(model, to_transformers(original.state_dict()), "the original")
    return model


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_both_implementations_give_the_same_boxes_and_logits(original, same, tokenizer, pixels):
    logits, boxes = OriginalNetwork(original)(pixels, PROMPTS)
    theirs, their_boxes = TransformersNetwork(same, tokenizer)(pixels, PROMPTS)
    seen = logits.isfinite()
    assert seen.any(-1).all()
    assert (theirs.isfinite() == seen).all()
    assert logits[seen].std() > 0.1  # not all alike
    assert boxes.std(1).min() > 0.01
    difference = (logits[seen] - theirs[seen]).abs().max(), (boxes - their_boxes).abs().max()
    print("logits, boxes:", *(float(d) for d in difference))
    assert max(difference) <= 1e-3


@torch.inference_mode()
def test_batch_equals_single(original, pixels):
    network = OriginalNetwork(original)
    logits, boxes = network(pixels, PROMPTS)
    for k, prompt in enumerate(PROMPTS):
        single, single_boxes = network(pixels[k : k + 1], [prompt])
        seen = logits[k].isfinite()
        assert (single[0].isfinite() == seen).all()
        torch.testing.assert_close(single[0][seen], logits[k][seen], atol=1e-3, rtol=0)
        torch.testing.assert_close(single_boxes[0], boxes[k], atol=1e-3, rtol=0)


def test_detects_behind_the_protocol(original, same, tokenizer, monkeypatch):
    from ssc.segment import grounding

    monkeypatch.setattr(grounding, "SHORT_SIDE", 64)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    answers = [
        GroundingDetector(network, tokenizer, threshold=0.5, text_threshold=0.3).detect(
            image, ["person", "hot dog"]
        )
        for network in (OriginalNetwork(original), TransformersNetwork(same, tokenizer))
    ]
    assert len(answers[0][0]) > 0
    assert answers[0][2] == answers[1][2]
    np.testing.assert_allclose(answers[0][0], answers[1][0], atol=0.01)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (480, 640), (33, 300), (7, 7), (90, 1)])
def test_preprocessing_is_the_authors(size):
    import groundingdino.datasets.transforms as theirs
    from PIL import Image

    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    steps = [
        theirs.RandomResize([800], max_size=1333),
        theirs.ToTensor(),
        theirs.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
    expected, _ = theirs.Compose(steps)(Image.fromarray(picture), None)
    torch.testing.assert_close(preprocess(picture), expected, atol=1e-6, rtol=0)


def test_no_compiled_extension_is_needed():
    from groundingdino.models.GroundingDINO import ms_deform_attn

    assert not hasattr(ms_deform_attn, "_C")


@torch.inference_mode()
def test_legacy_masks_are_those_of_bert():
    """Attention with the supplied mask equals BERT's own with the plain one."""
    from transformers import BertConfig

    torch.manual_seed(0)
    bert = LegacyBert(BertConfig(**BERT)).eval()
    ids = torch.tensor([[101, 200, 201, 102], [101, 202, 102, 0]])
    mask = (ids != 0).long()
    for given in (mask, (mask[:, :, None] * mask[:, None, :]).bool() | torch.eye(4).bool()):
        extended = bert.get_extended_attention_mask(given, ids.shape, ids.device)
        assert extended.shape == ((2, 1, 1, 4) if given.dim() == 2 else (2, 1, 4, 4))
        ours = bert.encoder(bert.embeddings(ids), attention_mask=extended).last_hidden_state
        theirs = bert(ids, given if given.dim() == 2 else given[:, None]).last_hidden_state
        torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()], atol=1e-5, rtol=0)
    assert bert.invert_attention_mask(mask).shape == (2, 1, 1, 4)
    assert bert.get_head_mask(None, 2) == [None, None]
    with pytest.raises(ValueError, match="head mask"):
        bert.get_head_mask(torch.ones(2), 2)


def test_published_file_in_either_network(original, same, tokenizer, tmp_path, monkeypatch):
    from ssc.segment import grounding_original as module

    path = tmp_path / "groundingdino.pth"
    torch.save({"model": original.state_dict()}, path)
    with unfilled():
        blank = tiny_original(tokenizer, seed=5)
    monkeypatch.setattr(module, "build_original", lambda _: blank)
    monkeypatch.setattr("transformers.GroundingDinoConfig", lambda: same.config)
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    pairs = [
        (OriginalNetwork(load_original(path, tokenizer)), OriginalNetwork(original)),
        (
            TransformersNetwork(load_into_transformers(path), tokenizer),
            TransformersNetwork(same, tokenizer),
        ),
    ]
    with torch.inference_mode():
        for loaded, expected in pairs:
            for ours, theirs in zip(loaded(pixels, ["dog ."]), expected(pixels, ["dog ."])):
                torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_published_file(original, tmp_path):
    path = tmp_path / "groundingdino.pth"
    held = {f"module.{name}": value for name, value in original.state_dict().items()}
    held |= {"module.bert.embeddings.position_ids": torch.arange(4)[None]}
    torch.save({"model": held | {"module.label_enc.weight": torch.zeros(2, 2)}}, path)
    weights = read_original(path)
    assert weights.keys() == original.state_dict().keys()
    torch.save(held, path)
    with pytest.raises(InputError, match='expected weights under "model"'):
        read_original(path)
    with pytest.raises(InputError, match=r"published weights, got bert2\.x"):
        to_transformers({"bert2.x": torch.zeros(1)})


@pytest.mark.slow
@torch.inference_mode()
def test_both_implementations_agree_at_their_true_size(tokenizer):
    """In float64: the decoder looks at the 900 best of 2,975 places, and in float32 rounding alone
    can swap two of nearly the same score, which moves all that attends to them."""
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(0)
    model = build_original(tokenizer).eval()
    other = GroundingDinoForObjectDetection(GroundingDinoConfig())
    fill(other, to_transformers(model.state_dict()), "the original")
    pixels = torch.randn(1, 3, 320, 448, dtype=torch.float64)
    torch.set_default_dtype(torch.float64)  # of the positions that they make on their way
    try:
        logits, boxes = OriginalNetwork(model.double())(pixels, PROMPTS[:1])
        theirs, their_boxes = TransformersNetwork(other.double(), tokenizer)(pixels, PROMPTS[:1])
    finally:
        torch.set_default_dtype(torch.float32)
    seen = logits.isfinite()
    assert (theirs.isfinite() == seen).all()
    assert logits[seen].std() > 0.1
    assert (logits[seen] - theirs[seen]).abs().max() <= 1e-4
    assert (boxes - their_boxes).abs().max() <= 1e-6
