"""Questions about several objects or none mean what an independent reading says that they mean."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.train.scenes.reading import reading
from train.data import open_dataset
from train.scenes import render
from train.scenes.questions import PER_SCENE, plural
from train.scenes.several import SEVERAL_KINDS, SHARES
from train.scenes.sprites import FONT

pytestmark = pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
COUNT = 40


@pytest.fixture(scope="module")
def scenes():
    return [render("several", i, seed=11) for i in range(COUNT)]


def _meant(group, scene):
    """The objects that a group means, read plainly."""
    h, w = scene.ids.shape
    if len(group.parts) > 1:
        return sorted(k for part in group.parts for k in reading(part, scene))
    [meaning] = group.parts
    if meaning.relation:
        there = {name for instance in scene.instances for name in instance.sprite.names}
        return reading(meaning, scene) if meaning.relation[1] in there else []
    if meaning.rank:
        fits = reading(replace(meaning, rank=None), scene)
        return reading(meaning, scene) if len(fits) >= meaning.rank[1] else []
    fits = reading(meaning, scene)
    if group.but:
        fits = [k for k in fits if k not in reading(group.but, scene)]
    if group.side:
        axis, size = (0, w) if group.side in ("left", "right") else (1, h)
        at = {k: scene.instances[k].centre[axis] / size for k in fits}
        if group.side in ("right", "bottom"):
            at = {k: 1 - x for k, x in at.items()}
        fits = sorted(fits, key=at.__getitem__)
        return sorted(fits[: group.number] if group.number else (k for k in fits if at[k] < 0.5))
    assert not fits or group.number in (None, len(fits))
    return fits


def test_a_question_means_what_a_plain_reading_says(scenes):
    kinds = Counter()
    for scene in scenes:
        assert len(scene.questions) == PER_SCENE
        assert not scene.referred
        for asked in scene.questions:
            assert list(asked.answer) == _meant(asked.meaning, scene), (asked, scene.instances)
            assert len(asked.answer) > 1 if asked.kind != "none" else not asked.answer
            kinds[asked.kind] += 1
    shares = [kinds[kind] / (COUNT * PER_SCENE) for kind in SEVERAL_KINDS]
    assert shares == pytest.approx(SHARES, abs=0.12)
    assert any(asked.meaning.but for scene in scenes for asked in scene.questions)
    assert any(len(asked.meaning.parts) > 1 for scene in scenes for asked in scene.questions)


def test_a_question_is_a_function_of_index_and_seed():
    assert render("several", 3, 5).questions == render("several", 3, 5).questions
    assert render("several", 3, 5).questions != render("several", 4, 5).questions


def test_the_data_set_has_a_mask_of_all_that_is_meant(scenes):
    data = open_dataset(f"refsprites:several:{COUNT}:0:11")
    for index in (0, 1, 2):
        picture, scene = data[index], scenes[index]
        for thing, asked in zip(picture.objects, scene.questions, strict=True):
            assert thing.expressions == (asked.text,)
            assert thing.kinds == (asked.kind,)
            shown = np.isin(scene.ids, [k + 1 for k in asked.answer])
            assert np.array_equal(thing.mask, shown)


def test_plurals():
    said = {
        "old man": "old men",
        "bus": "buses",
        "lady": "ladies",
        "boy": "boys",
        "wine glass": "wine glasses",
        "sheep": "sheep",
        "couch": "couches",
        "knife": "knives",
    }
    assert {noun: plural(noun) for noun in said} == said
