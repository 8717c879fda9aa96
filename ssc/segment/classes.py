"""Key noun → class of the vocabulary, by CLIP text similarity (paper §3.1, step 2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssc.errors import OptionError
from ssc.types import ANY_CLASS, NO_CLASS, ClassMatch
from ssc.words.nouns import singular
from ssc.words.table import look_up
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNNERS_UP = 3
"""How many of the next nearest classes a match names."""


class TextEncoder(Protocol):
    """The text side of CLIP."""

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings float32 N×D of N texts, each row of length 1."""
        ...


class ClassProjection:
    """Projects nouns to the class of highest cosine similarity in CLIP's text space.

    A noun that is a name of the vocabulary is that class, without asking CLIP: one text has one
    embedding, so its similarity is 1 and no class can come nearer.

    Args:
        clip: encodes texts; asked once for the whole vocabulary, and once per call.
        vocabulary: the class names, at least one.
        template: the context put around nouns and names alike.
    """

    def __init__(
        self, clip: TextEncoder, vocabulary: Sequence[str], template: str = "a picture of {}"
    ) -> None:
        if not vocabulary:
            raise ValueError("expected a vocabulary of at least one class, got none")
        self.vocabulary: tuple[str, ...] = tuple(vocabulary)
        self.clip = clip
        self._template = template
        self._index = {name.lower(): i for i, name in enumerate(self.vocabulary)}

    @cached_property
    def _embeddings(self) -> NDArray[np.float32]:
        """float32 C×D of the vocabulary. Made at its first use: whoever only chooses a vocabulary
        may have no GPU yet."""
        return self.clip.encode_text([self._template.format(name) for name in self.vocabulary])

    def onto(self, vocabulary: Sequence[str]) -> ClassProjection:
        """This projection onto other classes; CLIP, and what it has kept of texts, is shared."""
        return ClassProjection(self.clip, vocabulary, self._template)

    def __call__(self, nouns: Sequence[str]) -> tuple[ClassMatch, ...]:
        """The class of each noun, in order; `ANY_CLASS` with similarity 0 for an empty noun."""
        named = list(dict.fromkeys(noun for noun in nouns if noun))
        similarities = self._embed(named) @ self._embeddings.T  # nouns×classes
        matches = {"": ClassMatch("", ANY_CLASS, 0.0)}
        for noun, row in zip(named, similarities, strict=True):
            matches[noun] = self._match(noun, row)
        return tuple(matches[noun] for noun in nouns)

    def several(self, nouns: Sequence[str]) -> tuple[ClassMatch, ...]:
        """As a call, but a noun has every class that the table of nouns gives it (not the paper's).

        A noun that the table knows to be of no class has `NO_CLASS`; one that it does not know,
        `ANY_CLASS`; both with CLIP's nearest as runners-up. Classes that COCO does not have are
        CLIP's to find.
        """
        ranked = dict(zip(nouns, self(nouns)))
        return tuple(self._tabled(noun, ranked[noun]) for noun in nouns)

    def _tabled(self, noun: str, match: ClassMatch) -> ClassMatch:
        entry = look_up(noun)
        if not noun or (match.name == noun and (entry is None or entry.classes[:1] != (noun,))):
            return match
        classes = [name for name in entry.classes if name in self.vocabulary] if entry else []
        if classes:
            first = match if classes[0] == match.name else self(classes[:1])[0]
            similarity = dict([(match.name, match.similarity), *match.runners_up]).get(classes[0])
            if similarity is None:
                similarity = self.nearest(noun, classes[:1], 1)[0][1]
            return ClassMatch(noun, first.name, similarity, match.runners_up, tuple(classes[1:]))
        if not set(COCO_80) <= set(self.vocabulary):
            return match
        near = ((match.name, match.similarity), *match.runners_up)[:RUNNERS_UP]
        return ClassMatch(noun, NO_CLASS if entry else ANY_CLASS, 0.0, near)

    def nearest(self, noun: str, names: Sequence[str], limit: int) -> tuple[tuple[str, float], ...]:
        """The distinct `names` that are nearest to `noun`, with their similarities, best first.

        Args:
            noun: a key noun; where it is empty the names come as they are, with similarity 0.
            names: class names, repetitions allowed; they need not be in the vocabulary.
            limit: the most pairs to return.
        """
        distinct = list(dict.fromkeys(names))
        if not noun or not distinct:
            return tuple((name, 0.0) for name in distinct[:limit])
        embeddings = self._embed([noun, *distinct])
        similarities = _bounded(embeddings[1:] @ embeddings[0])
        order = np.argsort(-similarities, kind="stable")[:limit]
        return tuple((distinct[i], float(similarities[i])) for i in order)

    def _match(self, noun: str, similarities: NDArray[np.float32]) -> ClassMatch:
        """The match of `noun`, given its similarity to each class."""
        similarities = _bounded(similarities)
        same = self._index.get(noun.lower())
        if same is not None:
            similarities[same] = 1.0
        order = np.argsort(-similarities, kind="stable").tolist()
        if same is not None:  # another name may encode to the same tokens
            order = [same, *(i for i in order if i != same)]
        ranked = [(self.vocabulary[i], float(similarities[i])) for i in order[: 1 + RUNNERS_UP]]
        return ClassMatch(noun, *ranked[0], runners_up=tuple(ranked[1:]))

    def _embed(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings float32 N×D of nouns or names; CLIP is asked for those it has not seen."""
        rows = np.empty((len(words), self._embeddings.shape[1]), np.float32)  # N×D
        new = []
        for i, word in enumerate(words):
            index = self._index.get(word.lower())
            if index is None:
                new.append(i)
            else:
                rows[i] = self._embeddings[index]
        if new:
            rows[new] = self.clip.encode_text([self._template.format(words[i]) for i in new])
        return rows


def as_classes(nouns: Sequence[str], classes: Sequence[str] | None) -> tuple[ClassMatch, ...]:
    """Each noun as the class itself, for a detector to look for: the stage without projection.

    Args:
        nouns: key nouns; an empty one is `ANY_CLASS` with similarity 0.
        classes: those that the detector knows; None for one that takes any words.

    Raises:
        OptionError: a noun that is neither, nor is the plural of, a class that the detector knows.
    """
    matches = []
    for noun in nouns:
        if not noun:
            matches.append(ClassMatch("", ANY_CLASS, 0.0))
            continue
        name = noun
        if classes is not None:
            name = next((n for n in (noun, singular(noun)) if n in classes), "")
        if not name:
            raise OptionError(
                f"without projection {noun!r} is looked for as it is, but this model set knows "
                "COCO's 80 classes only; turn projection on, or choose the lite, base or paper set"
            )
        matches.append(ClassMatch(noun, name, 1.0))
    return tuple(matches)


def _bounded(similarities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines without rounding errors beyond [-1, 1]."""
    return np.clip(similarities, -1.0, 1.0)
