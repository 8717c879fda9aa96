"""What a relation is to, and what each word is read as."""

from __future__ import annotations

import numpy as np
import pytest

from ssc.words.geometry import penalties
from ssc.words.read import Reader

NOUNS = Reader()
W, H = 320, 240


@pytest.mark.parametrize(
    ("text", "noun", "relation"),
    [
        ("red one left of the blue car", "", "left of car"),
        ("thing nearest the dog", "", "next to dog"),
        ("object behind the cup", "", "behind cup"),
        ("guy right of the bus", "guy", "right of bus"),
        ("left of the truck", "truck", None),
        ("a white bird stands behind two brown birds", "bird", "behind birds"),
        ("a giraffe drinking water", "giraffe", None),
        ("neck and face of a giraffe", "giraffe", None),
        ("a child zebra", "zebra", None),
        ("woman leaning over wearing a white jacket", "woman", None),
        ("lady holding a purse in front of her", "lady", None),
    ],
)
def test_what_a_relation_is_to_is_not_the_key_noun(text: str, noun: str, relation: str | None):
    read = NOUNS.read(text)
    assert read.noun == noun
    assert [str(one) for one in read.relations] == ([relation] if relation else [])


def test_of_any_class_a_relation_is_to_the_other_object_not_to_an_end():
    boxes = np.array([[0, 90, 30, 120], [120, 90, 150, 120], [160, 80, 200, 120]], np.float32)
    read = NOUNS.read("red one left of the blue car")
    out = penalties(read, boxes, H, W, {"car": boxes[2:]}).relation
    assert out is not None
    assert out.argmin() == 1


def test_each_word_has_the_role_that_it_is_read_in():
    roles = dict(NOUNS.read("red man with zzqx on the left next to the car without a hat").roles)
    told = {"man": "noun", "red": "looks", "left": "place", "car": "relation", "hat": "not"}
    assert {word: roles[word] for word in told} == told
    assert (roles["zzqx"], roles["on"]) == ("lost", "")
    read = NOUNS.read("dog left and right")
    assert (read.places, read.unread) == ((), ("left", "right"))
