"""Which pictures and sentences an update sees, as tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.correct.predict import preprocess
from ssc.errors import InputError
from train.fit.examples import Example, Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES = re.compile(r"\b(left|right)(?=(?:most|side|hand|wards?|er)?\b)", re.IGNORECASE)


def mirror_words(text: str) -> str:
    """The expression for the mirrored picture: left and right change places."""
    return SIDES.sub(lambda found: _MIRRORED[found[0].lower()](found[0]), text)


_MIRRORED = {
    "left": lambda word: "Right" if word[0].isupper() else "right",
    "right": lambda word: "Left" if word[0].isupper() else "left",
}


@dataclass(frozen=True)
class Batch:
    """Whole pictures; expressions, objects and masks are numbered through.

    Attributes:
        names: of B pictures.
        images: RGB uint8 B×h×w×3.
        texts: N expressions.
        image_of, object_of: int64 N, picture and object in [0, J) of each expression.
        masks: bool C×h×w.
        allowed: bool J_i×C_i of each picture; ΣJ_i = J and ΣC_i = C, in order.
        chosen: int64 J, the S2 (or true) mask of each object, -1 for none.
        share: this batch's part of the expressions of the whole update, of all processes.
    """

    names: tuple[str, ...]
    images: Tensor
    texts: list[str]
    image_of: Tensor
    object_of: Tensor
    masks: Tensor
    allowed: list[Tensor]
    chosen: Tensor
    share: float


@dataclass(frozen=True)
class Plan:
    """Which pictures and sentences each update sees: a function of (seed, position) alone.

    Position p counts pictures from the start of training; an epoch is one permutation of all. That
    of an epoch takes 4 bytes a picture; two are kept, as an update may begin in one epoch and end
    in the next. Nothing else here grows with the data set.

    Attributes:
        batch: pictures of an update, of all processes together.
        parts: batches that an update is cut into: processes times accumulation steps.
        expressions: drawn for each object each time; 0 for all.
        flip: mirrors every second picture, with its words.
    """

    batch: int
    parts: int
    expressions: int
    flip: bool
    seed: int

    def __post_init__(self) -> None:
        if self.batch % self.parts:
            raise InputError(
                f"batch: expected a multiple of {self.parts} (processes × accumulation), "
                f"got {self.batch}"
            )

    def part(self, examples: Examples, update: int, part: int) -> Batch:
        """Batch `part` in [0, parts) of an update."""
        total = sum(self._drawn(examples, p) for p in self._positions(update))
        own = self._positions(update)[part * (self.batch // self.parts) :]
        own = own[: self.batch // self.parts]
        drawn = [self._draw(examples, p) for p in own]
        return _join(drawn, total)

    def _positions(self, update: int) -> range:
        return range(update * self.batch, (update + 1) * self.batch)

    def _index(self, examples: Examples, position: int) -> int:
        epoch, place = divmod(position, len(examples))
        return int(_order(len(examples), self.seed, epoch)[place])

    def _drawn(self, examples: Examples, position: int) -> int:
        """How many expressions `_draw` draws there."""
        counts = examples.expression_counts(self._index(examples, position))
        return int(np.minimum(counts, self.expressions or counts).sum())

    def _draw(self, examples: Examples, position: int) -> tuple[Example, list[list[str]]]:
        """An example, mirrored or not, and the drawn expressions of each of its objects."""
        example = examples[self._index(examples, position)]
        rng = np.random.default_rng([self.seed, position, 1])
        texts = [
            [said[k] for k in rng.permutation(len(said))[: self.expressions or None]]
            for said in example.expressions
        ]
        if self.flip and rng.random() < 0.5:
            texts = [[mirror_words(text) for text in said] for said in texts]
            image, masks = example.image[:, ::-1], example.masks[:, :, ::-1]
            example = Example(
                example.name, image, example.expressions, masks, example.allowed, example.chosen
            )
        return example, texts


def inputs(
    batch: Batch, tokenizer: Any, config: dict[str, Any], device: torch.device
) -> tuple[Tensor, ...]:
    """What `ReferringModel.forward` takes."""
    tokens = tokenizer(
        batch.texts,
        padding=True,
        truncation=True,
        max_length=config["words"],
        return_tensors="pt",
    )
    images, *rest = (
        x.to(device, non_blocking=True)
        for x in (batch.images, tokens["input_ids"], tokens["attention_mask"], batch.image_of)
    )
    return preprocess(images, config["size"]), *rest


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """The pictures' order in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)


def _join(drawn: Sequence[tuple[Example, list[list[str]]]], total: int) -> Batch:
    texts: list[str] = []
    image_of, object_of, chosen = [], [], []
    objects = masks = 0
    for i, (example, said) in enumerate(drawn):
        for own in said:
            texts += own
            image_of += [i] * len(own)
            object_of += [objects] * len(own)
            objects += 1
        chosen.append(np.where(example.chosen < 0, -1, example.chosen + masks))
        masks += len(example.masks)
    examples = [example for example, _ in drawn]
    return Batch(
        tuple(example.name for example in examples),
        torch.from_numpy(np.stack([example.image for example in examples])),
        texts,
        torch.tensor(image_of),
        torch.tensor(object_of),
        torch.from_numpy(np.concatenate([example.masks for example in examples])),
        [torch.from_numpy(example.allowed) for example in examples],
        torch.from_numpy(np.concatenate(chosen)),
        len(texts) / total,
    )
