"""Referring expressions for RefSprites, in the wording that RefCOCO's players used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from train.scenes.meaning import Meaning, holds, named

if TYPE_CHECKING:
    from train.scenes.instance import Instance

KINDS = ("attribute", "position", "relation", "mixed")
# Some proposals find nothing true to say, so these are set to give RefCOCO's mix, about
# 30 : 40 : 15 : 15, among those kept.
WEIGHTS = {False: (0.43, 0.27, 0.16, 0.14), True: (0.08, 0.33, 0.49, 0.10)}  # keyed by hard
TRIES = {"attribute": 6, "position": 6, "relation": 16, "mixed": 6}
PER_OBJECT = 3
SUBKINDS = ("noun", "colour", "trait", "size")


@dataclass(frozen=True)
class Expression:
    """A referring expression.

    Attributes:
        text: as a person would write it.
        kind: one of `KINDS`.
        subkind: of an attribute expression, what it names (one of `SUBKINDS`, joined by "+");
            of the others the place, rank or relation.
        meaning: what it says.
    """

    text: str
    kind: str
    subkind: str
    meaning: Meaning


Rng = np.random.Generator
NUMBERS = {2: ("second", "2nd"), 3: ("third", "3rd")}
SENTENCES = (
    "the {}",
    "the {}",
    "the {}",
    "find the {}",
    "the {} please",
    "i mean the {}",
    "that is the {}",
    "show me the {}",
    "there is the {}",
)


def refer(
    rng: Rng,
    instances: Sequence[Instance],
    category: str,
    hard: bool,
    width: int,
    height: int,
) -> dict[int, tuple[Expression, ...]]:
    """Three unambiguous expressions for each of one to three objects of class `category`.

    Some instances stay without: exclusivity alone must not give the answer away.

    Args:
        hard: mostly positions and relations.
        width, height: of the frame in pixels.

    Returns:
        Instance index → its expressions; empty where none could be named.
    """
    same = [i for i, instance in enumerate(instances) if instance.sprite.category == category]
    if len(same) < 2:
        return {}
    count = min(len(same), int(rng.choice([1, 2, 3], p=[0.25, 0.45, 0.3])))
    referred: dict[int, tuple[Expression, ...]] = {}
    for target in rng.permutation(same).tolist():
        if len(referred) == count:
            break
        expressions = _three(rng, target, instances, hard, width, height)
        if len(expressions) == PER_OBJECT:
            referred[target] = expressions
    return dict(sorted(referred.items()))


def _three(
    rng: Rng, target: int, instances: Sequence[Instance], hard: bool, width: int, height: int
) -> tuple[Expression, ...]:
    expressions: dict[str, Expression] = {}
    for _ in range(12):
        kind = KINDS[rng.choice(len(KINDS), p=WEIGHTS[hard])]
        for _ in range(TRIES[kind]):
            proposal = _PROPOSE[kind](rng, target, instances)
            if proposal and holds(proposal[0], target, instances, width, height):
                meaning, subkind, text = proposal
                if rng.random() < 0.3:
                    text = SENTENCES[rng.integers(len(SENTENCES))].format(text)
                expressions.setdefault(text, Expression(text, kind, subkind, meaning))
                break
        if len(expressions) == PER_OBJECT:
            break
    return tuple(expressions.values())


Proposal = tuple[Meaning, str, str]


def one_of(rng: Rng, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def noun_of(rng: Rng, instance: Instance) -> str:
    """Mostly a name that several objects could share: the class's own, or the sprite's last."""
    names = instance.sprite.names
    if instance.sprite.is_person:
        plain = [n for n in names if n in ("man", "guy", "woman", "lady", "boy", "girl", "kid")]
        return one_of(rng, plain or names)
    return names[-1] if rng.random() < 0.75 else one_of(rng, names)


def looks(rng: Rng, instance: Instance, what: str) -> Proposal | None:
    """A noun phrase by looks: `what` is noun, colour or trait."""
    sprite = instance.sprite
    noun = noun_of(rng, instance)
    if what == "noun":
        noun = one_of(rng, sprite.names)
        return Meaning(noun), "noun", noun
    if what == "colour" and instance.colour:
        colour = instance.colour
        meaning = Meaning(noun, colour=colour)
        if not sprite.is_person:
            return meaning, "colour", f"{colour} {noun}"
        in_colour = one_of(
            rng,
            (
                "{n} in {c}",
                "{n} in {c}",
                "{n} wearing {c}",
                "{n} in the {c} shirt",
                "{c} shirt {n}",
            ),
        )
        return meaning, "colour", in_colour.format(n=noun, c=colour)
    if what == "trait":
        options = [
            *(Meaning(noun, trait=t) for t in sprite.adjectives),
            *(Meaning(noun, trait=t) for t in sprite.having),
            *(Meaning(noun, trait=t) for t in sprite.doing),
        ]
        if not options:
            return None
        meaning = options[rng.integers(len(options))]
        trait = meaning.trait or ""
        if trait in sprite.adjectives:
            if trait.split()[0] in noun:
                return None
            return meaning, "trait", f"{trait} {noun}"
        return meaning, "trait", f"{noun} {'with ' if trait in sprite.having else ''}{trait}"
    return None


def attribute(rng: Rng, target: int, instances: Sequence[Instance]) -> Proposal | None:
    instance = instances[target]
    what = one_of(rng, ("noun", "colour", "colour", "colour", "trait", "trait", "size"))
    if what != "size":
        return looks(rng, instance, what)
    base = looks(rng, instance, "colour") if rng.random() < 0.35 else None
    meaning, subkind, phrase = base or (Meaning(n := noun_of(rng, instance)), "", n)
    size = one_of(rng, ("big", "small"))
    words = {
        "big": ("big", "biggest", "larger", "large", "bigger"),
        "small": ("small", "smallest", "smaller", "little", "tiny"),
    }[size]
    text = f"{one_of(rng, words)} {phrase}"
    return replace(meaning, size=size), f"size+{subkind}" if subkind else "size", text


_PLACES: dict[str, tuple[str, ...]] = {
    "left": (
        "left {}",
        "{} on the left",
        "{} on left",
        "{} left",
        "leftmost {}",
        "far left {}",
        "{} on the left side",
    ),
    "right": (
        "right {}",
        "{} on the right",
        "{} on right",
        "{} right",
        "rightmost {}",
        "far right {}",
        "{} on the right side",
    ),
    "top": ("top {}", "{} at the top", "{} on top", "upper {}"),
    "bottom": ("bottom {}", "{} at the bottom", "{} on the bottom", "lower {}"),
    "middle": ("middle {}", "{} in the middle", "center {}", "{} in the center", "{} in middle"),
    "top left": ("top left {}", "{} in the top left", "{} in top left corner", "upper left {}"),
    "top right": ("top right {}", "{} in the top right", "{} top right", "upper right {}"),
    "bottom left": ("bottom left {}", "{} in the bottom left", "lower left {}", "{} bottom left"),
    "bottom right": ("bottom right {}", "{} in the bottom right", "lower right {}"),
}
_RANKS = ("{k} {n} from {s}", "{k} {n} from the {s}", "{n} {k} from {s}", "{k} from {s} {n}")
_RELATIONS: dict[str, tuple[str, ...]] = {
    "next to": ("{} next to the {}", "{} next to {}", "{} by the {}", "{} near the {}"),
    "left of": ("{} to the left of the {}", "{} left of the {}", "{} left of {}"),
    "right of": ("{} to the right of the {}", "{} right of the {}", "{} right of {}"),
    "above": ("{} above the {}", "{} over the {}"),
    "below": ("{} below the {}", "{} under the {}", "{} beneath the {}"),
    "behind": ("{} behind the {}", "{} behind {}"),
    "in front of": ("{} in front of the {}", "{} in front of {}"),
}


def _placed(rng: Rng, meaning: Meaning, phrase: str) -> Proposal:
    """Adds a place or a rank to a noun phrase."""
    if rng.random() < 0.22:
        side, rank = one_of(rng, ("left", "right")), int(rng.choice([2, 2, 2, 3]))
        template = one_of(rng, _RANKS)
        text = template.format(k=one_of(rng, NUMBERS[rank]), n=phrase, s=side)
        return replace(meaning, rank=(side, rank)), "rank", text
    place = one_of(rng, ("left", "right") * 3 + ("top", "bottom", "middle", "middle"))
    if rng.random() < 0.15:
        place = one_of(rng, ("top left", "top right", "bottom left", "bottom right"))
    return replace(meaning, place=place), place, one_of(rng, _PLACES[place]).format(phrase)


def position(rng: Rng, target: int, instances: Sequence[Instance]) -> Proposal | None:
    noun = noun_of(rng, instances[target])
    return _placed(rng, Meaning(noun), noun)


def _mixed(rng: Rng, target: int, instances: Sequence[Instance]) -> Proposal | None:
    base = looks(rng, instances[target], one_of(rng, ("colour", "colour", "trait")))
    return _placed(rng, base[0], base[2]) if base else None


def _relation(rng: Rng, target: int, instances: Sequence[Instance]) -> Proposal | None:
    category = instances[target].sprite.category
    others = [i for i in instances if i.sprite.category != category]
    if not others:
        return None
    other = others[rng.integers(len(others))].sprite
    anchor = one_of(rng, other.names)
    if len(named(instances, anchor)) != 1:
        return None
    noun = noun_of(rng, instances[target])
    kind = one_of(rng, tuple(_RELATIONS))
    text = one_of(rng, _RELATIONS[kind]).format(noun, anchor)
    return Meaning(noun, relation=(kind, anchor)), kind, text


_PROPOSE: dict[str, Callable[[Rng, int, Sequence[Instance]], Proposal | None]] = {
    "attribute": attribute,
    "position": position,
    "relation": _relation,
    "mixed": _mixed,
}
