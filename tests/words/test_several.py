"""What is asked for where several things are: plurals, numbers, "and", "but"; and where they are
not, though it looks so."""

import pytest

from ssc.page.views import chips
from ssc.words.read import Reader
from ssc.words.table import look_up

READER = Reader()


def parts(text):
    """Noun, count, number and places of each part."""
    return [
        (part.noun, part.count, part.number, *map(str, part.places))
        for part in READER.read(text).parts
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all the dogs", [("dogs", "all", 0)]),
        ("every dog", [("dog", "all", 0)]),
        ("each of the cars", [("cars", "all", 0)]),
        ("both dogs", [("dogs", "all", 2)]),
        ("both of the women", [("women", "all", 2)]),
        ("all four zebras", [("zebras", "all", 4)]),
        ("two dogs", [("dogs", "several", 2)]),
        ("the 3 men on the right", [("men", "several", 3, "right")]),
        ("two leftmost cars", [("cars", "several", 2, "left")]),
        ("a couple of dogs", [("dogs", "several", 2)]),
        ("all the white sheep", [("sheep", "all", 0)]),
        ("both black sheep", [("sheep", "all", 2)]),
        ("several cows", [("cows", "several", 0)]),
        ("dogs on the left", [("dogs", "several", 0, "left")]),
        ("men", [("men", "several", 0)]),
        ("everybody", [("person", "all", 0)]),
        ("the man and his dog", [("man", "one", 0), ("dog", "one", 0)]),
        ("left cat and the bus", [("cat", "one", 0, "left"), ("bus", "one", 0)]),
        ("two dogs and the cat", [("dogs", "several", 2), ("cat", "one", 0)]),
        ("the boy with a hat and the dog", [("boy", "one", 0), ("dog", "one", 0)]),
        ("man in red and woman in blue", [("man", "one", 0), ("woman", "one", 0)]),
        ("lady in white and man", [("lady", "one", 0), ("man", "one", 0)]),
        ("the woman in red and the dog", [("woman", "one", 0), ("dog", "one", 0)]),
        ("both the cup and the apple", [("cup", "one", 0), ("apple", "one", 0)]),
        ("man standing on the left and woman", [("man", "one", 0, "left"), ("woman", "one", 0)]),
        ("smiling man and the dog", [("man", "one", 0), ("dog", "one", 0)]),
        ("the man with the hat and the dog", [("man", "one", 0), ("dog", "one", 0)]),
        ("the couch and dining table", [("couch", "one", 0), ("dining table", "one", 0)]),
        ("the man and smiling woman", [("man", "one", 0), ("woman", "one", 0)]),
        ("a fork and knife", [("fork", "one", 0), ("knife", "one", 0)]),
    ],
)
def test_sets(text, expected):
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "base", "excepted"),
    [
        ("everyone but the umpire", "person", "umpire"),
        ("all the dogs except the left dog", "dogs", "dog"),
        ("every knife except for the right knife", "knife", "knife"),
        ("all the scissors except the scissors on the left", "scissors", "scissors"),
        ("every person apart from the boy", "person", "boy"),
        ("all the dogs but the other dog", "dogs", "dog"),
        ("all cars other than the red one on the left", "cars", ""),
    ],
)
def test_exceptions(text, base, excepted):
    said = READER.read(text)
    assert [part.noun for part in said.parts] == [base]
    assert [(part.noun, part.count) for part in said.excepted] == [(excepted, "one")]
    assert not any(part.places for part in (*said.parts, said))  # they are of what is excepted
    assert {role for _, role in said.roles} <= {"", "noun", "not"}


@pytest.mark.parametrize(
    "text",
    [
        "dog",
        "all black dog",
        "man in all white",
        "one of the dogs",
        "the taller of the two men",
        "second of the two dogs",
        "man with a hat and bag",
        "man in black and white",
        "black and white dog",
        "man in black and white shirt",
        "lady in red and black dress",
        "man in red and hat",
        "orange and red vase",
        "between the man and the woman",
        "cow next to the man and the woman",
        "jeans",
        "glasses and hat",
        "bunch of bananas",
        "sheep on the left",
        "a women in black",
        "elephants rear end",
        "no hat",
        "2 from the left",
        "man but not the umpire",
        "the couple holding hands",
        "bus behind and left of the car",
        "a boy sitting on the bed and holding a teddy bear",
        "girl sitting and wearing a tie",
        "man with the striped shirt and the umbrella",
        "a bowl containing a spoon and a sandwich",
        "a plate holding a sandwich and a cake",
        "a pepperoni and cheese pizza",
        "the sofa and couch by the wall",
        "mans gray tie",
        "bicycle handlebars",
        "traffic lights over the road",
    ],
)
def test_one_thing(text):
    said = READER.read(text)
    assert said.parts == ()
    assert said.excepted == ()


def test_what_is_said_of_one_thing_stays_as_it_is():
    said = READER.read("two dogs on the left")
    assert (said.noun, [str(place) for place in said.places]) == ("dogs", ["left"])
    assert said.count == "several"
    record = READER.read("everyone but the umpire").as_record()
    assert record["parts"][0]["noun"] == "person"
    assert record["excepted"][0]["noun"] == "umpire"


@pytest.mark.parametrize("text", ["two policemen", "all firemen", "both the businesswomen"])
def test_several_men_of_a_kind_are_people(text):
    [part] = READER.read(text).parts
    entry = look_up(part.noun)
    assert entry is not None
    assert entry.classes == ("person",)


def test_the_page_tells_a_set_and_what_is_excepted_from_it():
    shown = chips(READER.read("everyone but the man on the left"))
    assert "<b>noun</b> everyone" in shown
    assert "<b>not</b> man on the left" in shown
    assert "<b>how many</b> all person, not man" in shown
    assert "place</b>" not in shown


def test_words_of_what_is_excepted_are_its_own():
    said = READER.read("all the dogs but the other dog")
    assert said.excepted[0].text == "other dog"
    assert said.roles[-3:] == (("the", ""), ("other", "not"), ("dog", "not"))
