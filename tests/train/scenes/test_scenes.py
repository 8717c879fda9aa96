"""RefSprites: its laws on fresh scenes (where the font is) and on the committed slice."""

from collections import Counter

import numpy as np
import pytest

from ssc.words.vocabulary import COCO_80
from tests.train.scenes.reading import reading
from train.data.slice import read_slice
from train.scenes import SPLITS, render
from train.scenes.backgrounds import STYLES
from train.scenes.catalogue import CATEGORIES
from train.scenes.expressions import KINDS
from train.scenes.render import MIN_VISIBLE
from train.scenes.sprites import FONT

needs_font = pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
COUNT = 60


@pytest.fixture(scope="module")
def scenes():
    return {split: [render(split, i, seed=11) for i in range(COUNT)] for split in SPLITS}


def test_enough_classes_and_backgrounds():
    assert len(CATEGORIES) >= 60
    assert set(CATEGORIES) <= set(COCO_80)
    assert len(STYLES) >= 12


@needs_font
def test_a_scene_is_a_function_of_split_index_and_seed():
    first, again = render("hard", 5, seed=3), render("hard", 5, seed=3)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.ids.tobytes() == again.ids.tobytes()
    assert first.referred == again.referred
    others = [render("hard", 6, seed=3), render("hard", 5, seed=4), render("testA", 5, seed=3)]
    assert all(other.image.tobytes() != first.image.tobytes() for other in others)


@needs_font
@pytest.mark.long
def test_scenes_are_as_the_design_says(scenes):
    for split, rendered in scenes.items():
        for scene in rendered:
            assert scene.image.shape == (240, 320, 3)
            assert scene.image.dtype == np.uint8
            categories = Counter(i.sprite.category for i in scene.instances)
            [main] = {scene.instances[k].sprite.category for k in scene.referred}
            assert 2 <= categories[main] <= (6 if split == "hard" else 4)
            assert split != "testA" or main == "person"
            assert split != "testB" or main != "person"
            for k, instance in enumerate(scene.instances):
                assert split not in ("train", "val") or not instance.sprite.unseen
                seen = (scene.ids == k + 1).sum() / instance.area
                assert seen == pytest.approx(instance.visible, abs=1e-6)
                assert seen >= MIN_VISIBLE - 1e-9


@needs_font
@pytest.mark.long
def test_every_object_has_three_distinct_expressions_and_some_objects_none(scenes):
    unreferred = 0
    for rendered in scenes.values():
        for scene in rendered:
            assert all(len({e.text for e in three}) == 3 for three in scene.referred.values())
            [main] = {scene.instances[k].sprite.category for k in scene.referred}
            same = [i for i in scene.instances if i.sprite.category == main]
            unreferred += len(same) - len(scene.referred)
    assert unreferred > COUNT


@pytest.mark.long
@needs_font
def test_the_mix_of_kinds_is_refcocos():
    expressions = [e for i in range(250) for t in render("val", i, 2).referred.values() for e in t]
    share = {k: sum(e.kind == k for e in expressions) / len(expressions) for k in KINDS}
    assert share["position"] + share["mixed"] == pytest.approx(0.55, abs=0.06)
    assert share["attribute"] == pytest.approx(0.30, abs=0.06)
    assert share["relation"] == pytest.approx(0.15, abs=0.05)


@needs_font
@pytest.mark.long
def test_an_expression_names_exactly_one_object(scenes):
    seen = Counter()
    for rendered in scenes.values():
        for scene in rendered:
            for target, expressions in scene.referred.items():
                for e in expressions:
                    assert reading(e.meaning, scene) == [target], (e, scene.instances)
                    seen[e.kind] += 1
    assert min(seen[kind] for kind in KINDS) > 20


@needs_font
def test_unknown_split_is_named():
    with pytest.raises(ValueError, match="expected one of train, val"):
        render("test", 0)


def test_the_slice_is_whole():
    scenes = read_slice()
    assert len(scenes) == 64
    assert Counter(s.split for s in scenes) == dict.fromkeys(("val", "testA", "testB", "hard"), 16)
    for scene in scenes:
        assert scene.masks.shape == (len(scene.objects), *scene.image.shape[:2])
        assert scene.masks.any((1, 2)).all()
        assert any(o["expressions"] for o in scene.objects)
