"""Class projection with a text encoder whose similarities are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ssc.errors import InputError
from ssc.segment.classes import ClassProjection, as_classes
from ssc.types import ANY_CLASS, ClassMatch

ANGLES = {"dog": 0, "cat": 40, "car": 100, "bus": 120, "boat": 170, "puppy": 10, "taxi": 99}
VOCABULARY = ("dog", "cat", "car", "bus", "boat")


class Compass:
    """Encodes "a picture of X" as the unit vector at X's angle; remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        self.calls.append(list(texts))
        angles = np.radians([ANGLES[text.removeprefix("a picture of ").lower()] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def clip() -> Compass:
    return Compass()


@pytest.fixture
def classes(clip: Compass) -> ClassProjection:
    projection = ClassProjection(clip, VOCABULARY)
    assert clip.calls == []  # the vocabulary too is encoded at its first use
    projection([])
    clip.calls.clear()
    return projection


def cosine(a: str, b: str) -> float:
    return float(np.cos(np.radians(ANGLES[a] - ANGLES[b])))


def test_no_nouns(classes: ClassProjection, clip: Compass):
    assert classes([]) == ()
    assert classes([""]) == (ClassMatch("", ANY_CLASS, 0.0),)
    assert clip.calls == []


def test_the_vocabulary_is_encoded_once_in_its_context(clip: Compass):
    projection = ClassProjection(clip, list(VOCABULARY))
    assert projection.vocabulary == VOCABULARY
    projection(["puppy"])
    projection(["taxi"])
    assert clip.calls[0] == [f"a picture of {name}" for name in VOCABULARY]
    assert clip.calls[1:] == [["a picture of puppy"], ["a picture of taxi"]]


def test_a_noun_goes_to_the_nearest_class(classes: ClassProjection):
    (match,) = classes(["puppy"])
    assert (match.noun, match.name) == ("puppy", "dog")
    assert match.similarity == pytest.approx(cosine("puppy", "dog"), abs=1e-6)
    assert [name for name, _ in match.runners_up] == ["cat", "car", "bus"]
    for name, similarity in match.runners_up:
        assert similarity == pytest.approx(cosine("puppy", name), abs=1e-6)


def test_a_name_of_the_vocabulary_is_that_class_without_clip(
    classes: ClassProjection, clip: Compass
):
    (match,) = classes(["Cat"])
    assert match.name == "cat"
    assert match.similarity == 1.0
    assert [name for name, _ in match.runners_up] == ["dog", "car", "bus"]
    assert clip.calls == []


def test_the_same_word_wins_over_a_class_of_the_same_embedding(clip: Compass):
    angles = ANGLES | {"hound": 0}
    clip.encode_text = lambda texts: np.array(
        [[1.0, 0.0] if angles[t.split()[-1]] == 0 else [0.0, 1.0] for t in texts], np.float32
    )
    (match,) = ClassProjection(clip, ["hound", "dog", "cat"])(["dog"])
    assert match.name == "dog"
    assert match.runners_up[0][0] == "hound"


def test_onto_another_vocabulary(classes: ClassProjection):
    other = classes.onto(["car", "boat"])
    assert [m.name for m in other(["puppy", "taxi"])] == ["car", "car"]
    assert other.vocabulary == ("car", "boat")
    assert classes.vocabulary == VOCABULARY


def test_without_projection_a_noun_is_its_own_class():
    assert as_classes([], None) == ()
    assert as_classes(["slow loris", ""], None) == (
        ClassMatch("slow loris", "slow loris", 1.0),
        ClassMatch("", ANY_CLASS, 0.0),
    )
    dog, dogs = as_classes(["dog", "dogs"], VOCABULARY)
    assert (dog.name, dogs.noun, dogs.name) == ("dog", "dogs", "dog")
    with pytest.raises(InputError, match=r"'puppy' is looked for as it is, .* turn projection on"):
        as_classes(["dog", "puppy"], VOCABULARY)


def test_a_batch_equals_its_nouns_and_asks_once(classes: ClassProjection, clip: Compass):
    nouns = ["taxi", "", "dog", "puppy", "taxi"]
    batch = classes(nouns)
    assert clip.calls == [["a picture of taxi", "a picture of puppy"]]
    for match, noun in zip(batch, nouns, strict=True):
        (alone,) = classes([noun])
        assert (match.noun, match.name) == (alone.noun, alone.name)
        assert match.similarity == pytest.approx(alone.similarity, abs=1e-6)
        assert dict(match.runners_up) == pytest.approx(dict(alone.runners_up), abs=1e-6)


def test_a_small_vocabulary_has_few_runners_up(clip: Compass):
    assert ClassProjection(clip, ["dog"])(["puppy"])[0].runners_up == ()
    with pytest.raises(ValueError, match="at least one class"):
        ClassProjection(clip, [])


def test_another_template():
    class Recorder(Compass):
        def encode_text(self, texts: Sequence[str]) -> np.ndarray:
            self.calls.append(list(texts))
            return np.ones((len(texts), 1), np.float32)

    clip = Recorder()
    ClassProjection(clip, ["dog"], template="{}")(["puppy"])
    assert clip.calls == [["dog"], ["puppy"]]


def test_nearest(classes: ClassProjection, clip: Compass):
    present = ("boat", "car", "boat", "cat")
    assert classes.nearest("puppy", (), limit=3) == ()
    assert classes.nearest("", present, limit=2) == (("boat", 0.0), ("car", 0.0))
    assert clip.calls == []
    near = classes.nearest("puppy", present, limit=3)
    assert [name for name, _ in near] == ["cat", "car", "boat"]
    assert near[0][1] == pytest.approx(cosine("puppy", "cat"), abs=1e-6)
    assert len(classes.nearest("puppy", present, limit=1)) == 1
    clip.calls.clear()
    assert classes.nearest("dog", present, limit=1)[0][0] == "cat"
    assert classes.nearest("dog", ("taxi", "puppy"), limit=1)[0][0] == "puppy"
    assert clip.calls == [["a picture of taxi", "a picture of puppy"]]
