"""Every odd or bad picture gives the right pixels, or one clear error."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssc.errors import InputError
from ssc.images import load_image
from tests.pixels import CHECKED, GREY, GREY_RGB, RGB, sixteen_bit


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (body, b"IDAT", end)
    )


def palette(transparent: bool) -> Image.Image:
    image = Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    if transparent:
        image.info["transparency"] = image.getpixel((0, 0))
    return image


def with_alpha(alpha: int) -> Image.Image:
    image = Image.fromarray(RGB).convert("RGBA")
    image.putalpha(alpha)
    return image


HALF_ON_WHITE = np.rint(RGB * (128 / 255) + 255 * (127 / 255))
FIRST_CLEAR = RGB.copy()
FIRST_CLEAR[:8, :8] = 255
GOOD = {
    "RGB": (encoded(Image.fromarray(RGB)), RGB, 0),
    "JPEG": (encoded(Image.fromarray(RGB), "JPEG", quality=95, subsampling=0), RGB, 8),
    "JPEG, CMYK": (encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=98), RGB, 60),
    "TIFF, CMYK": (encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF"), RGB, 2),
    "WebP": (encoded(Image.fromarray(RGB), "WEBP", lossless=True), RGB, 0),
    "BMP": (encoded(Image.fromarray(RGB), "BMP"), RGB, 0),
    "greyscale": (encoded(Image.fromarray(GREY)), GREY_RGB, 0),
    "greyscale, half clear": (
        encoded(Image.merge("LA", (Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 127)))),
        np.full((4, 4, 3), 128),
        1,
    ),
    "RGBA, clear": (encoded(with_alpha(0)), np.full((16, 16, 3), 255), 0),
    "RGBA, half clear": (encoded(with_alpha(128)), HALF_ON_WHITE, 1),
    "RGBA, opaque": (encoded(with_alpha(255)), RGB, 0),
    "palette": (encoded(palette(False)), RGB, 0),
    "palette, one clear": (encoded(palette(True)), FIRST_CLEAR, 0),
    "palette, clear by bytes": (
        encoded(palette(False), transparency=bytes([255] * 8)),
        RGB,
        0,
    ),
    "RGB, one colour clear": (
        encoded(Image.fromarray(RGB), transparency=(255, 0, 0)),
        FIRST_CLEAR,
        0,
    ),
    "1 bit": (encoded(Image.fromarray(CHECKED)), CHECKED[..., None] * np.full(3, 255), 0),
    "PNG, 16 bits": (encoded(Image.fromarray(sixteen_bit())), GREY_RGB, 0),
    "TIFF, 16 bits": (encoded(Image.fromarray(sixteen_bit()), "TIFF"), GREY_RGB, 0),
    "TIFF, 16 bits, big end first": (
        encoded(Image.frombytes("I;16B", (16, 16), sixteen_bit().astype(">u2").tobytes()), "TIFF"),
        GREY_RGB,
        0,
    ),
    "TIFF, 32 bits": (
        encoded(Image.fromarray(sixteen_bit().astype(np.int32)), "TIFF"),
        GREY_RGB,
        0,
    ),
    "TIFF, floats": (
        encoded(Image.fromarray((GREY / 255).astype(np.float32)), "TIFF"),
        GREY_RGB,
        0,
    ),
    "1×1": (encoded(Image.fromarray(RGB[:1, :1])), RGB[:1, :1], 0),
    "1 pixel high": (encoded(Image.fromarray(RGB[:1])), RGB[:1], 0),
    "animated GIF": (
        encoded(palette(False), "GIF", save_all=True, append_images=[Image.new("P", (16, 16))]),
        RGB,
        0,
    ),
    "animated WebP": (
        encoded(
            Image.fromarray(RGB),
            "WEBP",
            lossless=True,
            save_all=True,
            append_images=[Image.new("RGB", (16, 16))],
        ),
        RGB,
        0,
    ),
}

ORIENTED = {
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.transpose(1, 0, 2),
    6: np.rot90(RGB, -1),
    7: np.rot90(RGB, 2).transpose(1, 0, 2),
    8: np.rot90(RGB),
}

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def cut(kind: str) -> bytes:
    data = encoded(Image.fromarray(NOISE), kind)
    return data[: len(data) // 2]


BAD = {
    "empty": (b"", "empty file"),
    "text": (b"hello, I am a text file\n" * 20, "another kind"),
    "PDF": (b"%PDF-1.7\n" + bytes(100), "another kind"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "another"),
    "noise": (NOISE.tobytes()[:500], "another kind"),
    "PNG, cut": (cut("PNG"), "damaged or truncated"),
    "JPEG, cut": (cut("JPEG"), "damaged or truncated"),
    "GIF, cut": (cut("GIF"), "damaged or truncated"),
    "BMP, cut": (cut("BMP"), "damaged or truncated"),
    "WebP, cut": (cut("WEBP"), "damaged"),
    "TIFF, cut": (cut("TIFF"), "damaged"),
    "PNG, header only": (b"\x89PNG\r\n\x1a\n", "damaged"),
    "PNG without pixels": (png_header(16, 16), "damaged or truncated"),
    "12000×9000": (png_header(12000, 9000), "at most 40 megapixels, got 12000×9000"),
    "bomb": (png_header(60000, 60000), "at most 40 megapixels"),
    "0 pixels": (png_header(0, 16), "expected"),
}


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("name", GOOD)
def test_files_give_the_pixels_a_viewer_shows(name: str, tmp_path: Path):
    data, expected, tolerance = GOOD[name]
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (path, str(path), data, Image.open(BytesIO(data))):
        image = load_image(source)
        assert image.dtype == np.uint8
        assert image.shape == expected.shape
        assert image.flags.c_contiguous
        assert image.flags.writeable
        assert np.abs(image.astype(int) - expected.astype(int)).max() <= tolerance


@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation_is_applied(orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = Image.fromarray(RGB)
    assert np.array_equal(load_image(encoded(wide, exif=exif)), ORIENTED[orientation])


def test_a_wide_picture_that_exif_turns_is_tall():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_image(encoded(Image.new("RGB", (30, 10)), "JPEG", exif=exif)).shape == (30, 10, 3)


def test_damaged_exif_is_ignored():
    data = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert load_image(data).shape == RGB.shape


@pytest.mark.parametrize("name", BAD)
def test_bad_files_give_one_clear_line(name: str, tmp_path: Path):
    data, message = BAD[name]
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        load_image(path)
    assert str(error.value).startswith(f"{path}: expected")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=message):
        load_image(data)


def test_bad_paths_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere\.png: expected a picture.*no such file"):
        load_image(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="got a folder; name a file in it"):
        load_image(tmp_path)
    with pytest.raises(InputError, match="expected a picture"):
        load_image("a\0b.png")
    with pytest.raises(InputError, match="got NoneType"):
        load_image(None)


def test_the_size_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    with pytest.raises(InputError, match="12000×9000"):
        load_image(png_header(12000, 9000))


def test_pil_is_left_as_it_was():
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    load_image(encoded(Image.fromarray(RGB)))
    with pytest.raises(InputError):
        load_image(b"nothing")
    after = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    assert after == before
