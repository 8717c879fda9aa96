"""A data set of one sentence a row, read by proposed groups: each group is an object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import InputError
from ssc.writing import make_place, write_whole
from train.data.group import group, pairs

if TYPE_CHECKING:
    from ssc.pipeline import Pipeline
    from train.data import Dataset, Picture, Referred


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
    pipeline: Pipeline, dataset: Dataset, file: Path, pictures: int | None = None
) -> dict[str, Any]:
    """Writes the groups of a data set's sentences, and says what grouping did.

    Args:
        pipeline: stages 1 and 2.
        dataset: objects of several expressions count as one sentence each, by the first; read a
            set whose sentences are grouped already as `ungrouped:SOURCE`.
        file: .json, written whole.
        pictures: how many, from the first on; None for all.

    Returns:
        "pictures", "sentences" and "objects"; and where the sentences of `ungrouped:SOURCE` tell,
        "precision" and "recall" of the pairs that are joined.
    """
    from tqdm import trange

    from train.data.ungrouped import Ungrouped

    make_place(file)
    reading = pipeline.with_options(paper=False, several=False)
    proposed: dict[str, list[list[str]]] = {}
    sentences = right = joined = same = 0
    for index in trange(len(dataset) if pictures is None else min(pictures, len(dataset))):
        picture = dataset[index]
        asked = [referent.expressions[0] for referent in picture.objects]
        results = [reading.segment(picture.image, [text]) for text in asked]
        labels = group(reading.select(picture.image, results))
        members: list[list[str]] = [[] for _ in range(max(labels, default=-1) + 1)]
        for referent, label in zip(picture.objects, labels):
            members[label].append(referent.name)
        proposed[picture.name] = members
        sentences += len(labels)
        names = [referent.name.rsplit(".", 1)[0] for referent in picture.objects]
        counts = pairs(labels, [names.index(name) for name in names])
        right, joined, same = right + counts[0], joined + counts[1], same + counts[2]
    write_whole(file, (json.dumps({"groups": proposed}, indent=1) + "\n").encode())
    report: dict[str, Any] = {
        "pictures": len(proposed),
        "sentences": sentences,
        "objects": sum(map(len, proposed.values())),
    }
    if isinstance(dataset, Ungrouped):
        report |= {"precision": right / max(joined, 1), "recall": right / max(same, 1)}
    return report
