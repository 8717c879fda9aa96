"""Kinds of expressions that people report of software like this, with the right behaviour."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ssc
from ssc.explain import explain
from ssc.result import Result
from ssc.select import Select
from ssc.types import ANY_CLASS, NO_CLASS, Candidates, ClassMatch
from ssc.words.geometry import penalties
from ssc.words.lexis import ORDINALS
from ssc.words.read import Reader

W, H = 600, 100
NOUNS = Reader()


def row(n: int) -> np.ndarray:
    """Boxes float32 n×4 from left to right."""
    x = np.arange(n, dtype=np.float32) * W / n
    return np.stack([x, np.full(n, 40), x + 40, np.full(n, 80)], axis=1).astype(np.float32)


def chosen(text: str, boxes: np.ndarray) -> set[int]:
    """The candidates that fit best; all where words do not tell."""
    out = penalties(NOUNS.read(text), boxes, H, W).total
    if out is None:
        return set(range(len(boxes)))
    return set(np.flatnonzero(out <= out.min() + 1e-6).tolist())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("fifth dog from the left", {4}),
        ("fifth from the right", {1}),
        ("5th dog from the left", {4}),
        ("last dog on the right", {5}),
        ("the dog that is not the leftmost", {1, 2, 3, 4, 5}),
        ("except the left one", {1, 2, 3, 4, 5}),
        ("seventh dog from the left", {0, 1, 2, 3, 4, 5}),  # there is none
    ],
)
def test_no_word_for_a_place_is_dropped_and_the_rest_believed(text, numbers):
    assert chosen(text, row(6)) == numbers


@given(st.sampled_from(sorted(ORDINALS)), st.sampled_from(["left", "right"]), st.integers(1, 12))
def test_every_ordinal_counts_or_is_said_to_be_absent(word, side, n):
    text, rank = f"{word} zebra from the {side}", ORDINALS[word]
    missing = penalties(NOUNS.read(text), row(n), H, W).missing
    if rank > n:
        assert chosen(text, row(n)) == set(range(n))
        assert [place.rank for place in missing] == [rank]
    else:
        assert chosen(text, row(n)) == {rank - 1 if side == "left" else n - rank}


MINI = ssc.load("mini", correct=False)


@pytest.mark.parametrize(
    "noun",
    ["everyone", "anyone", "everybody", "somebody", "dude", "cop", "passenger", "her", "him"],
)
@pytest.mark.parametrize("form", ["{}", "{} on the left", "{} in red"])
def test_words_for_people_mean_persons(form, noun):
    read = NOUNS.read(form.format(noun)).noun
    [match] = MINI.segment.classes.several([read])
    assert match.name == "person"


MARKS = [";", "!", "(", "/", "|", ",", "。", "\u200b ", "…", "—"]


@pytest.mark.parametrize(("noun", "mark"), list(product(["man", "dog", "zebra"], MARKS)))
def test_marks_without_spaces_part_words(noun, mark):
    read = NOUNS.read(f"{noun}{mark}left")
    assert (read.noun, [str(place) for place in read.places]) == (noun, ["left"])


@given(st.sampled_from(["dog", "car", "zebra"]), st.integers(0, 99))
def test_text_is_brought_to_a_plain_form_first(noun, number):
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in noun)
    assert NOUNS.read(wide).noun == noun
    assert NOUNS.read(f"{noun}{number}").noun == noun
    assert NOUNS.read(noun.upper()).noun == noun


def message(text: str, match: ClassMatch, n: int = 2) -> str:
    ones = np.ones(n, np.float32)
    candidates = Candidates(row(n), ones, ("dog",) * n, np.ones((n, H, W), bool), ones)
    return explain(Result((text,), (match,), candidates, words=(NOUNS.read(text),)))


@pytest.mark.parametrize("text", ["all the dogs", "both dogs", "two dogs on the left"])
def test_one_for_several_is_said(text):
    assert "though several are asked for" in message(text, ClassMatch("dogs", "dog", 1.0))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("man not wearing sunglasses", "wearing sunglasses"),
        ("woman without a hat", "a hat"),
        ("the dog that isn't brown", "brown"),
    ],
)
def test_what_is_denied_is_read_and_said(text, phrase):
    read = NOUNS.read(text)
    assert read.without == (phrase,)
    assert not set(phrase.split()) & set(read.attributes)
    assert phrase in message(text, ClassMatch("dog", "dog", 1.0))


@pytest.mark.parametrize(
    "text",
    [
        "der Mann links",
        "左边的男人",
        "la femme à gauche",
        "el hombre de la izquierda",
        "человек слева",
        "l'uomo a sinistra",
    ],
)
def test_other_languages_are_told(text):
    assert "Only English is read." in message(text, ClassMatch("", ANY_CLASS, 0.0))


@pytest.mark.parametrize(
    ("noun", "classes"),
    [
        ("animal", {"dog", "cat", "horse", "sheep", "cow"}),
        ("vehicle", {"car", "truck", "bus"}),
        ("fruit", {"apple", "banana", "orange"}),
        ("bike", {"bicycle", "motorcycle"}),
        ("pastry", {"donut", "cake"}),
    ],
)
def test_a_noun_above_several_classes_means_them_all(noun, classes):
    [match] = MINI.segment.classes.several([noun])
    assert classes <= {match.name, *match.others}


@pytest.mark.parametrize("noun", ["sky", "road", "wall", "mountain"])
def test_a_noun_far_from_every_class_is_not_answered(noun):
    [match] = MINI.segment.classes.several([noun])
    assert match.name == NO_CLASS
    assert len(match.runners_up) == 3


def test_words_alone_choose_the_fifth_of_six():
    boxes = row(6)
    masks = np.zeros((6, H, W), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
        mask[y0:y1, x0:x1] = True
    ones = np.ones(6, np.float32)
    dogs = Candidates(boxes, ones, ("dog",) * 6, masks, ones)
    text = "fifth dog from the left"
    asked = Result((text,), (ClassMatch("dog", "dog", 1.0),), dogs, words=(NOUNS.read(text),))
    [result] = Select(None, prompt="crop")(np.zeros((H, W, 3), np.uint8), [asked])
    assert result.index == 4
