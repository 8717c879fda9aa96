"""The committed slice as a data set."""

from train.data import Picture, Referred
from train.data.slice import read_slice


def pictures(count):
    """The first `count` scenes, with what is said of each object."""
    for scene in read_slice()[:count]:
        objects = tuple(
            Referred(
                str(k),
                tuple(e["text"] for e in thing["expressions"]),
                mask,
                tuple(e["kind"] for e in thing["expressions"]),
            )
            for k, (thing, mask) in enumerate(zip(scene.objects, scene.masks))
            if thing["expressions"]
        )
        yield Picture(scene.name, scene.image, objects)
