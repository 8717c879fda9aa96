"""What a set is without: "everyone but the umpire" (not of the paper)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ssc.words.lexis import words

if TYPE_CHECKING:
    from ssc.expression import Expression

EXCEPT = words("""but except excluding besides""")
EXCEPT_TWO = {("apart", "from"), ("aside", "from"), ("other", "than")}
_AFTER = words("""for the a""")
"""What may stand between these and what is excepted."""


def exception(typed: list[str]) -> tuple[int, int] | None:
    """Where what is excepted begins, with its word and without; None where nothing is."""
    for i, word in enumerate(typed):
        two = (word, *typed[i + 1 : i + 2]) in EXCEPT_TWO
        if i and (word in EXCEPT or two):
            end = i + 1 + two
            while end < len(typed) and typed[end] in _AFTER:
                end += 1
            return (i, end) if typed[end : end + 1] not in ([], ["not"]) else None
    return None


def excepting(
    base: Expression, but: Expression, whole: Expression, joining: list[str]
) -> Expression:
    """All of `base` less what is excepted, whose words say nothing of what is meant.

    Args:
        whole: both, read as of one thing.
        joining: the words between them ("except for the").
    """
    roles, silent = list(base.roles), True
    for word, role in whole.roles[len(base.roles) :]:
        silent = silent and word in joining
        roles.append((word, role if role == "lost" else "" if silent else "not"))
    return replace(
        base,
        text=whole.text,
        count="all",
        excepted=(but,),
        unread=whole.unread,
        roles=tuple(roles),
        english=whole.english,
    )
