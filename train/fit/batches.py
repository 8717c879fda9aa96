"""The pictures and expressions of an update, as tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ssc.correct.predict import preprocess
from ssc.errors import InputError
from train.fit.example import Example
from train.fit.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
SIDES = re.compile(r"\b(left|right)(?=(?:most|side|hand|wards?|er)?\b)", re.IGNORECASE)
OTHER_SIDE = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}


def mirror_words(text: str) -> str:
    """The expression for the mirrored picture: left and right change places."""
    return SIDES.sub(_other_side, text)


def _other_side(side: re.Match[str]) -> str:
    word = side[0].lower()
    return OTHER_SIDE[word.title() if side[0][0].isupper() else word]


@dataclass(frozen=True)
class Batch:
    """B whole pictures. Each has its own expressions, objects and masks, numbered from 0.

    Attributes:
        names: of the pictures.
        images: RGB uint8 B×h×w×3.
        texts: the expressions of all pictures, picture by picture; N in all.
        object_of: int64 of each picture, the object in [0, J) of each of its expressions.
        masks: bool C×h×w of each picture.
        allowed: bool J×C of each picture, whether a mask is one of the object's candidates.
        chosen: int64 J of each picture, the S2 (or true) mask of each object, -1 for none.
        fixed: bool J of each picture, whether a person chose that mask.
        share: the batch's part of the expressions of the whole update, of all processes.
        largest: expressions of the largest batch that a process has at the same time.
    """

    names: tuple[str, ...]
    images: Tensor
    texts: list[str]
    object_of: list[Tensor]
    masks: list[Tensor]
    allowed: list[Tensor]
    chosen: list[Tensor]
    fixed: list[Tensor]
    share: float
    largest: int

    @property
    def image_of(self) -> Tensor:
        """int64 N on the CPU, the picture in [0, B) of each expression."""
        counts = torch.tensor([len(objects) for objects in self.object_of])
        return torch.arange(len(counts)).repeat_interleave(counts)

    def to(self, device: torch.device) -> Batch:
        """The same with masks, objects and choices on `device`; `inputs` moves the rest."""

        def moved(parts: list[Tensor]) -> list[Tensor]:
            return [part.to(device, non_blocking=True) for part in parts]

        return replace(
            self,
            object_of=moved(self.object_of),
            masks=moved(self.masks),
            allowed=moved(self.allowed),
            chosen=moved(self.chosen),
            fixed=moved(self.fixed),
        )


class Sampler:
    """The batches of a training: each is a function of (seed, update, part) alone.

    Position p counts pictures from the start of training; an epoch is one permutation of all. That
    of an epoch takes 4 bytes a picture; two are kept, as an update may begin in one epoch and end
    in the next. Nothing else here grows with the data set. The defaults give each picture once an
    epoch, as it is, with all its expressions.

    Args:
        examples: the data set.
        batch: pictures of an update, of all processes together.
        parts: batches that an update is cut into: processes times accumulation steps.
        processes: how many batches, one after the other, are of the same time.
        expressions: drawn for each object each time; 0 for all.
        flip: mirrors every second picture, with its words.
        seed: of permutations, draws and mirroring.

    Raises:
        InputError: `batch` is no multiple of `parts`.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        batch: int = 1,
        parts: int = 1,
        processes: int = 1,
        expressions: int = 0,
        flip: bool = False,
        seed: int = 0,
    ) -> None:
        if batch % parts:
            raise InputError(
                f"batch: expected a multiple of {parts} (processes × accumulation), got {batch}"
            )
        self.examples = examples
        self.pictures, self.parts, self.processes = batch, parts, processes
        self.expressions, self.flip, self.seed = expressions, flip, seed

    def batch(self, update: int, part: int = 0) -> Batch:
        """Batch `part` in [0, parts) of an update."""
        positions = range(update * self.pictures, (update + 1) * self.pictures)
        counts = [self._count(position) for position in positions]
        size = self.pictures // self.parts
        own = positions[part * size : (part + 1) * size]
        first = part - part % self.processes
        together = range(first * size, (first + self.processes) * size, size)
        largest = max(sum(counts[place : place + size]) for place in together)
        with ThreadPoolExecutor(self.examples.readers, "pictures") as threads:
            drawn = list(threads.map(self._draw, own))
        return _join(drawn, sum(counts), largest)

    def _index(self, position: int) -> int:
        epoch, place = divmod(position, len(self.examples))
        return int(_order(len(self.examples), self.seed, epoch)[place])

    def _count(self, position: int) -> int:
        """How many expressions `_draw` draws there."""
        counts = self.examples.expression_counts(self._index(position))
        return int(np.minimum(counts, self.expressions or counts).sum())

    def _draw(self, position: int) -> tuple[Example, list[list[str]]]:
        """An example, mirrored or not, and the drawn expressions of each of its objects."""
        example = self.examples[self._index(position)]
        rng = np.random.default_rng([self.seed, position, 1])
        texts = [
            [own[k] for k in rng.permutation(len(own))[: self.expressions or None]]
            for own in example.expressions
        ]
        if self.flip and rng.random() < 0.5:
            texts = [[mirror_words(text) for text in own] for own in texts]
            example = replace(
                example,
                image=np.ascontiguousarray(example.image[:, ::-1]),
                masks=np.ascontiguousarray(example.masks[:, :, ::-1]),
            )
        return example, texts


def inputs(
    batch: Batch, tokenizer: Any, config: dict[str, Any], device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Arguments of `ReferringModel.forward`, on `device`."""
    tokens = tokenizer(
        batch.texts,
        padding=True,
        truncation=True,
        max_length=config["words"],
        return_tensors="pt",
    )
    images, input_ids, attention_mask, image_of = (
        x.to(device, non_blocking=True)
        for x in (batch.images, tokens["input_ids"], tokens["attention_mask"], batch.image_of)
    )
    return preprocess(images, config["size"]), input_ids, attention_mask, image_of


def ahead(make: Callable[[int], T], numbers: Iterable[int]) -> Generator[T]:
    """Yields `make(number)` of each number, in order.

    A thread makes the next value while the caller uses the one before, so `make` shares nothing
    that either of them changes.
    """
    with ThreadPoolExecutor(1, "batches") as thread:
        following = None
        for number in numbers:
            current, following = following, thread.submit(make, number)
            if current is not None:
                yield current.result()
        if following is not None:
            yield following.result()


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """The pictures' order in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)


def _join(drawn: Sequence[tuple[Example, list[list[str]]]], total: int, largest: int) -> Batch:
    """Examples with their drawn expressions as one batch; `total` expressions in the update."""
    examples = [example for example, _ in drawn]
    texts = [text for _, expressions in drawn for own in expressions for text in own]
    return Batch(
        names=tuple(example.name for example in examples),
        images=torch.from_numpy(np.stack([example.image for example in examples])),
        texts=texts,
        object_of=[
            torch.tensor([j for j, own in enumerate(expressions) for _ in own], dtype=torch.long)
            for _, expressions in drawn
        ],
        masks=[torch.from_numpy(example.masks) for example in examples],
        allowed=[torch.from_numpy(example.allowed) for example in examples],
        chosen=[torch.from_numpy(example.chosen) for example in examples],
        fixed=[torch.from_numpy(example.fixed) for example in examples],
        share=len(texts) / total,
        largest=largest,
    )
