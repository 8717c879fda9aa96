"""Where nothing of a class is found, classes next to it are taken, and it is said."""

import numpy as np
import pytest

from ssc.explain import explain
from ssc.expression import Expression
from ssc.segment import Segment
from ssc.segment.neighbours import GROUPS, neighbours
from ssc.words.vocabulary import COCO_80
from tests.segment.toy_stage import Classes, Detector, H, Segmenter, W


def test_every_class_is_cocos_and_the_relation_is_mutual():
    named = {n.strip() for g in GROUPS for n in g.split("," if "," in g else None)}
    assert named <= set(COCO_80)
    for name in named:
        assert name not in neighbours([name])
        assert all(name in neighbours([other]) for other in neighbours([name]))
    assert neighbours(["bear"]) == {"teddy bear", "dog"}
    assert neighbours(["bear", "teddy bear"]) == {"dog"}
    assert neighbours(["person"]) == neighbours([]) == frozenset()


class All(Classes):
    vocabulary = COCO_80

    def several(self, nouns):
        return self(nouns)


class Reading:
    """Reads the last word as the noun, as words counted and by the paper's rule."""

    def __call__(self, text):
        return text.split()[-1]

    def read(self, text):
        return Expression(text, self(text))


class Sure(Detector):
    """One that misses little, and sees a bear faintly, below its threshold, where there is one."""

    misses_little, threshold = True, 0.5

    def __init__(self, faint):
        super().__init__()
        self.faint = faint

    def detect(self, image, class_names):
        found = super().detect(image, class_names)
        if "bear" in class_names and self.faint >= self.threshold:
            return np.ones((1, 4), np.float32), np.full(1, self.faint, np.float32), ("bear",)
        return found


def ask(text, paper=False, detector=None, several=True):
    stage = Segment(
        Reading(), All(), detector or Detector(), Segmenter(), paper=paper, several=several
    )
    return stage(np.zeros((H, W, 3), np.uint8), [text])


@pytest.mark.parametrize(("text", "taken"), [("the bear", ("dog",)), ("the horse", ())])
def test_neighbours_are_taken(text, taken):
    result = ask(text)
    assert result.candidates.labels == result.taken == taken
    if taken:
        said = explain(result)
        assert "Found 1 candidate of class dog." in said
        assert said.endswith("No bear found; taken: dog.")
    else:
        assert [name for name, _ in result.nearest] == ["dog", "cat"]


def test_not_where_the_class_is_there_nor_by_the_papers_rule():
    assert ask("the dog").taken == ()
    assert ask("the bear", paper=True).candidates.labels == ()


def test_what_is_not_there_is_not_answered_with_what_is_next_to_it():
    refused = ask("the bear", detector=Sure(faint=0.3))
    assert (refused.found, refused.taken) == (False, ())
    assert [name for name, _ in refused.nearest] == ["dog", "cat"]
    assert ask("the bear", detector=Sure(faint=0.4)).taken == ("dog",)  # it may be there
    assert ask("the bear", detector=Sure(faint=0.3), several=False).taken == ("dog",)
