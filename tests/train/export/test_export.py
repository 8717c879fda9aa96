"""What is exported reads back: RLE and PNG exactly, polygons nearly; others' readers load it."""

import json
import sys
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ssc.errors import InputError
from ssc.metrics import mask_iou
from tests.train.slice_pictures import pictures
from train.data import open_dataset
from train.data.export import export
from train.data.masks import decode_segmentation
from train.data.outlines import outline
from train.export.__main__ import main
from train.export.formats import FORMATS
from train.export.items import Item, Page, open_source
from train.export.packed import zip_pages

ENOUGH = 0.95  # IoU of a polygon read back


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return str(export(pictures(3), tmp_path_factory.mktemp("data") / "train.jsonl", masks=True))


@pytest.fixture(scope="module")
def pages(source):
    return list(open_source(source))


def several(pages):
    """The first picture with an item of two things, and one of nothing."""
    page = pages[0]
    two = np.concatenate([item.masks for item in page.items[:2]])
    none = np.zeros((0, *two.shape[1:]), np.bool_)
    items = Item("both", ("both",), two, "dog"), Item("none", ("the unicorn",), none, "dog")
    return [Page(page.name, page.image, (*page.items, *items))]


def assert_same(data, pages, least=1.0, names=True):
    assert len(data) == len(pages)
    for k, page in enumerate(pages):
        picture = data[k]
        assert (picture.image == page.image).all()
        said = [thing.expressions for thing in picture.objects]
        assert said == [item.expressions for item in page.items]
        if names:
            assert [thing.name for thing in picture.objects] == [item.name for item in page.items]
        for thing, item in zip(picture.objects, page.items):
            assert mask_iou(thing.mask, item.union) >= least


def test_coco_reads_back_and_pycocotools_loads_it(source, pages, tmp_path, capsys):
    main([source, "--as", "coco", "--out", str(tmp_path)])
    data = open_dataset(f"coco:{tmp_path / 'annotations.json'}")
    assert_same(data, pages)
    assert [data[k].name for k in range(3)] == [page.name for page in pages]

    from pycocotools.coco import COCO

    coco = COCO(str(tmp_path / "annotations.json"))
    masks = [item.union for page in pages for item in page.items]
    assert len(coco.anns) == len(masks)
    for row, mask in zip(coco.loadAnns(sorted(coco.anns)), masks):
        assert (coco.annToMask(row) == mask).all()
        assert row["area"] == mask.sum()
    assert "3 pictures" in capsys.readouterr().out


def test_refcoco_is_read_by_our_reader(source, pages, tmp_path):
    main([source, "--as", "refcoco", "--out", str(tmp_path), "--split", "val"])
    data = open_dataset(f"refer:{tmp_path / 'refcoco'}:ssc:val")
    assert_same(data, pages, names=False)
    assert data[0].instances.shape[0] == len(pages[0].items)


def test_grefcoco_has_several_and_none(pages, tmp_path):
    [page] = pages = several(pages)
    assert FORMATS["grefcoco"](pages, tmp_path, "train") == []
    refs = json.loads((tmp_path / "grefcoco" / "grefs(ssc).json").read_text())
    instances = json.loads((tmp_path / "grefcoco" / "instances.json").read_text())
    known = {row["id"]: row for row in instances["annotations"]}
    assert len({ref["ref_id"] for ref in refs}) == len(refs) == len(page.items)
    for ref, item in zip(refs, page.items):
        assert [sentence["sent"] for sentence in ref["sentences"]] == list(item.expressions)
        assert ref["no_target"] == (not len(item.masks))
        if ref["no_target"]:
            assert ref["ann_id"] == ref["category_id"] == [-1]
            continue
        assert len(ref["ann_id"]) == len(item.masks)
        for ann_id, mask in zip(ref["ann_id"], item.masks):
            assert (decode_segmentation(known[ann_id]["segmentation"], *mask.shape) == mask).all()


def test_yolo_lines_are_the_masks(pages, tmp_path):
    [page] = pages = several(pages)
    assert FORMATS["yolo"](pages, tmp_path, "train") == ["1 objects that mean nothing"]
    lines = (tmp_path / "labels" / "train" / "000001.txt").read_text().splitlines()
    masks = [mask for item in page.items for mask in item.masks]
    assert len(lines) == len(masks)
    height, width = page.image.shape[:2]
    for line, mask in zip(lines, masks):
        _, *shares = line.split()
        points = np.array(shares, float).reshape(-1, 2)
        assert points.min() >= 0
        assert points.max() <= 1
        polygon = (points * (width, height)).reshape(-1).tolist()
        assert mask_iou(decode_segmentation([polygon], height, width), mask) >= ENOUGH
        drawn = np.zeros((height, width), np.uint8)  # as YOLO's trainers fill it
        cv2.fillPoly(drawn, [np.rint(points * (width, height)).astype(np.int32)], 1)
        assert mask_iou(drawn > 0, mask) >= 0.8
    said = [json.loads(line) for line in (tmp_path / "expressions.jsonl").read_text().splitlines()]
    assert [row["line"] for row in said] == [*range(1, len(lines) + 1)]


def test_labelme_reads_back(source, pages, tmp_path):
    main([source, "--as", "labelme", "--out", str(tmp_path)])
    assert_same(open_dataset(f"labelme:{tmp_path}"), pages, ENOUGH, names=False)


def test_masks_read_back(source, pages, tmp_path):
    main([source, "--as", "masks", "--out", str(tmp_path), "--split", "val"])
    assert_same(open_dataset(str(tmp_path / "val.jsonl")), pages)


def test_results_of_the_command_line_are_a_source(tmp_path):
    import ssc
    from ssc.export import write_result
    from tests.fake_pipeline import SCENE, SCENES, fake_pipeline

    image = ssc.load_image(SCENES / f"{SCENE}.jpg")
    results = fake_pipeline()(image, ["left laptop", "right laptop"])
    name = f"{SCENE}.jpg"
    write_result(tmp_path, "desk", image, results, name)
    with pytest.raises(InputError, match="expected --images"):
        list(open_source(str(tmp_path)))
    with pytest.raises(InputError, match="expected one picture named"):
        list(open_source(str(tmp_path), images=tmp_path))
    [page] = open_source(str(tmp_path), images=SCENES)
    assert (page.image == image).all()
    assert page.name == name
    for item, result in zip(page.items, results):
        assert item.expressions == result.expressions
        assert (item.union == result.mask).all()


def test_a_picture_that_cannot_be_read_is_left_out_and_named(tmp_path, capsys):
    data = export(pictures(3), tmp_path / "train.jsonl", masks=True)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    (tmp_path / rows[1]["image"]).write_bytes(b"x")
    main([str(data), "--as", "masks", "--out", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert "2 pictures" in captured.out
    assert f"note: left out: {rows[1]['name']} (" in captured.err
    archive = zip_pages(open_source(str(data)), "coco", tmp_path / "zip")
    with ZipFile(archive) as packed:
        assert rows[1]["name"] in packed.read("coco/left_out.txt").decode()
    (tmp_path / rows[0]["image"]).write_bytes(b"x")
    with pytest.raises(SystemExit):
        main([str(data), "--as", "masks", "--out", str(tmp_path / "out")])
    assert "2 of 3 pictures" in capsys.readouterr().err
    main([str(data), "--as", "masks", "--out", str(tmp_path / "out"), "--allow-missing"])
    (tmp_path / rows[2]["image"]).write_bytes(b"x")
    with pytest.raises(InputError, match="3 of 3 pictures"):
        list(open_source(str(data), allow_missing=True))


def test_supervision_loads_coco_and_yolo(source, pages, tmp_path):
    supervision = pytest.importorskip("supervision", minversion="0.20")
    main([source, "--as", "coco", "--out", str(tmp_path / "coco")])
    main([source, "--as", "yolo", "--out", str(tmp_path / "yolo")])
    coco = supervision.DetectionDataset.from_coco(
        str(tmp_path / "coco/images"), str(tmp_path / "coco/annotations.json"), force_masks=True
    )
    yolo = supervision.DetectionDataset.from_yolo(
        str(tmp_path / "yolo/images/train"),
        str(tmp_path / "yolo/labels/train"),
        str(tmp_path / "yolo/data.yaml"),
        force_masks=True,
    )
    for data, least in ((coco, 1.0), (yolo, 0.8)):
        assert len(data) == len(pages)
        for (_, image, found), page in zip(sorted(data, key=lambda row: row[0]), pages):
            assert (image[..., ::-1] == page.image).all()
            for mask, item in zip(found.mask, page.items):
                assert mask_iou(np.asarray(mask, np.bool_), item.union) >= least


def test_a_source_without_masks_is_refused(tmp_path, capsys):
    source = export(pictures(1), tmp_path / "in" / "train.jsonl")
    with pytest.raises(SystemExit):
        main([str(source), "--as", "coco", "--out", str(tmp_path / "out")])
    assert "expected objects with masks, got none" in capsys.readouterr().err


@settings(max_examples=80, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_an_outline_is_its_mask(mask):
    if not mask.any():
        return
    large = np.kron(mask, np.ones((4, 4), np.bool_))
    polygon = outline(large).reshape(-1).tolist()
    assert mask_iou(decode_segmentation([polygon], *large.shape), large) >= ENOUGH


def test_an_imagefolder_is_read(tmp_path):
    for name in ("a", "b"):
        Image.new("RGB", (8, 6), (9, 9, 9)).save(tmp_path / f"{name}.png")
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:6] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    boxes = {"bbox": [[1, 1, 3, 2]], "text": ["the dog"]}
    rows = [
        {"file_name": "a.png", "text": "left dog", "mask_file_name": "m.png"},
        {"file_name": "a.png", "expressions": ["cat", "the cat"]},
        {"file_name": "b.png", "objects": boxes},
    ]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = open_dataset(f"imagefolder:{tmp_path}")
    first, second = data[0], data[1]
    assert [thing.expressions for thing in first.objects] == [("left dog",), ("cat", "the cat")]
    assert (first.objects[0].mask == (mask > 0)).all()
    assert second.objects[0].box.tolist() == [1, 1, 4, 3]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("coco", "[]", "expected coco's form"),
        ("coco", '{"images": [], "annotations": []}', "expected at least one picture"),
        ("imagefolder", '{"file": "a.png"}', "expected imagefolder's form, got: KeyError"),
        ("imagefolder", '{"file_name": "a.png", "text": 3}', "expected imagefolder's form"),
    ],
)
def test_other_forms_are_refused(tmp_path, kind, content, message):
    file = tmp_path / "metadata.jsonl"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        open_dataset(f"{kind}:{file if kind == 'coco' else tmp_path}")


def test_the_plain_pickle_of_refs_runs_nothing(source, tmp_path):
    import pickletools

    main([source, "--as", "refcoco", "--out", str(tmp_path)])
    data = (tmp_path / "refcoco" / "refs(ssc).p").read_bytes()
    names = {opcode.name for opcode, _, _ in pickletools.genops(data)}
    assert not names & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"}
    assert "train.export" in sys.modules
