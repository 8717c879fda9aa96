"""What tests on photographs need, each skipped with its reason where it is not on this machine."""

from pathlib import Path

import pytest

from tests.real.pictures import own_pictures, real_pocket
from train.data import open_dataset

SHARED = Path(__file__).parents[3] / "shared"  # beside the checkout; not in the repository


@pytest.fixture(scope="session")
def pocket():
    return real_pocket()


def shared(kind):
    folder = SHARED / kind
    if not folder.is_dir():
        pytest.skip(f"{kind}: no photographs with truth in {folder}")
    return open_dataset(f"{kind}:{folder}")


@pytest.fixture(scope="session")
def photos():
    return shared("photos")


@pytest.fixture(scope="session")
def coco62():
    return shared("coco62")


@pytest.fixture(scope="session")
def own():
    pictures, absent = own_pictures()
    if absent:
        pytest.skip(f"pip install -e '.[dev]' brings these photographs: {', '.join(absent)}")
    return pictures
