"""Makes S1 and S2 of a data set, shard by shard: stages 1 and 2 (paper §3.1, §3.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.errors import InputError, told
from ssc.select.spatial import STRENGTH
from ssc.writing import explained
from train.data import Dataset, Picture, open_dataset
from train.data.places import exists, is_url, prepare, read, write
from train.data.usable import LeftOut
from train.pseudo.provenance import describe, revision
from train.pseudo.records import PseudoObject, PseudoPicture
from train.pseudo.scores import SPATIAL, choice_of
from train.pseudo.store import (
    SHARD,
    SOURCE,
    Store,
    begin,
    check_joined,
    missing_shards,
    shard_file,
    unusable,
    write_shard,
)
from train.workers import Done, Job, worked

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.workers.cluster import Cluster

LOG = "log.jsonl"


def look(picture: Picture, pipeline: Pipeline) -> PseudoPicture:
    """Stages 1 and 2 of all objects of a picture (paper §3.1, §3.2).

    A function of the picture alone.
    """
    select = pipeline.select.anew()
    results = [
        pipeline.segment(picture.image, referent.expressions) for referent in picture.objects
    ]
    chosen = select(picture.image, results)
    # Each expression alone; the prompts' embeddings are still there.
    alone = [
        replace(result, expressions=(text,)) for result in results for text in result.expressions
    ]
    rows = iter(select(picture.image, alone))
    objects = []
    for referent, result in zip(picture.objects, chosen):
        selections = [next(rows).selection for _ in referent.expressions]
        assert result.selection is not None
        similarity = np.stack([selection.scores for selection in selections if selection])
        objects.append(
            PseudoObject(
                referent.name,
                referent.expressions,
                result.classes,
                result.candidates,
                similarity,
                result.selection.index,
            )
        )
    h, w = picture.image.shape[:2]
    return PseudoPicture(picture.name, (h, w), tuple(objects))


def run(dataset: Dataset, pipeline: Pipeline, out: Path, shards: Sequence[int]) -> Iterator[Done]:
    """Writes those of the shards that are not there."""
    for shard in shards:
        indices = range(shard * SHARD, min((shard + 1) * SHARD, len(dataset)))
        if exists(shard_file(out, shard)):  # by a node that was lost then, or another command
            yield Done(len(indices), unusable(out, [shard]), made=False)
            continue
        pictures = [_pseudo_picture(dataset, index, pipeline) for index in indices]
        write_shard(out, shard, pictures)
        broken = {picture.name: picture.error for picture in pictures if picture.error}
        yield Done(len(indices), broken, made=True)


def _pseudo_picture(dataset: Dataset, index: int, pipeline: Pipeline) -> PseudoPicture:
    """`look`; for a picture that cannot be used, its error in place of objects."""
    try:
        return look(dataset[index], pipeline)
    except Exception as error:  # of any kind: one picture's failure is that picture's
        return PseudoPicture(dataset.picture_name(index), (0, 0), (), told(error))


_WORKER: dict[str, Any] = {}


def _prepare(data: str, models: str, out: Path) -> None:
    """Opens data and models in a process; one thread, so that results do not depend on threads."""
    import torch

    import ssc

    torch.set_num_threads(1)
    pipeline = ssc.load(models, correct=False).with_options(paper=True)
    _WORKER.update(dataset=open_dataset(data), pipeline=pipeline, out=out)


def _prepare_node(data: str, models: str, out: Path) -> None:
    """As `_prepare`, on another machine, whose files and versions are to be the same."""
    _prepare(data, models, out)
    check_joined(out, describe(_WORKER["dataset"], models, _WORKER["pipeline"]))


def _work(shard: int) -> Done:
    [done] = run(_WORKER["dataset"], _WORKER["pipeline"], _WORKER["out"], [shard])
    return done


def generate(
    data: str,
    models: str,
    out: Path,
    workers: int = 1,
    allow_missing: bool = False,
    cluster: Cluster | None = None,
) -> None:
    """Completes the store `out`.

    Args:
        data: as `open_dataset` takes it.
        models: model set.
        out: folder, which is made where missing, or a URL's `UPath`.
        workers: processes of this machine; 1 for this one alone.
        allow_missing: goes on however many pictures cannot be used.
        cluster: of Ray's, whose actors work in place of processes.

    Raises:
        InputError: no such data or models, or `out` has other settings.
        TooManyLeftOut: more than a tenth of the pictures cannot be used.
    """
    prepare(out)  # before the models are loaded
    _prepare(data, models, out)
    dataset = _WORKER["dataset"]
    begin(out, {**describe(dataset, models, _WORKER["pipeline"], out), SOURCE: data})
    todo = missing_shards(out, len(dataset))
    left_out = LeftOut(data, len(dataset), allow_missing)
    shards = set(range(-(-len(dataset) // SHARD)))
    _count(left_out, unusable(out, sorted(shards - {*todo})))
    start, written = time.perf_counter(), 0
    job = Job(_prepare if cluster is None else _prepare_node, (data, models, out), _work)
    total = sum(min(SHARD, len(dataset) - shard * SHARD) for shard in todo)
    with worked(job, todo, total, "S1, S2", workers, cluster) as shards_done:
        for done in shards_done:
            written += done.pictures * done.made
            _count(left_out, done.failed)
    if written:
        most = workers if cluster is None else cluster.actors
        _log(out, written, time.perf_counter() - start, max(1, min(most, len(todo))))
    left_out.say()
    if cluster is not None and (missing := missing_shards(out, len(dataset))):
        raise InputError(
            f"{out}: expected a folder that all nodes share, {len(missing)} shards are missing here"
        )
    print(f"{out}: {len(dataset)} pictures, complete")


def _count(left_out: LeftOut, broken: dict[str, str]) -> None:
    for name, reason in broken.items():
        left_out.add(name, reason)


def choose_anew(source: Path, out: Path) -> None:
    """Writes a store with the same S1 and scores, and words counted in S2 (not in the paper).

    No network runs, so it takes seconds; see `ssc.select.spatial`.

    Raises:
        InputError: `source` is no complete store, or `out` has other settings.
    """
    from tqdm import tqdm

    store = Store.open(source)
    begin(out, {**store.manifest, SPATIAL: STRENGTH, "revision": revision()})
    for shard in tqdm(missing_shards(out, len(store)), desc="S2", unit="shard"):
        indices = range(shard * SHARD, min((shard + 1) * SHARD, len(store)))
        write_shard(out, shard, [_guided(store.picture(i)) for i in indices])


def _guided(picture: PseudoPicture) -> PseudoPicture:
    objects = [
        replace(referent, chosen=choice_of(referent, picture.size, spatial=True))
        for referent in picture.objects
    ]
    return replace(picture, objects=tuple(objects))


def _log(out: Path, pictures: int, seconds: float, workers: int) -> None:
    """Prints the speed and appends it to `log.jsonl`."""
    import torch

    each = 1000 * seconds * workers / pictures
    print(
        f"{out}: {pictures} pictures in {seconds:.1f} s, {pictures / seconds:.2f} a second; "
        f"1,000 pictures take {each:.0f} s of one process"
    )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    row = {"pictures": pictures, "seconds": seconds, "workers": workers, "device": device}
    line = json.dumps(row) + "\n"
    if is_url(out):
        earlier = read(out / LOG) if exists(out / LOG) else b""
        write(out / LOG, earlier + line.encode())
        return
    with explained(out / LOG), (out / LOG).open("a") as file:
        file.write(line)
