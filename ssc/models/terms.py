"""Terms that whoever fetches weights agrees to first."""

from __future__ import annotations

import sys

from ssc.errors import OptionError

TERMS = {
    "freesolo": (
        "FreeSOLO is under NVIDIA's Source Code License: for research or evaluation only, not for "
        "commercial use (https://github.com/NVlabs/FreeSOLO/blob/main/LICENSE)."
    )
}
"""Part → its terms; all others are free to use."""


def agree(name: str, terms: str, agreed: bool) -> None:
    """Says the terms and, where there is a terminal, asks; raises OptionError where they are not
    agreed to.

    Args:
        name: what they are of.
        agreed: whether they are agreed to already.
    """
    print(f"{name}: {terms}", file=sys.stderr)
    if agreed:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        print("Use them under these terms? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise OptionError(f"{name}: expected the terms to be agreed to; give --yes to agree")
