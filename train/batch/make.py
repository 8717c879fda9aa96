"""Answers all sentences of a data set, shard by shard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import ResourceError
from train.batch.rows import failures, parquet, rows_of
from train.data import open_dataset
from train.data.places import exists, names_in, prepare, read, sweep, write
from train.pseudo.provenance import describe
from train.pseudo.store import SOURCE, begin, check_joined
from train.workers import Done, Job, worked

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset
    from train.workers.cluster import Cluster

ANSWERS = "answers"  # the folder of the table, which has nothing else
EACH = 64  # pictures a file

_WORKER: dict[str, Any] = {}


def _open(data: str, models: str, correct: bool | str, paper: bool, out: Path, each: int) -> None:
    """Opens data and models; one thread, so that results do not depend on threads."""
    import torch

    import ssc

    torch.set_num_threads(1)
    pipeline = ssc.load(models, correct=correct).with_options(paper=paper)
    _WORKER.update(dataset=open_dataset(data), pipeline=pipeline, out=out, each=each)


def _join(data: str, models: str, correct: bool | str, paper: bool, out: Path, each: int) -> None:
    """As `_open`, on another machine, whose files and versions are to be the same."""
    _open(data, models, correct, paper, out, each)
    own = _describe(_WORKER["dataset"], models, _WORKER["pipeline"], paper, each)
    check_joined(out, own)


def _describe(
    dataset: Dataset,
    models: str,
    pipeline: Pipeline,
    paper: bool,
    each: int,
    out: Path | None = None,
) -> dict[str, Any]:
    from train.fit.checkpoint import digest_of

    corrector: Any = pipeline.correct and getattr(pipeline.correct, "corrector", None)
    return {
        **describe(dataset, models, pipeline, out),
        "stage 3": digest_of(corrector.model) if corrector else None,
        "paper": paper,
        "pictures a shard": each,
    }


def file_of(out: Path, shard: int) -> Path:
    return out / ANSWERS / f"part-{shard:06d}.parquet"


def _work(shard: int) -> Done:
    dataset, pipeline = _WORKER["dataset"], _WORKER["pipeline"]
    out, each = _WORKER["out"], _WORKER["each"]
    indices = range(shard * each, min((shard + 1) * each, len(dataset)))
    file = file_of(out, shard)
    made = not exists(file)  # by a node that was lost then, or another command
    if made:
        rows = [row for index in indices for row in rows_of(pipeline, dataset, index)]
        content = parquet(rows)
        write(file, content)
    else:
        content = read(file)
    return Done(len(indices), failures(content), made)


def answer_all(
    data: str,
    models: str,
    out: Path,
    *,
    correct: bool | str = True,
    paper: bool = False,
    each: int = EACH,
    workers: int = 1,
    cluster: Cluster | None = None,
) -> int:
    """Completes the table in `out`; returns how many pictures have an error.

    Args:
        data: as `open_dataset` takes it.
        models: model set.
        out: folder, which is made where missing, or a URL's `UPath`.
        correct: stage 3, as `ssc.load` takes it.
        paper: the paper's rule, see `ssc.pipeline.Options`.
        each: pictures a file.
        workers: processes of this machine; 1 for this one alone.
        cluster: of Ray's, whose actors work in place of processes.

    Raises:
        InputError: no such data or models, or `out` has other settings.
        ResourceError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "batch: expected pyarrow, which is not installed; run "
            "pip install 'segment-select-correct[cluster]'"
        ) from error
    prepare(out)  # before the models are loaded
    prepare(out / ANSWERS)
    arguments = (data, models, correct, paper, out, each)
    _open(*arguments)
    dataset, pipeline = _WORKER["dataset"], _WORKER["pipeline"]
    settings = _describe(dataset, models, pipeline, paper, each, out)
    begin(out, {**settings, SOURCE: data})
    sweep(out / ANSWERS)
    there = names_in(out / ANSWERS)
    shards = range(-(-len(dataset) // each))
    todo = [shard for shard in shards if file_of(out, shard).name not in there]
    pictures = sum(min(each, len(dataset) - shard * each) for shard in todo)
    failed = 0
    for shard in {*shards} - {*todo}:
        failed += len(failures(read(file_of(out, shard))))
    job = Job(_open if cluster is None else _join, arguments, _work)
    with worked(job, todo, pictures, "answers", workers, cluster) as shards_done:
        for done in shards_done:
            failed += len(done.failed)
            for name, reason in done.failed.items():
                print(f"{name}: {reason}", file=sys.stderr)
    print(f"{out / ANSWERS}: {len(dataset)} pictures, {failed} of them with an error")
    return failed
