"""A data set of one sentence a row, read by proposed groups: each group is an object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b, sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from ssc.errors import InputError
from ssc.writing import make_place, write_whole
from train.data.group import JOINED, SHARPNESS, group, pairs
from train.data.ungrouped import Ungrouped

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset, Picture, Referred
    from train.data.usable import LeftOut

EVERY = 30.0
"""Seconds of work that a kill may cost."""


class Grouped:
    """Another data set's pictures, its objects joined as a file of `propose` says.

    An object that the file does not name stays by itself; masks and boxes are the first one's.

    Raises:
        InputError: the file is none of these.
    """

    def __init__(self, file: Path, dataset: Dataset) -> None:
        self.dataset = dataset
        try:
            content = file.read_bytes()
            groups = json.loads(content)["groups"]
            self._groups = {
                name: [[str(own) for own in names] for names in joined]
                for name, joined in groups.items()
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"{file}: expected groups of `python -m train data group`, got: {error!r}"
            ) from error
        self.name = f"grouped-{sha256(content).hexdigest()[:12]}-{dataset.name}"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Picture:
        picture = self.dataset[index]
        own = {referent.name: referent for referent in picture.objects}
        objects = []
        for names in self._groups.get(picture.name, []):
            members = [own.pop(name) for name in names if name in own]
            if members:
                objects.append(_joined(members))
        return replace(picture, objects=(*objects, *own.values()))

    def picture_name(self, index: int) -> str:
        return self.dataset.picture_name(index)

    def files(self) -> Iterator[Path | str]:
        return self.dataset.files()


def _joined(members: Sequence[Referred]) -> Referred:
    kinds = [kind for referent in members for kind in referent.kinds]
    expressions = [text for referent in members for text in referent.expressions]
    whole = len(kinds) == len(expressions)
    return replace(members[0], expressions=tuple(expressions), kinds=tuple(kinds) if whole else ())


def propose(
    pipeline: Pipeline,
    dataset: Dataset,
    file: Path,
    left_out: LeftOut,
    *,
    models: str,
    every: float = EVERY,
) -> dict[str, Any]:
    """Writes the groups of a data set's sentences, and says what grouping did.

    The file is written again as work goes on. A picture that it has from before, with the same
    pixels and sentences and by the same models, is not looked at again.

    Args:
        pipeline: stages 1 and 2.
        dataset: objects of several expressions count as one sentence each, by the first; read a
            set whose sentences are grouped already as `ungrouped:SOURCE`.
        file: .json, written whole.
        left_out: counts the pictures that cannot be used; its total is how many are looked at,
            from the first on.
        models: the pipeline's model set.
        every: seconds from one writing of the file to the next.

    Returns:
        "pictures", "of these known" (from before), "sentences" and "objects"; and where the
        sentences of `ungrouped:SOURCE` tell, "precision" and "recall" of the pairs that are joined.

    Raises:
        TooManyLeftOut: more pictures cannot be used than may be left out.
    """
    from tqdm import trange

    make_place(file)
    reading = pipeline.with_options(paper=False, several=False)
    known, proposed = _known(file), Proposed({}, {})
    found: Counter[str] = Counter()
    saved = monotonic()

    def look(index: int) -> None:
        picture = dataset[index]
        digest = _digest(picture, models)
        members = known.groups.get(picture.name, [])
        if known.seen.get(picture.name) == digest:
            found["of these known"] += 1
        else:
            members = _members(reading, picture)
        proposed.groups[picture.name], proposed.seen[picture.name] = members, digest
        found.update(_counts(members))

    for index in trange(left_out.total, unit="picture", mininterval=2):
        left_out.tried(lambda: dataset.picture_name(index), lambda: look(index))  # noqa: B023
        if monotonic() - saved >= every:
            _save(
                file, Proposed({**known.groups, **proposed.groups}, {**known.seen, **proposed.seen})
            )
            saved = monotonic()
    _save(file, proposed)
    report: dict[str, Any] = {
        "pictures": len(proposed.groups),
        **{name: found[name] for name in ("of these known", "sentences", "objects")},
    }
    if isinstance(dataset, Ungrouped):
        report["precision"] = found["right"] / max(found["joined"], 1)
        report["recall"] = found["right"] / max(found["same"], 1)
    return report


class Proposed(NamedTuple):
    """Groups of each picture, and the digest of what they are proposed for."""

    groups: dict[str, list[list[str]]]
    seen: dict[str, str]


def _known(file: Path) -> Proposed:
    """What a file has from before; nothing where there is none that can be read."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        content = json.loads(file.read_bytes())
        return Proposed(dict(content["groups"]), dict(content["seen"]))
    return Proposed({}, {})


def _save(file: Path, proposed: Proposed) -> None:
    write_whole(file, (json.dumps(proposed._asdict(), indent=1) + "\n").encode())


def _digest(picture: Picture, models: str) -> str:
    """Of all that groups depend on: pixels, sentences, the models that look, and the constants."""
    digest = blake2b(picture.image.tobytes(), digest_size=16)
    asked = [(referent.name, referent.expressions[0]) for referent in picture.objects]
    digest.update(json.dumps([models, SHARPNESS, JOINED, picture.image.shape, asked]).encode())
    return digest.hexdigest()


def _members(reading: Pipeline, picture: Picture) -> list[list[str]]:
    """The names of a picture's objects, by groups."""
    asked = [referent.expressions[0] for referent in picture.objects]
    results = [reading.segment(picture.image, [text]) for text in asked]
    labels = group(reading.select(picture.image, results))
    members: list[list[str]] = [[] for _ in range(max(labels, default=-1) + 1)]
    for referent, label in zip(picture.objects, labels):
        members[label].append(referent.name)
    return members


def _counts(members: Sequence[Sequence[str]]) -> dict[str, int]:
    """How many sentences and objects; of pairs of sentences, by the names that `Ungrouped` gives
    them: "right", "joined", "same" as of `pairs`."""
    labels = [number for number, names in enumerate(members) for _ in names]
    owners = [name.rsplit(".", 1)[0] for names in members for name in names]
    right, joined, same = pairs(labels, [owners.index(owner) for owner in owners])
    counts = {"sentences": len(labels), "objects": len(members)}
    return {**counts, "right": right, "joined": joined, "same": same}
