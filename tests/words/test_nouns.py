"""Key nouns: the issue's cases exactly, the written list to a floor, and odd text."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc.words.nouns import NEVER, SpacyNouns
from ssc.words.vocabulary import COCO_80
from train.evaluate.__main__ import NOUNS as EVERYDAY_NOUNS

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads((DATA / "nouns.json").read_text())
EVERYDAY = json.loads(EVERYDAY_NOUNS.read_text())
NOUNS = SpacyNouns()


@pytest.mark.parametrize(
    ("expression", "noun"),
    [
        ("left guy", "guy"),
        ("white shirt second from left", "shirt"),
        ("bottom right pizza slice", "pizza"),
        ("guy", "guy"),
        ("blue", ""),
        ("the one in the middle", ""),
        ("right side", ""),
        ("", ""),
        ("the man on the left of the car", "man"),
        ("There is a man standing on the left side of the picture.", "man"),
        ("Find the red car that is next to the bus", "car"),
        ("second from left guy", "guy"),
        ("fire hydrant on the right", "fire hydrant"),
        ("wearing a red hat", ""),
        ("a photo of a dog", "dog"),
        ("orange and white cat", "cat"),
        ("cow's face", "cow"),
    ],
)
def test_named_cases(expression: str, noun: str):
    assert NOUNS(expression) == noun


@pytest.mark.parametrize("part", CASES)
def test_written_cases(part: str):
    wrong = {e: (NOUNS(e), noun) for e, noun in CASES[part].items() if NOUNS(e) != noun}
    assert len(CASES[part]) >= 80
    assert len(wrong) <= 0.02 * len(CASES[part]), wrong


@pytest.mark.parametrize("template", ["{}", "left {}", "the {} on the right", "{} in front"])
def test_everyday_nouns_are_found(template: str):
    """Each single word of the list comes back, whatever the tagger takes it for."""
    words = [word for word in EVERYDAY if " " not in word]
    wrong = {word: NOUNS(template.format(word)) for word in words}
    wrong = {word: noun for word, noun in wrong.items() if noun != word}
    assert len(wrong) <= 0.02 * len(words), wrong


def test_every_class_name_is_kept():
    assert {name: NOUNS(f"{name} on the left") for name in COCO_80} == {n: n for n in COCO_80}


def test_words_of_the_users_vocabulary_are_nouns():
    assert SpacyNouns(["slow loris", "brushing"])("slow loris on the left") == "slow loris"
    assert SpacyNouns(["slow loris", "brushing"])("left brushing") == "brushing"


def test_an_extractor_for_another_vocabulary_shares_the_parser():
    other = NOUNS.knowing(["slow loris"])
    assert other("slow loris on the left") == "slow loris"
    assert other("hot dog on the left") == "hot dog"
    assert other.parser is NOUNS.parser


@pytest.mark.parametrize(
    "expression",
    [
        "😀",
        "🐶🐶🐶",
        "12",
        "???",
        "'",
        "\0",
        "人在左边",
        "الرجل على اليسار",
        "#1 / 2 - 3",
        " \n\t ",
    ],
)
def test_text_without_an_english_word_has_no_noun(expression: str):
    assert NOUNS(expression) == ""


@pytest.mark.parametrize(
    "expression",
    ["der Mann links", "l'homme à gauche", "a" * 500, "dog " * 125, "(" * 500, "left of the " * 41],
)
def test_other_text_does_not_crash(expression: str):
    assert isinstance(NOUNS(expression), str)


def test_case_and_marks_do_not_matter():
    for expression in ("DOG ON LEFT", "dog, left", '"dog" left!', "😀 dog left", "dog/left"):
        assert NOUNS(expression) == "dog"


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_lower_case_noun_that_is_no_place(expression: str):
    noun = NOUNS(expression)
    assert noun == noun.lower().strip()
    assert noun not in NEVER - {"orange"}


def test_threads_agree():
    expressions = [f"{word} on the left" for word in ("dog", "man", "car", "cup")] * 10
    with ThreadPoolExecutor(4) as pool:
        nouns = list(pool.map(SpacyNouns(), expressions))
    assert nouns == [expression.split()[0] for expression in expressions]
