"""The trainings of `train study`: what each learns from, and which it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True)
class Training:
    """One training of a seed.

    Attributes:
        title: row of the tables; None for what is only another's start.
        method: of `train.fit`.
        store: folder of S1 and S2, below the study's; None for true masks.
        start: the training that it goes on from; None for the study's start.
        length: in trainings: the supervised one has the updates of two.
        rate: factor of `--lr`.
        options: further ones of `train.fit`.
    """

    title: str | None
    method: str
    store: str | None
    start: str | None = None
    length: int = 1
    rate: float = 1.0
    options: tuple[str, ...] = ()


PRIOR = ("--prior", "0.5")
TRAININGS = {
    "bootstrap": Training("ZSBootstrap", "bootstrap", "pseudo"),
    "plus": Training("+ N", "bootstrap", "pseudo", "bootstrap"),
    "correct": Training("S+S+C", "correct", "pseudo", "bootstrap"),
    "best-start": Training(None, "bootstrap", "spatial"),
    "best": Training("S+S+C best", "correct", "spatial", "best-start", options=PRIOR),
    "supervised": Training("supervised", "supervised", None, length=2),
    "slow-start": Training(None, "bootstrap", "pseudo", rate=0.1),
    "slow": Training("S+S+C at a tenth of the rate", "correct", "pseudo", "slow-start", rate=0.1),
    "ungrouped-start": Training(None, "bootstrap", "ungrouped"),
    "ungrouped": Training(
        "S+S+C best, ungrouped", "correct", "ungrouped", "ungrouped-start", options=PRIOR
    ),
    "grouped-start": Training(None, "bootstrap", "grouped"),
    "grouped": Training(
        "S+S+C best, grouped", "correct", "grouped", "grouped-start", options=PRIOR
    ),
}
DEFAULT = ("bootstrap", "plus", "correct", "best", "supervised")
STORES = {"spatial": "pseudo", "ungrouped": "ungrouped-pseudo", "grouped": "grouped-pseudo"}
"""Store whose S2 counts words → the one that it is made from, with the paper's S2."""


def needed(
    names: Iterable[str],
    trainings: Mapping[str, Training] = TRAININGS,
    before: Callable[[Training], str | None] = attrgetter("start"),
) -> list[str]:
    """`names` and the trainings that they need, in the order of `trainings`.

    Args:
        before: the one that a training needs first; None for none.
    """
    wanted, open_ = set[str](), list(names)
    while open_:
        wanted.add(name := open_.pop())
        if (first := before(trainings[name])) is not None:
            open_.append(first)
    return [name for name in trainings if name in wanted]
