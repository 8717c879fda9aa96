"""Questions about several objects of a scene, all of them or none, in the wording that people use.

As gRefCOCO has them ("GRES", Liu et al. 2023): plurals and what is joined or excepted, counted
ones, and ones that no object answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from train.scenes.catalogue import SPRITES
from train.scenes.expressions import attribute, looks, noun_of, one_of, position
from train.scenes.meaning import Meaning
from train.scenes.several import SIDES, Group, Question, meant
from train.scenes.sprites import COLOURS

if TYPE_CHECKING:
    from train.scenes.instance import Instance

PER_SCENE = 3
Rng = np.random.Generator


def plural(noun: str) -> str:
    """The plural of an English noun of one or more words."""
    *before, last = noun.split()
    return " ".join((*before, _plural_word(last)))


def _plural_word(word: str) -> str:
    for end, said in _IRREGULAR.items():
        if word.endswith(end):
            return word[: len(word) - len(end)] + said
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


_IRREGULAR = {
    "woman": "women", "man": "men", "child": "children", "person": "people", "mouse": "mice",
    "knife": "knives", "sheep": "sheep", "skis": "skis", "scissors": "scissors",
    "broccoli": "broccoli", "loaf": "loaves",
}  # fmt: skip


def questions(
    rng: Rng,
    instances: Sequence[Instance],
    category: str,
    kinds: Sequence[str],
    width: int,
    height: int,
) -> tuple[Question, ...]:
    """A question of each of `kinds` about objects of class `category`, of different texts.

    Returns:
        They; () where one of them finds nothing to ask.
    """
    asked: dict[str, Question] = {}
    own = [i for i in instances if i.sprite.category == category]
    for kind in kinds:
        for _ in range(60):
            proposal = _PROPOSE[kind](rng, own, instances)
            if proposal is None or proposal[1] in asked:
                continue
            group, text = proposal
            answer = meant(group, instances, width, height)
            if answer is not None and (len(answer) > 1 if kind != "none" else not answer):
                asked[text] = Question(text, kind, group, answer)
                break
        else:
            return ()
    return tuple(asked.values())


Proposal = tuple[Group, str]
NUMBERS = {2: ("two", "two", "2"), 3: ("three", "three", "3"), 4: ("four", "4"), 5: ("five",)}
ALL = ("all the {p}", "all {p}", "all of the {p}", "every {n}", "each {n}", "{p}", "the {p}")
BUT = (
    "all the {p} except the {e}",
    "all {p} but the {e}",
    "every {n} but the {e}",
    "every {n} except for the {e}",
    "all the {p} except for the {e}",
)
EVERYONE = ("everyone", "everybody", "all people", "all the people", "every person")
TOGETHER = ("{a} and {b}", "the {a} and the {b}", "{a} and the {b}", "both the {a} and the {b}")
OF_SIDE = {
    "left": ("{} on the left", "{} on left", "{} on the left side", "{} to the left"),
    "right": ("{} on the right", "{} on right", "{} on the right side", "{} to the right"),
    "top": ("{} at the top", "{} on top", "{} up top"),
    "bottom": ("{} at the bottom", "{} on the bottom"),
}
OUTERMOST = {"left": "leftmost", "right": "rightmost", "top": "top", "bottom": "bottom"}


def _some(rng: Rng, own: Sequence[Instance]) -> tuple[Meaning, str, str]:
    """What some objects are: their meaning, the singular and the plural, half of them coloured."""
    instance = own[int(rng.integers(len(own)))]
    noun = noun_of(rng, instance)
    colour = instance.colour
    if colour is None or rng.random() < 0.5:
        return Meaning(noun), noun, plural(noun)
    meaning = Meaning(noun, colour=colour)
    if instance.sprite.is_person and rng.random() < 0.7:
        how = one_of(rng, ("{} in {}", "{} in {}", "{} wearing {}"))
        return meaning, how.format(noun, colour), how.format(plural(noun), colour)
    return meaning, f"{colour} {noun}", f"{colour} {plural(noun)}"


def _plural(rng: Rng, own: Sequence[Instance], instances: Sequence[Instance]) -> Proposal | None:
    how = one_of(rng, ("all", "all", "side", *("and",) * 4, *("but",) * 3))
    if how == "and":
        return _joined(rng, instances)
    meaning, one, many = _some(rng, own)
    if how == "all":
        if own[0].sprite.is_person and rng.random() < 0.2:
            return Group((Meaning("person"),)), one_of(rng, EVERYONE)
        if plural(meaning.noun) == meaning.noun:  # "the sheep" may be one
            return Group((meaning,)), one_of(rng, ALL[:5]).format(n=one, p=many)
        return Group((meaning,)), one_of(rng, ALL).format(n=one, p=many)
    if how == "side":
        if plural(meaning.noun) == meaning.noun:
            return None
        side = one_of(rng, ("left", "right") * 2 + SIDES)
        text = one_of(rng, OF_SIDE[side]).format(many)
        return Group((meaning,), side=side), one_of(rng, ("{}", "all the {}", "the {}")).format(
            text
        )
    excepted = _describe(rng, instances.index(own[int(rng.integers(len(own)))]), instances)
    if excepted is None:
        return None
    but, said = excepted
    if own[0].sprite.is_person and rng.random() < 0.5:
        text = (
            f"{one_of(rng, EVERYONE[:2])} {one_of(rng, ('but', 'except', 'except for'))} the {said}"
        )
        return Group((Meaning("person"),), but=but), text
    return Group((meaning,), but=but), one_of(rng, BUT).format(n=one, p=many, e=said)


def _describe(rng: Rng, target: int, instances: Sequence[Instance]) -> tuple[Meaning, str] | None:
    """A noun phrase for one object: by its name, its looks or its place."""
    how = one_of(rng, ("noun", "looks", "place"))
    if how == "noun":
        proposal = looks(rng, instances[target], "noun")
    else:
        proposal = (attribute if how == "looks" else position)(rng, target, instances)
    if proposal is None or proposal[0].rank:
        return None
    return proposal[0], proposal[2]


def _joined(rng: Rng, instances: Sequence[Instance]) -> Proposal | None:
    both = rng.choice(len(instances), 2, replace=False).tolist()
    first, second = (_describe(rng, k, instances) for k in both)
    if first is None or second is None:
        return None
    (one, a), (other, b) = first, second
    return Group((one, other)), one_of(rng, TOGETHER).format(a=a, b=b)


def _counted(rng: Rng, own: Sequence[Instance], instances: Sequence[Instance]) -> Proposal | None:
    meaning, _, many = _some(rng, own)
    number = int(rng.choice([2, 3, 4, 5], p=[0.55, 0.28, 0.12, 0.05]))
    word = one_of(rng, NUMBERS[number])
    side = one_of(rng, SIDES) if rng.random() < 0.55 else None
    group = Group((meaning,), number, side)
    if side is None:
        if number == 2 and rng.random() < 0.4:
            return group, one_of(rng, ("both {}", "both the {}", "both of the {}")).format(many)
        return group, one_of(rng, ("{} {}", "the {} {}", "all {} {}")).format(word, many)
    if rng.random() < 0.35:
        start = one_of(rng, ("the {} {}", "{} {}"))
        return group, f"{start.format(word, OUTERMOST[side])} {many}"
    text = one_of(rng, OF_SIDE[side]).format(f"{word} {many}")
    return group, one_of(rng, ("{}", "the {}")).format(text)


def _none(rng: Rng, own: Sequence[Instance], instances: Sequence[Instance]) -> Proposal | None:
    """What is not there: the class, the colour, the other object, or the rank."""
    how = one_of(rng, ("class",) * 7 + ("colour",) * 7 + ("relation",) * 3 + ("rank",) * 3)
    instance = own[int(rng.integers(len(own)))]
    there = {i.sprite.category for i in instances}
    sprite = SPRITES[rng.integers(len(SPRITES))]
    noun = noun_of(rng, instance)
    if how in ("class", "relation") and sprite.category in there:
        return None
    if how == "class":
        called = sprite.names[-1]
        meaning, text = Meaning(called), called
        if sprite.paint is not None and rng.random() < 0.3:
            colour = one_of(rng, sprite.paints)
            meaning, text = Meaning(called, colour=colour), f"{colour} {called}"
        side = one_of(rng, SIDES)
        said = (text, f"the {text}", OF_SIDE[side][0].format(text), f"all the {plural(text)}")
        return Group((meaning,)), one_of(rng, said)
    if how == "colour":
        colour = one_of(rng, tuple(COLOURS))
        meaning = Meaning(noun, colour=colour)
        text = f"{colour} {noun}"
        if instance.sprite.is_person:
            text = one_of(rng, ("{n} in {c}", "{n} wearing {c}", "{n} in the {c} shirt")).format(
                n=noun, c=colour
            )
        return Group((meaning,)), one_of(rng, ("{}", "the {}")).format(text)
    if how == "relation":
        other = sprite.names[-1]
        kind = one_of(rng, ("next to", "behind", "in front of"))
        return Group((Meaning(noun, relation=(kind, other)),)), f"{noun} {kind} the {other}"
    side, rank = one_of(rng, ("left", "right")), int(rng.integers(3, 6))
    word = {3: "third", 4: "fourth", 5: "fifth"}[rank]
    meaning = Meaning(noun, rank=(side, rank))
    return Group((meaning,)), f"{word} {noun} from {one_of(rng, ('', 'the '))}{side}"


_PROPOSE = {"plural": _plural, "counted": _counted, "none": _none}
