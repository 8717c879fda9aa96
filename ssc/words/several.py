"""Several things asked for at once: plurals, numbers, "all", "and", "but" (not of the paper).

What a set is made of comes as `Expression.parts`, each read by itself; the rest of the reading is
as if one thing were meant. People say "no hat" of one who lacks it and "all black" of what is black
all over, so only these make a set:

- "all", "both", "every", "each" and numbers before a noun in the plural ("each" and "every": any);
- a noun in the plural that names a thing of a class, not what is worn, nor food by the lot;
- two such nouns joined by "and", neither governed by a preposition;
- what is excepted, after "all", "every", … ("everyone but the umpire").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ssc.words.excepted import excepting, exception
from ssc.words.lexis import ANIMALS, CARDINALS, PICTURE, SIDES, words
from ssc.words.nouns import COLOURS, PEOPLE
from ssc.words.table import look_up, singulars

if TYPE_CHECKING:
    from ssc.expression import Expression

LEAD = words("""find show me select segment give pick i want mean that is are there please the""")
"""Words that may stand before how many are meant."""
EACH = words("""every each""")
EVERYBODY = words("""everybody everyone everything""")
SOME = words("""many multiple several""")
UNCHANGED = words("""deer fish giraffe luggage moose scissors sheep skis zebra""")
"""Nouns that are their own plural, or that people use so."""
LOTS = words(
    """almond apple arm banana bean berries berry berries bleacher book broccoli brocoli carrot
    cheese chip clothes clothing cover cushion dot flower food foot fries fruit glass glasses grape
    hair hand handlebar head jeans leaf leave leg letter light macaroni monitor noodle number onion
    orange pants pea peach pepper pineapple plant scissors sheet shoe shorts ski skis stem
    strawberry stripe tomato tree vegetable veggie word"""
)
"""Nouns whose plural people use of one thing."""


class Read(NamedTuple):
    """An expression read as of one thing, and whether its key noun is a plural."""

    said: Expression
    plural: bool


Reader = Callable[[list[str]], Read]


def read_several(typed: list[str], whole: Read, read: Reader) -> Expression:
    """The reading with its `parts` and what is `excepted`, where several things are asked for.

    Args:
        typed: the words of the expression, spelling mended.
        whole: all of it, read as of one thing.
        read: reads some of its words by themselves.
    """
    cut = exception(typed)
    if cut is not None:
        base, but = read_several(typed[: cut[0]], read(typed[: cut[0]]), read), typed[cut[1] :]
        if base.parts and but:
            return excepting(base, _part(but, read), whole.said, typed[slice(*cut)])
    joined = _joined(typed, whole, read)
    if joined:
        return replace(whole.said, count="several", parts=joined)
    counted = _counted(typed, read)
    if counted is not None:
        return replace(whole.said, count=counted.count, parts=(counted,))
    if whole.plural and _bare(typed, whole.said):
        return replace(whole.said, count="several", parts=(replace(whole.said, count="several"),))
    return whole.said


def _amount(typed: list[str]) -> tuple[str, int, list[str], bool] | None:
    """Count, number (0: not counted), the other words, and whether only a plural will do."""
    i = 0
    while i < len(typed) and typed[i] in LEAD:
        i += 1
    word, after = (*typed[i : i + 2], "", "")[:2]
    if word in EVERYBODY:
        return "all", 0, typed[i:], False
    if word in EACH and after not in ("other", ""):
        return "all", 0, _of(typed, i + 1), False
    if word == "both":
        return "all", 2, _of(typed, i + 1), True
    if word == "all":
        rest = _of(typed, i + 1)
        number = _number(rest[0]) if rest else 0
        return "all", number, rest[1:] if number else rest, True
    if word in ("a", "couple") and "couple" in (word, after):
        rest = _of(typed, i + 1 + (word == "a"))
        return ("several", 2, rest, True) if rest and typed[max(i - 1, 0)] != "the" else None
    if word in SOME:
        return "several", 0, _of(typed, i + 1), True
    if number := _number(word):
        rest = _of(typed, i + 1)
        return ("several", number, rest, True) if after not in ("from", "in", "on", "to") else None
    return None


def _of(typed: list[str], i: int) -> list[str]:
    """The words from `i` on without "of", "the", … before them."""
    while i < len(typed) and typed[i] in ("of", "the", "these", "those"):
        i += 1
    return typed[i:]


def _number(word: str) -> int:
    """The number from 2 to 12 that a word says; 0 for none."""
    value = int(word) if word.isdecimal() and len(word) < 3 else CARDINALS.get(word, 0)
    return value if 2 <= value <= 12 else 0


def _ends_plural(said: Expression, rest: list[str]) -> bool:
    """Whether a noun is a plural that the tagger missed, or its own plural ("all sheep")."""
    noun = said.noun
    if rest[0] in UNCHANGED or (noun.split()[-1:] and noun.split()[-1] in UNCHANGED):
        return True
    return noun.endswith("s") and not noun.endswith("ss") and look_up(noun[:-1]) is not None


def _joined(typed: list[str], whole: Read, read: Reader) -> tuple[Expression, ...]:
    """The two things that "and" joins; () where it joins something else."""
    if typed.count("and") != 1 or "between" in typed or "," in typed:
        return ()
    at = typed.index("and")
    left, right = typed[:at], typed[at + 1 :]
    both = left[:1] == ["both"]
    while left and left[0] in ("both", "the"):
        left = left[1:]
    article = right[0] if right and right[0] in ARTICLES else ""
    right = right[1:] if article else right
    if not left or not right or _CLAUSE & set(typed) or _bound(left, _RELATING):
        return ()
    if left[-1] in _RELATING or _goes_on(right):
        return ()  # "bus behind and left of the car", "man sitting and holding a teddy"
    one, other = _part(left, read), _part(right, read)
    dressed = _dressed(left)
    if _held_too(left, one, other, article) and not (dressed and _is_person(other)):
        return ()
    if (left[-1] in COLOURS and not dressed) or not (_things(one) and _things(other)):
        return ()  # "brown and white horse", but "man in red and woman in blue"
    if not both and any(LOTS & set(singulars(part.noun)) for part in (one, other)):
        return ()  # "carrots and peas"
    if typed[0] in ARTICLES and not article and _alike(one, other):
        return ()  # "a pepperoni and cheese pizza"
    return (one, other) if one.noun != other.noun or article else ()


def _counted(typed: list[str], read: Reader) -> Expression | None:
    """What is counted, or all of what is named; None where nothing is."""
    amount = _amount(typed)
    if amount is None or not amount[2]:
        return None
    count, number, rest, needs_plural = amount
    part = read(rest)
    if needs_plural and not part.plural and not _ends_plural(part.said, rest):
        return None
    return replace(part.said, count=count, number=number)


def _part(typed: list[str], read: Reader) -> Expression:
    """A part of a set: so many, a plural, or one thing."""
    counted = _counted(typed, read)
    if counted is not None:
        return counted
    own = read(typed)
    many = own.plural and UNCHANGED.isdisjoint(own.said.noun.split()[-1:])
    return replace(own.said, count="several") if many else own.said


def _bound(typed: list[str], binding: frozenset[str]) -> bool:
    """Whether a word stands there that sets what follows below another noun, not a place."""
    found = [i for i, word in enumerate(typed) if word in binding]
    return bool(found) and not set(typed[found[0] + 1 :]) <= _RELATING | _HAVING | PICTURE | PLACED


def _goes_on(typed: list[str]) -> bool:
    """Whether what follows "and" is more that the first one does ("and holding a cup")."""
    acts = _acts(typed[0]) and bool({*typed[1:2]} & (ARTICLES | _RELATING))
    return typed[0] in _HAVING or acts


def _held_too(left: list[str], one: Expression, other: Expression, article: str) -> bool:
    """Whether what follows "and" is a second thing that the first has, as by "man with a hat and a
    bag", "bowl containing a cup and a roll" and "man with the hat and the bag", but not by "man
    with a hat and the dog"."""
    noun = one.noun.split()[-1:]
    start = left.index(noun[0]) + 1 if noun and noun[0] in left else 0
    having = _HAVING | {word for word in left[start:] if _acts(word)}
    if not _bound(left, having):
        return False
    with_the = any(pair[0] in having - WORN and pair[1] == "the" for pair in pairwise(left))
    return article != "the" or (with_the and not _alive(other))


def _acts(word: str) -> bool:
    """Whether a word is a verb's participle ("containing"), not a noun ("painting")."""
    return word.endswith("ing") and look_up(word) is None


def _alive(said: Expression) -> bool:
    entry = look_up(said.noun)
    return _is_person(said) or (entry is not None and not ANIMALS.isdisjoint(entry.classes[:1]))


def _alike(one: Expression, other: Expression) -> bool:
    """Whether two things are of one class, and no people."""
    entries = look_up(one.noun), look_up(other.noun)
    first, second = (set(entry.classes) if entry else set() for entry in entries)
    return bool(first & second - {"person"})


def _dressed(typed: list[str]) -> bool:
    """Whether it ends in a colour that somebody wears ("man in red")."""
    found = [i for i, word in enumerate(typed) if word in ("in", "wearing")]
    return bool(found) and set() != set(typed[found[-1] + 1 :]) <= COLOURS


ARTICLES = words("""the a an his her their my""")
_HAVING = words("""with in wearing holding having has carrying eating playing""")
WORN = words("""in wearing""")
"""Of these, the words for clothes."""
_RELATING = words("""on at of by near next to behind from under over between beside like for and""")
_CLAUSE = words("""that who which is are was were has while where between""")
PLACED = words("""the a far very side corner edge""") | SIDES.keys()
"""What may follow "in", "on", … where a place is said."""


def _things(said: Expression) -> bool:
    """Whether the key noun stands there and names a thing of a class, not what is worn."""
    entry = look_up(said.noun) if said.noun else None
    words_of = said.noun.split()
    if entry is None or not entry.classes or entry.mark == "p":
        return False
    if words_of[-1] not in said.text.split() or words_of[-1] in COLOURS:
        return False
    return "person" not in entry.classes or _is_person(said)


def _is_person(said: Expression) -> bool:
    """Whether the key noun is a person's, by a table or by its ending."""
    named = {form for word in said.noun.split() for form in singulars(word)}
    return bool(named & PEOPLE) or (bool(said.noun) and said.noun.endswith(AGENTS))


def _bare(typed: list[str], said: Expression) -> bool:
    """Whether a plural without a number means several, not one thing or a lot of it."""
    if not _things(said):
        return False
    last = said.noun.split()[-1]
    at = typed.index(last) if last in typed else 0
    after = next((word for word in typed[at + 1 :] if word not in COLOURS), "")
    owned = look_up(after) if after else None
    if not last.endswith(("s", "men", "people", "children", "mice")) or last in UNCHANGED:
        return False
    if LOTS & {form for word in said.noun.split() for form in singulars(word)}:
        return False
    if owned is not None and (owned.mark or owned.classes):
        return False  # "elephants rear end", "womans legs", "mans gray tie"
    return not (set(typed[:at]) & NOT_MANY or after in ("is", "was", "'s", "'", "back", "rear"))


AGENTS = ("er", "or", "ers", "ors", "man", "men", "people", "cop", "cops", "bride", "king", "queen")
"""Endings of nouns that are people, where a table also has what people wear."""
NOT_MANY = words(
    """a an of one another this that either his him her he she no with in by thing what where"""
)
"""Words before a plural that show that one thing is meant ("a women", "one of the dogs")."""
