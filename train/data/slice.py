"""The committed slice of RefSprites: the bench, the tests and the page's examples need no font.

Layout of a slice folder: `NAME.jpg`, `NAME.ids.png` (8 bit, 1 + index of the instance seen at each
pixel, 0 background) and `scenes.json`, a list of
{"name", "split", "objects": [{"category", "expressions": [{"text", "kind", "subkind"}]}]};
expressions are empty for objects that are not referred to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ssc.models.bundled import ASSETS
from train.scenes.render import Scene, render

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICE = ASSETS / "scenes"
EXAMPLES = ASSETS / "examples"
SEED = 7  # no measurement uses it
EXAMPLE_SEED = 101
EXAMPLE_SCENES = (  # split, index, name, expressions: right answers and, by place, wrong ones
    ("testA", 5, "people", ("man with sunglasses", "the rightmost man")),
    ("testB", 256, "suitcases", ("purple suitcase", "briefcase on the left")),
    ("testA", 10, "faces", ("guy with a turban", "the chef")),
    ("testB", 37, "books", ("black book", "open book")),
    ("hard", 5, "beds", ("small white bed", "bed at the bottom")),
    ("testB", 5, "horses", ("horse on the right",)),
)
PHOTOGRAPH = {"image": "coffee.jpg", "expressions": ("cup of coffee", "spoon")}
"""The page's first example. By Rachel Michetti, CC0, scikit-image's `coffee.png` as JPEG."""
SPLITS = ("val", "testA", "testB", "hard")
PER_SPLIT = 16


@dataclass(frozen=True)
class SliceScene:
    """One scene of the slice: image RGB uint8 H×W×3, masks bool N×H×W, objects as in the JSON."""

    name: str
    split: str
    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    objects: list[dict]


def _write_image(path: Path, scene: Scene) -> None:
    # OpenCV's encoder expects the channels in reverse.
    cv2.imwrite(str(path), scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def write_slice(folder: Path = SLICE) -> None:
    """Renders the slice and the page's examples (640×480)."""
    examples = [PHOTOGRAPH]
    for split, index, name, expressions in EXAMPLE_SCENES:
        scene = render(split, index, EXAMPLE_SEED, height=480, width=640)
        _write_image(EXAMPLES / f"{name}.jpg", scene)
        examples.append({"image": f"{name}.jpg", "expressions": expressions})
    (EXAMPLES / "examples.json").write_text(json.dumps(examples, indent=1) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split in SPLITS:
        for index in range(PER_SPLIT):
            scene = render(split, index, SEED)
            name = f"{split}-{index:02d}"
            _write_image(folder / f"{name}.jpg", scene)
            cv2.imwrite(str(folder / f"{name}.ids.png"), scene.ids)
            objects = [
                {
                    "category": instance.sprite.category,
                    "expressions": [
                        {"text": e.text, "kind": e.kind, "subkind": e.subkind}
                        for e in scene.referred.get(k, ())
                    ],
                }
                for k, instance in enumerate(scene.instances)
            ]
            rows.append({"name": name, "split": split, "objects": objects})
    (folder / "scenes.json").write_text(json.dumps(rows, indent=1) + "\n")


def read_slice(folder: Path = SLICE) -> list[SliceScene]:
    """The committed scenes."""
    scenes = []
    for row in json.loads((folder / "scenes.json").read_text()):
        image = cv2.imread(str(folder / f"{row['name']}.jpg"))[..., ::-1]
        ids = cv2.imread(str(folder / f"{row['name']}.ids.png"), cv2.IMREAD_GRAYSCALE)
        masks = ids[None] == np.arange(1, len(row["objects"]) + 1)[:, None, None]
        scenes.append(
            SliceScene(
                row["name"], row["split"], np.ascontiguousarray(image), masks, row["objects"]
            )
        )
    return scenes
