"""CLIP's embeddings: shapes, order, devices' precision, OpenAI's networks."""

import numpy as np
import pytest
import torch
from open_clip import get_model_config, get_tokenizer
from safetensors.torch import save_file

from ssc import clip as module
from ssc.clip import OPENAI, Clip, load_clip
from ssc.errors import InputError
from ssc.models.bundled import MEAN, STD
from tests.tiny_clip import TINY, tiny

TEXTS = ["the man in blue", "a dog", "left zebra " * 100, "日本語", ""]


@pytest.fixture(scope="module")
def clip():
    return Clip(tiny(), get_tokenizer("ViT-B-32-quickgelu"), 32, MEAN, STD, interpolation="bicubic")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 30, 41, 3), np.uint8)


def test_nothing_in_nothing_out(clip):
    assert len(clip.encode_text([])) == 0
    assert len(clip.encode_images(np.zeros((0, 4, 4, 3), np.uint8))) == 0


def test_unit_rows_and_batch_equals_single(clip, images, monkeypatch):
    rows, texts = clip.encode_images(images), clip.encode_text(TEXTS)
    assert rows.shape == (5, 24)
    assert rows.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-6)
    single = np.concatenate([clip.encode_images(image[None]) for image in images])
    np.testing.assert_allclose(single, rows, atol=1e-5)
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "TEXTS", 1)
    np.testing.assert_allclose(clip.encode_images(images), rows, atol=1e-5)
    fresh = Clip(clip.model, clip.tokenizer, 32, MEAN, STD)
    np.testing.assert_allclose(fresh.encode_text(TEXTS[::-1])[::-1], texts, atol=1e-5)


def test_pixels_are_prepared_as_published(clip, images, monkeypatch):
    """Squashed bicubically, as torchvision does it on PIL images.

    On smooth ones, as PIL rounds and clips once more, between its two passes.
    """
    import cv2
    from PIL import Image
    from torchvision.transforms import functional as T

    seen = []
    images = np.stack([cv2.GaussianBlur(image, (0, 0), 1) for image in images])
    monkeypatch.setattr(clip.model, "encode_image", lambda x: seen.append(x) or x.flatten(1))
    clip.encode_images(images)
    for pixels, image in zip(seen[0], images):
        resized = Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)
        expected = T.normalize(T.to_tensor(resized), MEAN, STD)
        assert (pixels - expected).abs().max() < 1.5 / 255 / min(STD)


def test_half_precision_is_close(clip, images):
    half = Clip(
        tiny(), clip.tokenizer, 32, MEAN, STD, interpolation="bicubic", dtype=torch.bfloat16
    )
    for ours, exact in (
        (half.encode_images(images), clip.encode_images(images)),
        (half.encode_text(TEXTS), clip.encode_text(TEXTS)),
    ):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
        assert (ours * exact).sum(1).min() > 0.99
        assert not np.array_equal(ours, exact)


def test_out_of_memory_falls_back_to_fewer_images(images):
    clip = Clip(tiny(), None, 32, MEAN, STD)
    expected = clip.encode_images(images)
    encode = clip.model.encode_image

    def full(pixels):
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(pixels)

    clip.model.encode_image = full
    with pytest.warns(UserWarning, match="going on with 2 prompts"):
        np.testing.assert_allclose(clip.encode_images(images), expected, atol=1e-5)
    clip.model.encode_image = lambda _: full(range(3))
    with (
        pytest.warns(UserWarning, match="going on with"),
        pytest.raises(InputError, match="out of memory with a single one of 5 prompts"),
    ):
        clip.encode_images(images)
    clip.model.encode_image = lambda _: torch.zeros(2) @ torch.zeros(3)
    with pytest.raises(RuntimeError, match="size"):  # another error is not hidden
        clip.encode_images(images)


def test_openai_networks_have_quick_gelu(tmp_path, monkeypatch, images):
    assert all(get_model_config(name)["quick_gelu"] for name in OPENAI)
    monkeypatch.setattr("open_clip.get_model_config", lambda _: TINY)
    path = tmp_path / "open_clip_model.safetensors"
    save_file(tiny().state_dict(), path)
    loaded = load_clip("ViT-B-16-quickgelu", path)
    expected = Clip(tiny(), loaded.tokenizer, 32, MEAN, STD, interpolation="bicubic")
    assert np.array_equal(loaded.encode_images(images), expected.encode_images(images))
    assert np.array_equal(loaded.encode_text(TEXTS), expected.encode_text(TEXTS))
    plain = Clip(tiny(quick_gelu=False), None, 32, MEAN, STD, interpolation="bicubic")
    assert not np.allclose(plain.encode_images(images), expected.encode_images(images))


def test_wrong_weights_are_told_at_once(tmp_path):
    with pytest.raises(InputError, match="expected one of ViT-B-32-quickgelu"):
        load_clip("ViT-B-32", tmp_path / "no.safetensors")
