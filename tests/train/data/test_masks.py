"""Masks as pictures: every mode and depth that Pillow writes, and the frames they are in."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ssc.errors import InputError
from ssc.images import load_image
from tests.train.refcoco import FILES, H, W
from train.data import notes, open_dataset
from train.data.files import Files
from train.data.masks import decode_segmentation, read_mask

CASES = Path(__file__).resolve().parents[3].parent / "shared" / "cases" / "masks"
TRUE = np.zeros((20, 30), bool)
TRUE[5:9, 3:12] = True
ONES = TRUE.astype(np.uint8)
GREY = ONES * 255
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
PHOTO[6, 5] = 0  # a black pixel of the object


def palette(indices, colours, **info):
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette([value for colour in colours for value in colour])
    image.info.update(info)
    return image


BLACK, RED, WHITE = [0, 0, 0], [128, 0, 0], [255, 255, 255]
ALPHA = np.dstack([np.full((20, 30, 3), 255, np.uint8), GREY])
WRITTEN = {
    "1 bit.png": (Image.fromarray(TRUE), {}),
    "1 bit.tif": (Image.fromarray(TRUE), {}),
    "1 bit.bmp": (Image.fromarray(TRUE), {}),
    "1 bit.pbm": (Image.fromarray(TRUE), {}),
    "grey.png": (Image.fromarray(GREY), {}),
    "grey.gif": (Image.fromarray(GREY), {}),
    "grey.jp2": (Image.fromarray(GREY), {}),
    "grey lossless.webp": (Image.fromarray(GREY).convert("RGB"), {"lossless": True}),
    "labels 0 and 1.png": (Image.fromarray(ONES), {}),
    "labels 0 and 1 lossless.webp": (Image.fromarray(ONES).convert("RGB"), {"lossless": True}),
    "labels of 16 bit.png": (Image.fromarray(ONES.astype(np.uint16)), {}),
    "labels of 16 bit.tif": (Image.fromarray(ONES.astype(np.uint16) * 300), {}),
    "labels of 32 bit.tif": (Image.fromarray(ONES.astype(np.int32) * 70000), {}),
    "shares.tif": (Image.fromarray(TRUE.astype(np.float32) / 255), {}),
    "grey, a clear 0.png": (Image.fromarray(GREY), {"transparency": 0}),
    "grey and alpha.png": (Image.fromarray(np.dstack([GREY, GREY])), {}),
    "white and alpha.png": (Image.fromarray(ALPHA), {}),
    "grey and full alpha.png": (Image.fromarray(np.dstack([GREY, GREY * 0 + 255])), {}),
    "RGB.png": (Image.fromarray(np.dstack([GREY] * 3)), {}),
    "red.png": (Image.fromarray(np.dstack([GREY, GREY * 0, GREY * 0])), {}),
    "RGB, clear black.png": (Image.fromarray(np.dstack([GREY] * 3)), {"transparency": (0, 0, 0)}),
    "CMYK.tif": (Image.fromarray(np.dstack([GREY] * 3)).convert("CMYK"), {}),
    "palette.png": (palette(ONES, [BLACK, RED]), {}),
    "palette, clear 0.png": (palette(ONES, [BLACK, RED]), {"transparency": 0}),
    "palette, clear by bytes.png": (palette(ONES, [RED, WHITE]), {"transparency": b"\x00\xff"}),
    "palette, clear 2.png": (
        palette(2 - 2 * ONES + ONES, [BLACK, RED, WHITE]),
        {"transparency": 2},
    ),
    "palette, quantised.png": (Image.fromarray(np.dstack([GREY] * 3)).quantize(2), {}),
    "palette.gif": (palette(ONES, [BLACK, RED]), {}),
    "cut-out.png": (Image.fromarray(np.dstack([PHOTO, GREY])), {}),
    "cut-out, clear white.png": (
        Image.fromarray(np.dstack([np.where(TRUE[..., None], PHOTO, 255), GREY]).astype(np.uint8)),
        {},
    ),
    "turned by EXIF, which is not heeded.png": (Image.fromarray(GREY), {"exif": b""}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_object_is_what_is_opaque_and_not_zero(tmp_path, name):
    image, how = WRITTEN[name]
    if "exif" in how:
        exif = Image.Exif()
        exif[0x0112] = 3
        how = {"exif": exif}
    image.save(tmp_path / name, **how)
    assert np.array_equal(read_mask(tmp_path / name, 20, 30), TRUE)


@pytest.mark.parametrize("name", ["RGB.png", "RGB.tif", "RGBA.png"])
@pytest.mark.parametrize("label", [1, 300, 65535])
def test_colours_of_16_bits_keep_all_of_them(tmp_path, name, label):
    """Pillow reads them as 8 bits."""
    pixels = np.dstack([ONES.astype(np.uint16) * label] * 3)
    if "RGBA" in name:
        pixels = np.dstack([pixels, np.full((20, 30), 65535, np.uint16)])
    cv2.imwrite(str(tmp_path / name), pixels)
    assert np.array_equal(read_mask(tmp_path / name, 20, 30), TRUE)
    content = (tmp_path / name).read_bytes()
    assert np.array_equal(read_mask(Path("of a shard"), 20, 30, content), TRUE)


@pytest.mark.parametrize("name", ["m.jpg", "m.webp", "m.avif"])
def test_a_lossy_mask_is_halved_and_that_is_said_once(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(notes, "_SAID", set())
    smooth = np.kron(GREY, np.ones((7, 7), np.uint8))
    for path in (tmp_path / name, tmp_path / f"again-{name}"):
        Image.fromarray(smooth).convert("RGB").save(path, quality=60)
        read = read_mask(path, *smooth.shape)
        assert (read != smooth.astype(bool)).mean() < 0.02
    assert capsys.readouterr().err.count("a lossy format") == 1
    Image.fromarray(ONES).save(tmp_path / "labels.jpg")
    with pytest.raises(InputError, match="save it as PNG, as JPEG loses labels"):
        read_mask(tmp_path / "labels.jpg", 20, 30)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            Image.fromarray(GREY[:, ::2]),
            "expected a mask of 30×20 pixels .*, got 15×20",
        ),
        (Image.fromarray(GREY.T), "of the other orientation"),
        (Image.fromarray(GREY * 0), "expected some pixels of the object"),
        (Image.fromarray(np.dstack([GREY, GREY * 0])), "expected some pixels of the object"),
        (Image.fromarray(np.where(TRUE, np.nan, 0).astype(np.float32)), "got NaN"),
        (Image.fromarray(np.dstack([GREY] * 3)).convert("LAB"), "got one in LAB"),
    ],
)
def test_a_mask_that_is_none(tmp_path, image, message):
    image.save(tmp_path / "mask.tif")
    with pytest.raises(InputError, match=message):
        read_mask(tmp_path / "mask.tif", 20, 30)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.bool_, np.uint8, np.uint16, np.int32]))
def test_a_mask_of_any_depth_comes_back(tmp_path_factory, seed, kind):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2 if kind == np.bool_ else 255, rng.integers(1, 40, 2)).astype(kind)
    labels[0, 0] = 1
    path = tmp_path_factory.mktemp("masks") / "m.tif"
    Image.fromarray(labels).save(path)
    assert np.array_equal(read_mask(path, *labels.shape), labels != 0)


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
@pytest.mark.parametrize("name", ["ok", "cutout", "voctrans", "label16"])
def test_cases_4_and_5(name):
    [thing] = Files(CASES / f"{name}.jsonl")[0].objects
    assert thing.mask.sum() == 10_000


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
def test_case_6(capsys, monkeypatch):
    monkeypatch.setattr(notes, "_SAID", set())
    for name, message in (("norm", "as of shares"), ("outside", "outside of it")):
        with pytest.raises(InputError, match=f"box_{name}.jsonl:1, object 1: .*{message}"):
            Files(CASES / f"box_{name}.jsonl")[0]
    [thing] = Files(CASES / "box_neg.jsonl")[0].objects
    assert thing.box.tolist() == [0, 0, 100, 100]
    assert "goes beyond the picture's 640×480 pixels and is clipped" in capsys.readouterr().err


BOXES = {
    "inside": ([3, 5, 12, 9], [3, 5, 12, 9]),
    "rounding": ([0, 0, 30.2, 20], [0, 0, 30, 20]),
    "beyond": ([20, 10, 60, 30], [20, 10, 30, 20]),
    "around": ([-5, -5, 100, 100], [0, 0, 30, 20]),
    "shares": ([0.1, 0.2, 0.9, 1], "as of shares"),
    "right of it": ([30, 0, 40, 20], "outside of it"),
    "above it": ([0, -9, 9, 0], "outside of it"),
}


def of_one(folder, image="a.png", **truth):
    (folder / "data.jsonl").write_text(
        json.dumps({"image": image, "objects": [{"expressions": ["x"], **truth}]})
    )
    return Files(folder / "data.jsonl")


@pytest.mark.parametrize("case", BOXES)
def test_boxes_are_of_the_frame(tmp_path, case):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    box, right = BOXES[case]
    data = of_one(tmp_path, box=box)
    if isinstance(right, str):
        with pytest.raises(InputError, match=rf"data.jsonl:1, object 1: expected a box.*{right}"):
            data[0]
    else:
        assert data[0].objects[0].box.tolist() == right


def test_a_box_is_of_its_own_mask(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    Image.fromarray(GREY).save(tmp_path / "m.png")
    assert of_one(tmp_path, box=[3, 5, 12, 9], mask="m.png")[0].objects[0].mask.sum() == 36
    large = np.zeros((20, 30), np.uint8)
    large[6:18, 8:28] = 255
    Image.fromarray(large).save(tmp_path / "m.png")
    for box, message in (([0, 0, 8, 6], "object's mask"), ([8, 6, 20, 12], "width, height")):
        with pytest.raises(InputError, match=message):
            of_one(tmp_path, box=box, mask="m.png")[0]
    with pytest.raises(InputError, match=r"x \+ width"):
        of_one(tmp_path, box=[20, 10, 8, 5])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_frame_is_each_sources_own(tmp_path, root, orientation):
    """Case 7: REFER's pictures as stored, one's own upright, masks never turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = PHOTO[:H, :W]
    stored = np.random.default_rng(1).integers(0, 256, (H, W, 3), np.uint8)
    path = root / "images/mscoco/images/train2014" / FILES[581857]
    Image.fromarray(stored).save(path, "PNG", exif=exif)
    picture = open_dataset(f"refer:{root}/refcoco:unc:train")[0]
    assert np.array_equal(picture.image, stored)
    assert picture.instances.shape[1:] == (H, W)

    upright = load_image(path)
    h, w = upright.shape[:2]
    mask = np.zeros((h, w), np.uint8)
    mask[1:3, 2:9] = 255
    own = tmp_path / "own"
    own.mkdir()
    Image.fromarray(stored).save(own / "a.png", exif=exif)
    Image.fromarray(mask).save(own / "m.png", exif=exif)
    picture = of_one(own, mask="m.png", box=[2, 1, 9, 3])[0]
    assert np.array_equal(picture.image, upright)
    assert np.array_equal(picture.objects[0].mask, mask > 0)
    if h != H:
        Image.fromarray(mask.T).save(own / "m.png")
        with pytest.raises(InputError, match="of the other orientation"):
            of_one(own, mask="m.png")[0]


def test_a_run_length_code_of_nothing_is_no_mask(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    code = {"size": [20, 30], "counts": [600]}
    assert not decode_segmentation(code, 20, 30).any()
    with pytest.raises(InputError, match="expected some pixels"):
        of_one(tmp_path, mask=code)[0]
