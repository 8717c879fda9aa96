"""What a user is told where something that they gave cannot be used.

Every error of the library is an `InputError`, one line that says what was expected, what came, and
the remedy. Its kinds tell a server whose fault it is:

    kind              what is wrong                                         whose
    OptionError       an option's name or value, a vocabulary, a model set  the caller's
    ExpressionError   what to look for: blank, too long, not text           the caller's
    PictureError      the picture: none, damaged, too large, of other form  the caller's
    WeightsError      a network's files: missing, damaged, another one's    the machine's
    DownloadError     a download: no network, no space, other bytes, off    the machine's
    ResourceError     memory is out, or an optional package is missing      the machine's
    WriteError        a file that cannot be written, or a full disk         the machine's

docs/errors.md has a message of each.

An `InputError` of none of these kinds is about files of `train`: data sets, stores, runs.

>>> import ssc
>>> from ssc.errors import CALLER, PictureError
>>> try:
...     ssc.find(b"no picture", "the man in blue")
... except PictureError as error:
...     print(isinstance(error, CALLER), str(error)[:33])
True image: expected a picture (PNG, J
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input from the user: one line that says what was expected, what came, and the remedy.

    >>> import ssc
    >>> try:
    ...     ssc.load("bsae")
    ... except ssc.InputError as error:
    ...     print(error)
    model set: expected one of mini, pocket, lite, base, paper, got 'bsae'; did you mean base?
    """


class OptionError(InputError):
    """An option that there is not, or a value that it does not take."""


class ExpressionError(InputError):
    """What to look for is blank, too long, no text, or too much at once."""


class PictureError(InputError):
    """A picture that cannot be opened, is too large, or is of another frame than asked for."""


class WeightsError(InputError):
    """A network's files are missing, damaged or another network's."""


class DownloadError(InputError):
    """Weights cannot be brought here."""


class ResourceError(InputError):
    """The machine lacks memory or an optional package."""


class WriteError(InputError, OSError):
    """A file cannot be written; the message has what it needs, what is free, and what to do."""


CALLER = (OptionError, ExpressionError, PictureError)
"""The kinds that are the caller's fault: a web server answers them with 400, others with 500."""


def unknown(what: str, got: object, known: Iterable[str]) -> OptionError:
    """The error for a name that is none of those known, with the one that is nearest to it.

    Args:
        what: the option, for the message.
        got: what came in place of a name.
        known: all names.
    """
    names = list(known)
    near = get_close_matches(str(got).lower(), names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return OptionError(f"{what}: expected one of {', '.join(names)}, got {got!r}{hint}")


def told(error: Exception) -> str:
    """An error in one line; its kind where it is none of ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}".strip(": ")
