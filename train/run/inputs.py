"""What a step of a run has read: whether its output is still that of its inputs.

Beside each step's output stands `NAME.inputs`, written before the step begins: digests of the
records, pictures and masks, of models, stores and checkpoints, and the options that matter. Paths
do not count, so that a run may be moved or copied with its folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from ssc.writing import write_whole
from train.data import open_dataset
from train.data.fingerprint import digest_of, fingerprint
from train.review.decisions import Reviews
from train.run.steps import FILES, complete

if TYPE_CHECKING:
    from train.run.steps import Step

VAL = "--val"
PLACES = {"--out", "--cache", "--json", "--workers"}  # where and how fast: they decide no byte
DATA = {"--data", VAL}
FOLDERS = {"--store": "S1 and S2", "--from": "S1 and S2", "--init": "the first weights"}
REPORT = "train.run.report"
GATES = {"--allow-missing"}


def inputs_of(step: Step, folder: Path) -> dict[str, str]:
    """Name in words → digest of all that a step reads; `folder` keeps what is known of files.

    Raises:
        InputError: data that is not there or not valid.
    """
    found: dict[str, str] = {}
    options: list[str] = []
    if step.module == REPORT:  # it is written anew whenever a step has worked
        return found
    for option, values in _split(step.options):
        if option in DATA:
            for source in values:
                dataset = open_dataset(source)
                found[f"{option} {source}"] = _short(dataset.name, fingerprint(dataset, folder))
        elif option in FOLDERS:
            found[FOLDERS[option]] = _folder(Path(values[0]), folder)
        elif option == "--reviews":
            if (reviews := Reviews(Path(values[0]))).any():
                found["the reviews"] = reviews.digest
        elif option == "--checkpoint":
            for title, _, checkpoint in (pair.partition("=") for pair in values):
                found[f"the checkpoint of {title}"] = _folder(Path(checkpoint), folder)
        elif option == "--models":
            found[f"the models of {values[0]}"] = _models(values[0])
        elif option not in PLACES | GATES:
            options += [option, *values]
    return {**found, "the options": " ".join(options)}


def changed(step: Step, inputs: dict[str, str]) -> str | None:
    """Why the output that is there, whole or in part, is not of these inputs.

    Returns:
        What has changed, in words; "" where nothing has or nothing is there.
    """
    if not step.output.exists() or step.module == REPORT:
        return ""
    known = _noted(step)
    if known is None:
        return "" if _is_adopted(step, inputs) else "what it was made of is not known"
    return _differing(_deciding(known), _deciding(inputs))


def forget_val(step: Step, inputs: dict[str, str]) -> bool:
    """Drops a training's figures on validation pictures that have changed since.

    They decide no weight: the training itself stays.

    Returns:
        Whether there were any.
    """
    known, log = _noted(step), step.output / "log.jsonl"
    if known is None or not log.exists() or not _differing(known, inputs):
        return False
    kept = [line for line in log.read_text().splitlines(True) if "val mIoU" not in line]
    write_whole(log, "".join(kept).encode())
    note(step, inputs)
    return True


def _deciding(inputs: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in inputs.items() if not name.startswith(VAL)}


def _differing(known: dict[str, str], inputs: dict[str, str]) -> str:
    # A data set may be moved: it is known by its content.
    if sorted(known.values()) == sorted(inputs.values()):
        return ""
    names = [name for name in {**known, **inputs} if known.get(name) != inputs.get(name)]
    return f"{', '.join(names)} changed"


def _noted(step: Step) -> dict[str, str] | None:
    with suppress(OSError, ValueError):
        return json.loads(_record(step).read_text("utf-8"))
    return None


def finished(step: Step) -> bool:
    """Whether the step's output is whole."""
    return step.output.exists() if step.module == "train.evaluate" else complete(step)


def note(step: Step, inputs: dict[str, str]) -> None:
    """Writes what a step is about to read."""
    text = json.dumps(inputs, indent=1, ensure_ascii=False)
    write_whole(_record(step), f"{text}\n".encode("utf-8", "backslashreplace"))


def set_aside(step: Step) -> Path:
    """Gives the step's old output another name, which it returns: nothing is lost."""
    numbers = range(1, 1 + len(list(step.output.parent.iterdir())) + 1)
    names = (step.output.with_name(f"{step.output.name}.old-{number}") for number in numbers)
    aside = next(name for name in names if not name.exists())
    step.output.rename(aside)
    return aside


def same_weights(one: Path, other: Path, folder: Path) -> bool:
    """Whether two folders hold the same checkpoint."""
    return _folder(one, folder) == _folder(other, folder)


def _record(step: Step) -> Path:
    return step.output.with_name(f"{step.output.name}.inputs")


def _is_adopted(step: Step, inputs: dict[str, str]) -> bool:
    """Whether S1 and S2, made by train.pseudo itself, say that they are of this data."""
    from train.pseudo.store import read_manifest

    if step.module != "train.pseudo" or "--data" not in step.options:
        return False
    manifest = read_manifest(step.output) or {}
    digest = _short(str(manifest.get("data")), str(manifest.get("files", "")))
    return digest in inputs.values()


def _split(options: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option of a command line with its values; what comes before the first has no name."""
    name = ""
    values: list[str] = []
    for text in options:
        if text.startswith("--"):
            yield name, values
            name, _, value = text.partition("=")
            values = [value] if value else []
        else:
            values.append(text)
    yield name, values


def _folder(path: Path, table: Path) -> str:
    """Of a store its shards, of a checkpoint the files that make it."""
    from train.fit.options import FILE as OPTIONS
    from train.pseudo.store import MANIFEST

    if (path / MANIFEST).exists():
        return digest_of([path / MANIFEST, *sorted(path.glob("shard-*"))], table)
    files = [file for file in sorted(path.glob("*")) if file.suffix in FILES]
    return digest_of((file for file in files if file.name != OPTIONS), table)


def _models(name: str) -> str:
    from train.pseudo.provenance import weights_of

    return _short(*(f"{file} {digest}" for file, digest in sorted(weights_of(name).items())))


def _short(*parts: str) -> str:
    return blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
