"""A tiny RefCOCO in its published layout, with its real field names."""

import json
import pickle

from PIL import Image

H, W = 24, 32
FILES = {
    581857: "COCO_train2014_000000581857.jpg",
    111: "COCO_train2014_000000000111.jpg",
    222: "COCO_train2014_000000000222.jpg",
}


def rectangle(x0, y0, x1, y1):
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def annotation(ann_id, image_id, segmentation, iscrowd=0):
    return {
        "id": ann_id,
        "image_id": image_id,
        "category_id": 1,
        "segmentation": segmentation,
        "area": 1.0,
        "bbox": [0, 0, 1, 1],
        "iscrowd": iscrowd,
    }


def ref(ref_id, ann_id, image_id, split, *said):
    return {
        "ref_id": ref_id,
        "ann_id": ann_id,
        "image_id": image_id,
        "category_id": 1,
        "split": split,
        "file_name": f"COCO_train2014_{image_id:012d}_{ref_id}.jpg",
        "sent_ids": [10 * ref_id + k for k in range(len(said))],
        "sentences": [
            {"sent_id": 10 * ref_id + k, "sent": text, "raw": text.title(), "tokens": text.split()}
            for k, text in enumerate(said)
        ],
    }


CROWD = {"size": [H, W], "counts": [H * 4, H * 2, H * (W - 6)]}
ANNOTATIONS = [
    annotation(1, 581857, rectangle(2, 2, 10, 12)),
    annotation(2, 581857, rectangle(14, 4, 20, 20) + rectangle(22, 4, 26, 20)),
    annotation(3, 581857, CROWD, 1),
    annotation(4, 111, rectangle(0, 0, 8, 8)),
    annotation(5, 222, rectangle(0, 0, 8, 8)),
]
REFS = [
    ref(7, 2, 581857, "train", "the right one", "man  in blue"),
    ref(9, 4, 111, "testA", "a dog"),
    ref(8, 1, 581857, "train", "left guy", " "),
    ref(6, 5, 222, "testB", "a cat"),
    ref(5, 2, 581857, "train", "blue shirt"),
]


def write_refcoco(root):
    images = root / "images" / "mscoco" / "images" / "train2014"
    images.mkdir(parents=True)
    for name in FILES.values():
        Image.new("RGB", (W, H), (90, 120, 30)).save(images / name)
    folder = root / "refcoco"
    folder.mkdir()
    instances = {
        "info": {},
        "images": [
            {"id": id_, "file_name": name, "height": H, "width": W} for id_, name in FILES.items()
        ],
        "annotations": ANNOTATIONS,
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
    }
    (folder / "instances.json").write_text(json.dumps(instances))
    save(folder, REFS)


def save(folder, refs):
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
