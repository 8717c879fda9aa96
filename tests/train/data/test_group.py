"""Sentences are joined where they mean one candidate and do not contradict."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ssc.errors import InputError
from ssc.result import Result
from ssc.types import Candidates, ClassMatch, Selection
from ssc.words.read import Reader
from tests.train.toy import Squares
from train.data.group import compatible, group, pairs
from train.data.grouped import Grouped, propose
from train.data.ungrouped import Ungrouped
from train.data.usable import LeftOut, TooManyLeftOut

READER = Reader()


def sentence(text, *scores, name="dog"):
    """A sentence and its scores of three squares."""
    masks = np.zeros((3, 8, 24), np.bool_)
    for k in range(3):
        masks[k, :, 8 * k : 8 * k + 8] = True
    boxes = np.array([(8 * k, 0, 8 * k + 8, 8) for k in range(3)], np.float32)
    ones = np.ones(3, np.float32)
    found = Candidates(boxes, ones, (name,) * 3, masks, ones)
    chosen = Selection(
        np.zeros((3, 4, 4, 3), np.uint8), np.array(scores, np.float32), 0, "reverse_blur"
    )
    match = (ClassMatch(name, name, 1.0),)
    return Result((text,), match, found, selection=chosen, words=(READER.read(text),))


def test_those_that_mean_one_candidate_are_joined():
    sentences = [
        sentence("left dog", 1, 0, 0),
        sentence("brown dog", 0, 0, 1),
        sentence("the dog by the wall", 1, 0, 0),
        sentence("right dog", 0, 0, 1),
        sentence("cat", 1, 0, 0, name="cat"),
    ]
    assert group(sentences) == [0, 1, 0, 1, 2]
    assert group([]) == []


def test_who_is_undecided_stays_alone():
    assert group([sentence("dog", 0, 0, 0), sentence("the dog", 0, 0, 0)]) == [0, 1]


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("left dog", "right dog", False),
        ("left dog", "dog on the left", True),
        ("second dog from left", "dog on the left", False),
        ("top left dog", "left dog", True),
        ("big dog", "small dog", False),
        ("red car", "blue car", False),
        ("man", "woman in red", False),
        ("man", "guy in red", True),
        ("red car", "car on the left", True),
    ],
)
def test_texts_that_contradict(one, other, may):
    assert compatible(READER.read(one), READER.read(other)) is may
    assert compatible(READER.read(other), READER.read(one)) is may


def test_pairs_by_hand():
    assert pairs([0, 0, 1, 1], [0, 0, 0, 1]) == (1, 2, 3)


def test_a_file_of_groups_joins_objects(tmp_path):
    plain = Ungrouped(Squares(2))
    picture = plain[0]
    names = [referent.name for referent in picture.objects]
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"groups": {picture.name: [[names[1], names[0]], ["gone"]]}}))
    data = Grouped(file, plain)
    first, *rest = data[0].objects
    texts = [referent.expressions[0] for referent in picture.objects]
    assert first.expressions == (texts[1], texts[0])
    assert [referent.name for referent in rest] == names[2:]
    assert len(data[1].objects) == len(plain[1].objects)
    file.write_text("[]")
    with pytest.raises(InputError, match="expected groups of `python -m train data group`"):
        Grouped(file, plain)


class Colours:
    """Stages 1 and 2 that know a square by its colour; killed at their `last` sentence."""

    def __init__(self, last=-1):
        self.last, self.asked = last, 0

    def with_options(self, **options):
        return self

    def segment(self, image, expressions):
        if self.asked == self.last:
            raise KeyboardInterrupt
        self.asked += 1
        [text] = expressions
        return sentence(text, *(4.0 * (name in text) for name in ("red", "green", "blue")))

    def select(self, image, results):
        return results


class Damaged(Squares):
    """Its second picture, or each, does not open."""

    def __init__(self, count, each=False):
        super().__init__(count)
        self.each = each

    def __getitem__(self, index):
        if index == 1 or self.each:
            raise InputError("damaged.png: cannot be opened")
        return super().__getitem__(index)


def propose_all(data, file, pipeline, **options):
    return propose(
        pipeline, data, file, LeftOut(data.name, len(data)), models="toy", every=0, **options
    )


def test_grouping_goes_on_where_it_was_killed(tmp_path):
    data, file = Ungrouped(Squares(4)), tmp_path / "groups.json"
    whole = propose_all(data, tmp_path / "whole.json", Colours())
    assert (whole["sentences"], whole["objects"]) == (16, 8)
    assert whole["precision"] == whole["recall"] == 1
    with pytest.raises(KeyboardInterrupt):
        propose_all(data, file, Colours(last=9))  # in the third picture
    again = Colours()
    report = propose_all(data, file, again)
    assert (again.asked, report["of these known"]) == (8, 2)
    assert file.read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert {**report, "of these known": 0} == whole


def test_only_what_is_as_before_is_known(tmp_path):
    class Other(Squares):
        def __getitem__(self, index):
            picture = super().__getitem__(index)
            return replace(picture, image=picture.image // 2) if index == 0 else picture

    file = tmp_path / "groups.json"
    propose_all(Squares(3), file, Colours())
    assert propose_all(Squares(3), file, Colours())["of these known"] == 3
    assert propose_all(Other(3), file, Colours())["of these known"] == 2
    file.write_text("{")
    assert propose_all(Squares(3), file, Colours())["of these known"] == 0


def test_pictures_that_do_not_open_are_left_out(tmp_path):
    left_out = LeftOut("squares", 4)
    report = propose(Colours(), Damaged(4), tmp_path / "g.json", left_out, models="toy")
    assert report["pictures"] == 3
    assert left_out.reasons == {"squares-001": "damaged.png: cannot be opened"}
    with pytest.raises(TooManyLeftOut):
        propose_all(Damaged(4, each=True), tmp_path / "g.json", Colours())
