"""Measures how often the page's note on photographs is right (`ssc.models.photo`).

python -m train photo-note                # needs scikit-image and scikit-learn for their photos
python -m train photo-note --scenes 60

Scenes are from RefSprites' val split. Photographs are those that Python packages ship: each whole,
mirrored, in its four quarters, and at a half and a quarter of its size. The first half (150 scenes,
scikit-image's photographs) gives the threshold with the fewest errors, both kinds weighing the
same. The second half (other scenes, the examples, photographs of scikit-learn, Matplotlib and
Gradio) tests it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssc.models.photo import THRESHOLD, confidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.mini import MiniNetwork

CHOOSE = {
    "skimage/data": "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png "
    "gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png retina.jpg rocket.jpg"
}
COUNT = {
    "sklearn/datasets/images": "china.jpg flower.jpg",
    "matplotlib/mpl-data/sample_data": "grace_hopper.jpg",
    "gradio/media_assets/images": "cheetah.jpg cheetah1.jpg lion.jpg tower.jpg",
}
"""Package and folder in it → photographs."""


def find_photos(folders: dict[str, str]) -> list[Path]:
    """The files that are installed; says which packages are missing."""
    paths = []
    for folder, names in folders.items():
        package, _, inner = folder.partition("/")
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            print(f"{package} is not installed: its photographs are left out")
            continue
        paths += [Path(spec.origin).parent / inner / name for name in names.split()]
    return [path for path in paths if path.exists()]


def vary(photo: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The photograph, its mirror image, its quarters, and itself at a half and a quarter."""
    import cv2

    height, width = photo.shape[:2]
    yield photo
    yield np.ascontiguousarray(photo[:, ::-1])
    for top in (0, height // 2):
        for left in (0, width // 2):
            yield np.ascontiguousarray(photo[top : top + height // 2, left : left + width // 2])
    for scale in (0.5, 0.25):
        yield cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def choose(scenes: NDArray[np.float64], photos: NDArray[np.float64]) -> float:
    """The threshold with the fewest errors, scenes and photographs weighing the same.

    Args:
        scenes, photos: confidence of each.
    """
    values = np.unique(np.concatenate([scenes, photos]))
    between = (values[1:] + values[:-1]) / 2
    errors = [(scenes < t).mean() + (photos >= t).mean() for t in between]
    return float(between[int(np.argmin(errors))])


def count(name: str, scenes: NDArray[np.float64], photos: NDArray[np.float64], at: float) -> None:
    right = int((scenes >= at).sum()), int((photos < at).sum())
    print(
        f"{name}: {right[0]} of {len(scenes)} scenes get no note, "
        f"{right[1]} of {len(photos)} photographs get it"
    )


def main() -> None:
    from tqdm import tqdm

    from ssc.images import load_image
    from ssc.models.bundled import ASSETS, load_mini_network
    from train.data.slice import PHOTOGRAPH
    from train.scenes import render

    parser = argparse.ArgumentParser(
        prog="python -m train photo-note", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--scenes", type=int, default=150, help="scenes in each half; default: 150")
    scenes = parser.parse_args().scenes
    network: MiniNetwork = load_mini_network(ASSETS / "mini" / "detector")

    def measure(pictures: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
        return np.array([confidence(network.boxes(image)[1]) for image in tqdm(pictures)])

    def of_photos(folders: dict[str, str]) -> NDArray[np.float64]:
        return measure([v for path in find_photos(folders) for v in vary(load_image(path))])

    listed = sorted((ASSETS / "examples").glob("*.jpg"))
    examples = [load_image(path) for path in listed if path.name != PHOTOGRAPH["image"]]
    here = measure([render("val", i).image for i in range(scenes)]), of_photos(CHOOSE)
    if not len(here[1]):
        parser.exit(1, "error: expected scikit-image's photographs to choose by, got none\n")
    others = [render("val", i).image for i in range(scenes, 2 * scenes)]
    there = measure(others + examples), of_photos(COUNT)
    best = choose(*here)
    print(f"fewest errors on the first half at {best:.3f}; ssc.models.photo has {THRESHOLD}")
    for at in sorted({round(best, 2), THRESHOLD}):
        print(f"at {at}")
        count("  first half ", *here, at)
        count("  second half", *there, at)


if __name__ == "__main__":
    main()
