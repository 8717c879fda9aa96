"""A store over the committed scenes, and the workbench on it with a segmenter of boxes."""

import json
from functools import cache

import numpy as np

from ssc.metrics import mask_box
from ssc.types import Candidates
from tests.train.slice_pictures import pictures
from train.data.export import export
from train.pseudo import store
from train.pseudo.records import PseudoObject, PseudoPicture


class Boxes:
    """A segmenter whose mask is the box itself."""

    def segment(self, image, boxes):
        masks = np.zeros((len(boxes), *image.shape[:2]), np.bool_)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes.round().astype(int)):
            mask[y0:y1, x0:x1] = True
        return masks, np.ones(len(boxes), np.float32)

    def segment_points(self, image, points, positive):
        """A square around each point on the object, without those around points off it."""
        mask = np.zeros(image.shape[:2], np.bool_)
        for on in (True, False):
            for x, y in points[positive == on].round().astype(int):
                mask[max(0, y - 9) : y + 10, max(0, x - 9) : x + 10] = on
        return mask, 1.0


def look(picture, seed):
    """Three candidates of each object, the second the right one; one object has none."""
    rng = np.random.default_rng(seed)
    h, w = picture.image.shape[:2]
    objects = []
    for number, thing in enumerate(picture.objects):
        others = [np.roll(thing.mask, shift, axis=1) for shift in (-w // 4, w // 4)]
        masks = np.stack([others[0], thing.mask, others[1]])
        count = 0 if seed == 1 and number == 0 else 3
        boxes = np.stack([mask_box(mask) for mask in masks])
        ones = np.ones(count, np.float32)
        found = Candidates(boxes[:count], ones, ("thing",) * count, masks[:count], ones)
        scores = rng.uniform(0.2, 0.22, (len(thing.expressions), count)).astype(np.float32)
        chosen = int(scores.mean(0).argmax()) if count else -1
        objects.append(
            PseudoObject(thing.name, thing.expressions, ("thing",), found, scores, chosen)
        )
    return PseudoPicture(picture.name, (h, w), tuple(objects))


def write(folder, count=6, copies=1, masks=False):
    """A store of the first scenes, each `copies` times; returns its folder."""
    whole = list(pictures(count))
    data = export(whole, folder / "data.jsonl", masks)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    looked = [look(picture, seed) for seed, picture in enumerate(whole)]
    names = [f"{row['name']}{f' {k}' if k else ''}" for k in range(copies) for row in rows]
    data.write_text(
        "".join(
            json.dumps({**rows[k % count], "name": name}) + "\n" for k, name in enumerate(names)
        )
    )
    place = folder / "store"
    store.begin(place, {"pictures": len(names), "source": str(data), "models": "mini"})
    for shard in store.missing_shards(place, len(names)):
        own = range(shard * store.SHARD, min((shard + 1) * store.SHARD, len(names)))
        renamed = [
            PseudoPicture(names[k], looked[k % count].size, looked[k % count].objects) for k in own
        ]
        store.write_shard(place, shard, renamed)
    return place


def bench_of(place):
    from train.review.opened import open_reviewed
    from train.workbench.bench import Bench
    from train.workbench.prompted import Prompted

    return Bench(open_reviewed(place), Prompted(Boxes, takes_points=True))


@cache
def fake():
    from tests.fake_pipeline import fake_pipeline

    return fake_pipeline()


def app_of(place, home, choices=None):
    """All pages: review of the store at `place`, and what is new in `home`."""
    from ssc.page.choices import Choices, ModelSet
    from train.workbench.folder_calls import FolderCalls
    from train.workbench.server import build
    from train.workbench.trainings import Trainings

    trainings = Trainings(home)
    if choices is None:
        choices = Choices([ModelSet("mini", fake)])
    choices.found = trainings.checkpoints
    calls = FolderCalls(home, lambda: choices)
    return build(bench_of(place), None, calls, trainings)


def serve(place, port):
    """Serves the store that `write` has made, until it is ended."""
    import uvicorn

    app = app_of(place, place.parent / "home")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
