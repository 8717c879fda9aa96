"""Which of coloured squares are meant, and that what is not there is refused."""

import numpy as np
import pytest

from ssc.explain import explain
from ssc.export import result_record
from ssc.expression import Ask
from ssc.page.clicks import clicked
from ssc.result import Result
from ssc.select import Select
from ssc.types import Candidates, ClassMatch
from ssc.words.read import Reader

READER = Reader()
W, H = 320, 60
RED, BLUE, GREEN = (229, 0, 0), (3, 67, 223), (21, 176, 26)
SQUARES = [("dog", RED, 10), ("dog", BLUE, 80), ("dog", RED, 150), ("dog", BLUE, 220)]
SQUARES += [("cat", GREEN, 280)]


def asked(text, squares=SQUARES, several=True, absent=(), clip=None):
    """Stage 2 on a picture of squares, of which stage 1 knows the classes."""
    image = np.full((H, W, 3), 250, np.uint8)
    masks = np.zeros((len(squares), H, W), np.bool_)
    for mask, (_, colour, x) in zip(masks, squares):
        mask[20:44, x : x + 24] = True
        image[mask] = colour
    boxes = np.array([(x, 20, x + 24, 44) for _, _, x in squares], np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.6, len(squares), dtype=np.float32)
    labels = tuple(name for name, _, _ in squares)
    said = READER.read(text)
    classes = {"dogs": ("dog",), "dog": ("dog",), "cat": ("cat",), "animals": ("dog", "cat")}
    asks = [Ask(part, classes.get(part.noun, ())) for part in said.parts]
    asks += [Ask(part, classes.get(part.noun, ()), excepted=True) for part in said.excepted]
    found = Candidates(boxes, scores, labels, masks, scores)
    match = ClassMatch(said.noun, "dog", 1.0, others=("cat",))
    result = Result(
        (text,), (match,), found, words=(said,), asks=tuple(asks), absent=absent, image=image
    )
    return Select(clip, several=several)(image, [result])[0]


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("all the dogs", (0, 1, 2, 3)),
        ("every dog", (0, 1, 2, 3)),
        ("the red dogs", (0, 2)),
        ("all blue dogs", (1, 3)),
        ("two dogs on the left", (0, 1)),
        ("the two rightmost dogs", (2, 3)),
        ("two blue dogs", (1, 3)),
        ("dogs on the right", (2, 3)),
        ("left dog and the cat", (0, 4)),
        ("all the dogs except the left dog", (1, 2, 3)),
        ("all the dogs but the red dogs", (1, 3)),
    ],
)
def test_members(text, members):
    result = asked(text)
    assert result.members == result.answer.indices == members
    union = result.candidates.masks[list(members)].any(axis=0)
    assert np.array_equal(result.mask, union)
    assert np.array_equal(result.instances.masks, result.candidates.masks[list(members)])
    assert len(result.to_coco()["annotations"]) == len(members)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("two dogs on the left", (0, 1)),
        ("both red dogs", (0, 2)),
        ("all the dogs except the left dog", (1, 2, 3)),
        ("the left dog and the red dog", (0, 2)),
        ("fourth dog from the left", None),
        ("fifth dog from the left", ()),
        ("third red dog from the left", ()),
    ],
)
def test_two_candidates_of_one_object_count_once(text, members):
    again = ("dog", RED, 16)  # three quarters of it lie in the first
    assert asked(text, [*SQUARES[:4], again]).members == members


GREY = (146, 146, 146)


@pytest.mark.parametrize(("text", "there"), [("the white dog", True), ("the green dog", False)])
def test_what_is_taken_for_a_colour_in_the_shade_is_not_refused(text, there):
    result = asked(text, [("dog", GREY, 10), ("dog", BLUE, 80)])
    assert result.members == (None if there else ())
    assert asked(text.replace("dog", "dogs"), [("dog", GREY, 10)]).selection.evidence.max() < 0.4


@pytest.mark.parametrize(("dogs", "members"), [(2, None), (3, None), (4, ())])
def test_beside_what_is_hidden_a_few_are_told_by_the_rest_of_the_words(dogs, members):
    result = asked("dog next to the car", SQUARES[:dogs], absent=("car",))
    assert result.members == members


class Colours:
    """A CLIP to which squares look as likely of each colour as is told; other texts are alike."""

    def __init__(self, **likely):
        self.likely = likely

    def encode_text(self, texts):
        named = [next((c for c in self.likely if c in text), None) for text in texts]
        logs = [np.log(self.likely[c]) / 100 if c else -0.2 for c in named]
        return np.array(logs, np.float32)[:, None]

    def encode_images(self, images):
        return np.ones((len(images), 1), np.float32)


@pytest.mark.parametrize(
    ("square", "red", "there"),
    [
        (BLUE, 1e-6, False),  # both deny it
        (BLUE, 0.9, True),  # CLIP sees it
        (RED, 1e-6, True),  # pixels do
        ((249, 115, 6), 0.01, True),  # orange, and CLIP does not rule it out
    ],
)
def test_one_object_is_refused_where_pixels_and_clip_both_deny_its_colour(square, red, there):
    clip = Colours(red=red, blue=1 - red)
    result = asked("the red dog", [("dog", square, 10), ("dog", GREEN, 80)], clip=clip)
    assert result.members == (None if there else ())


def test_one_object_is_as_without():
    result, plain = asked("left dog"), asked("left dog", several=False)
    assert result.members is None
    assert (result.answer, result.sure) == (plain.answer, plain.sure)
    assert asked("all the dogs", several=False).members is None


@pytest.mark.parametrize(
    ("text", "absent", "why"),
    [
        ("green dog", (), "None has the colour that is named."),
        ("seventh dog from the left", (), "There are not so many."),
        ("third red dog from the left", (), "There are not so many."),
        ("dog next to the car", ("car",), "No car was found."),
        ("all the green dogs", (), "None has the colour that is named."),
    ],
)
def test_what_is_not_there_is_refused_in_plain_words(text, absent, why):
    squares = [square for square in SQUARES if square[0] == "dog"]
    result = asked(text, squares, absent=absent)
    assert result.members == ()
    assert result.answer.empty
    assert result.answer.by == "S+S, none"
    assert "nothing there is what is asked for" in explain(result)
    assert explain(result).endswith(f"S+S looked at 4 candidates of class dog or cat. {why}")
    assert result.selection.evidence.max() < 0.1


def test_where_all_is_excepted_the_reason_is_that():
    result = asked("everything but the dogs", [square for square in SQUARES if square[0] == "dog"])
    assert result.members == ()
    assert explain(result).endswith(" Without what is excepted nothing is left.")


def test_nothing_found_is_none():
    result = asked("dog", [])
    assert result.members == ()
    assert result.mask.shape == (H, W)


def test_the_outputs_say_the_set():
    result = asked("the red dogs")
    assert explain(result).startswith("The answer is candidates 1 and 3 of 5. ")
    record = result_record("x.png", result.image, result)
    assert (record["candidate"], record["members"]) == (None, [1, 3])
    assert record["by"] == "S+S, several"
    assert record["sure"] is None
    assert record["candidates"][0]["evidence"] > record["candidates"][1]["evidence"]


def test_a_click_takes_one_out_or_adds_it():
    result = asked("the red dogs")
    fewer = clicked(result, 2)
    assert fewer.answer.indices == (0,)
    more = clicked(fewer, 3)
    assert more.answer.indices == (0, 3)
    assert more.answer.by == "your choice"
    assert explain(more).startswith("The answer is candidates 1 and 4 of 5, your choice. ")
    back = clicked(clicked(more, 3), 2)
    assert back.override is None  # the stages' own set is no choice
    assert clicked(more, None).answer == result.answer
    none = clicked(clicked(result, 0), 2)
    assert none.answer.indices == ()
    assert none.answer.by == "your choice"


def test_a_click_chooses_one_where_one_is_asked_for():
    result = asked("left dog")
    assert clicked(result, 1).answer.indices == (1,)
    assert clicked(clicked(result, 1), 2).answer.indices == (2,)
    assert clicked(clicked(result, 1), 0).override is None
