"""What a user is told where something that they gave cannot be used."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input from the user: one line that says what was expected, what came, and the remedy."""
