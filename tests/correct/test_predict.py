"""The corrector: frames, sharing, and checkpoints that are what they should be."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertTokenizerFast

from ssc.correct.guided import along_edges
from ssc.correct.predict import BATCH, CELL, CONFIGS, Corrector, ReferringModel, preprocess
from ssc.errors import InputError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "left", "red", "dog", "on"]
CONFIG = {
    "lavt": {
        "embed_dim": 8,
        "depths": (1, 1, 1, 1),
        "num_heads": (1, 1, 2, 2),
        "window_size": 3,
        "num_heads_fusion": (1, 1, 1, 1),
        "language_dim": 16,
    },
    "bert": {
        "vocab_size": len(WORDS),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    },
    "size": (24, 32),
    "words": 6,
}
RED = np.full((30, 50, 3), (200, 10, 10), np.uint8)


def tokenizer(words=WORDS):
    return BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    model = ReferringModel(CONFIG["lavt"], CONFIG["bert"])
    Corrector.save(tmp_path, model, tokenizer(), CONFIG)
    return tmp_path


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (45, 70, 3), np.uint8)


def test_nothing_asked_is_nothing_answered(folder, image):
    assert Corrector.load(folder).predict(image, []).shape == (0, 45, 70)


def test_probabilities_in_the_images_own_frame(folder, image):
    answer = Corrector.load(folder).predict(image, ["the red dog", "left", ""])
    assert answer.shape == (3, 45, 70)
    assert answer.dtype == np.float32
    assert ((answer >= 0) & (answer <= 1)).all()
    assert np.abs(answer[0] - answer[1]).max() > 1e-4


def test_together_as_alone_and_the_image_is_seen_once(folder, image):
    corrector = Corrector.load(folder)
    seen = []
    patches = corrector.model.lavt.backbone.patch_embed
    patches.register_forward_hook(lambda *_: seen.append(1))
    texts = ["the red dog", "left", "dog on the left"] * (BATCH // 3 + 1)
    together = corrector.predict(image, texts)
    alone = np.concatenate([corrector.predict(image, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert len(seen) == 1
    corrector.predict(RED, ["left"])
    assert len(seen) == 2


def test_in_bfloat16_it_answers_nearly_the_same(folder, image):
    texts = ["the red dog", "left"]
    plain, half = Corrector.load(folder), Corrector.load(folder)
    half.dtype = torch.bfloat16
    expected, answer = plain.predict(image, texts), half.predict(image, texts)
    assert answer.dtype == np.float32
    assert 0 < np.abs(answer - expected).max() < 0.05
    np.testing.assert_allclose(half.predict(image, texts[1:])[0], answer[1], atol=0.02)


def test_at_the_models_size_it_is_the_softmax_of_lavt_along_edges(folder, image):
    corrector = Corrector.load(folder)
    image = np.ascontiguousarray(image[:24, :32])
    tokens = corrector.tokenizer(["red dog"], return_tensors="pt")
    pixels = preprocess(torch.from_numpy(image)[None], CONFIG["size"])
    with torch.inference_mode():
        logits = corrector.model(pixels, tokens["input_ids"], tokens["attention_mask"])
    expected = along_edges(logits.softmax(1)[:, 1].numpy(), image, CELL)
    np.testing.assert_allclose(corrector.predict(image, ["red dog"]), expected, atol=1e-5)


def test_a_long_expression_is_cut(folder, image):
    corrector = Corrector.load(folder)
    long = "the red dog on the left " * 200
    np.testing.assert_array_equal(
        corrector.predict(image, [long]), corrector.predict(image, ["the red dog on"])
    )


def test_preprocessing_keeps_rgb_and_normalises():
    pixels = preprocess(torch.from_numpy(RED)[None], (24, 32))
    assert pixels.shape == (1, 3, 24, 32)
    expected = (torch.tensor([200, 10, 10]) / 255 - torch.tensor([0.485, 0.456, 0.406])) / (
        torch.tensor([0.229, 0.224, 0.225])
    )
    torch.testing.assert_close(pixels.mean((0, 2, 3)), expected)


def test_half_precision_on_disk_is_float32_in_use(folder, image):
    full = Corrector.load(folder)
    Corrector.save(folder / "half", full.model, full.tokenizer, CONFIG, dtype=torch.float16)
    half = Corrector.load(folder / "half")
    assert next(half.model.parameters()).dtype == torch.float32
    big, small = (f.stat().st_size for f in folder.rglob("model.safetensors"))
    assert min(big, small) < 0.6 * max(big, small)
    difference = full.predict(image, ["dog"]) - half.predict(image, ["dog"])
    assert np.abs(difference).max() < 0.05


def test_whoever_may_read_the_folder_may_read_all_its_files(folder):
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert len(set(modes.values())) == 1, modes


def test_mini_fits_its_parts():
    mini = CONFIGS["mini"]
    assert mini["bert"]["hidden_size"] == mini["lavt"]["language_dim"]
    assert mini["words"] <= mini["bert"]["max_position_embeddings"]
    json.dumps(CONFIGS)


def broken_config(folder):
    (folder / "config.json").write_text('{"lavt": {}}')


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def other_model(folder):
    changed = {**CONFIG, "lavt": {**CONFIG["lavt"], "embed_dim": 16}}
    (folder / "config.json").write_text(json.dumps(changed))


def other_names(folder):
    path = folder / "model.safetensors"
    save_file({f"module.{k}": v for k, v in load_file(path).items()}, path)


def no_tokenizer(folder):
    for path in folder.glob("*token*"):
        path.unlink()


def large_tokenizer(folder):
    tokenizer([*WORDS, "cat"]).save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (broken_config, r"config.json: expected the configuration"),
        (no_weights, r"model.safetensors: expected weights"),
        (cut_weights, r"model.safetensors: expected weights"),
        (other_model, r"of another shape, first .* instead of"),
        (other_names, r"missing, first bert\..* unknown, first module\."),
        (no_tokenizer, r"expected the tokenizer's files"),
        (large_tokenizer, r"at most 10 tokens.* got 11"),
    ],
)
def test_a_wrong_checkpoint_says_what_is_wrong(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        Corrector.load(folder)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_what_is_no_image(folder, wrong):
    with pytest.raises(InputError, match="expected RGB uint8"):
        Corrector.load(folder).predict(wrong, ["dog"])
