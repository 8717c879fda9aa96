"""Pictures that cannot be used: left out, named and counted, by every command in the same way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ssc.errors import InputError, told

MOST = 0.1
"""Share of a data set's pictures that may be left out without being asked about; one always may."""
SHOWN = 10  # names in a message
KEPT = 100  # names in a report
HELP = "go on where more than a tenth of the pictures cannot be used"

T = TypeVar("T")


class TooManyLeftOut(InputError):
    """More pictures than `MOST` cannot be used, and no one has said that they may be missing."""


class LeftOut:
    """Those of one data set.

    Args:
        source: the data set, for messages.
        total: how many pictures are looked at.
        allowed: whether any number may be left out (`--allow-missing`).
    """

    def __init__(self, source: str, total: int, allowed: bool = False) -> None:
        self.source, self.total, self.allowed = source, total, allowed
        self.reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, name: str, reason: Exception | str) -> None:
        """Counts a picture.

        Raises:
            TooManyLeftOut: there are more now than may be left out.
        """
        self.reasons[name] = told(reason) if isinstance(reason, Exception) else reason
        if len(self) > max(1, MOST * self.total) and not self.allowed:
            raise TooManyLeftOut(
                f"{self.source}: {self.words()} That is more than a tenth. Mend them, or leave "
                "them out with --allow-missing"
            )

    def tried(self, name: Callable[[], str], work: Callable[[], T]) -> T | None:
        """What `work` on a picture returns; None where it fails, however, which is counted."""
        try:
            return work()
        except Exception as error:  # of any kind: one picture's failure is that picture's
            self.add(name(), error)
            return None

    def words(self) -> str:
        """How many and which, in a sentence; empty for none."""
        if not self.reasons:
            return ""
        named = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:SHOWN]]
        more = f" … and {len(self) - SHOWN} more" if len(self) > SHOWN else ""
        share = 100 * len(self) / max(1, self.total)
        return (
            f"{len(self)} of {self.total} pictures ({share:.1f} %) cannot be used and are left "
            f"out: {'; '.join(named)}{more}."
        )

    def lines(self) -> list[str]:
        """Each with its reason; the first `KEPT`, and how many more."""
        own = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:KEPT]]
        more = len(self) - KEPT
        return [*own, f"and {more} more pictures"] if more > 0 else own

    def say(self) -> None:
        """Prints the sentence on stderr, where there is one."""
        if self.reasons:
            print(f"{self.source}: {self.words()}", file=sys.stderr)

    def record(self) -> dict[str, Any]:
        """For reports: "pictures" of "of", their "share", and the reasons of the first by name."""
        return {
            "pictures": len(self),
            "of": self.total,
            "share": len(self) / max(1, self.total),
            "named": dict(list(self.reasons.items())[:KEPT]),
        }
