"""NLTK as the noun extractor: the paper's alternative to spaCy (§3.1, Table 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from threading import Lock
from typing import Any

from ssc.cache import Cache
from ssc.errors import DownloadError, ResourceError

DATA = "averaged_perceptron_tagger_eng"
"""NLTK's name of the tagger's data: JSON, 2 MB. No package on PyPI holds them."""

_WORDS = re.compile(r"\w+(?:'\w+)?|[^\w\s]")


class NltkNouns:
    """The first run of words that NLTK's tagger calls nouns (NN, NNS, NNP, NNPS).

    NLTK's averaged perceptron tags words and parses nothing, so the rule is one of order: "man in
    a red shirt" → "man", "coffee cup on the left" → "coffee cup". It corrects nothing, so that
    Table 2 compares the extractors as they are. '' where no word is tagged a noun.

    The tagger is loaded at first use; answers are cached; calls from several threads are safe.

    Raises:
        ResourceError: at first use, where NLTK is not installed.
        DownloadError: at first use, where its data are neither here nor to be had.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._tagger: Any = None
        self._cache: Cache[str] = Cache(4096)

    @staticmethod
    def ready() -> bool:
        """Whether NLTK and its data are here, so that nothing is downloaded."""
        return find_spec("nltk") is not None and _has_data()

    def __call__(self, expression: str) -> str:
        """The key noun of `expression` in lower case, or '' where it has none."""
        return self._cache.get(expression, lambda: self._extract(expression))

    def knowing(self, vocabulary: Sequence[str]) -> NltkNouns:
        """Itself: the tagger knows no vocabulary."""
        return self

    def _extract(self, expression: str) -> str:
        words = _WORDS.findall(expression.lower())
        with self._lock:
            if self._tagger is None:
                self._tagger = _tagger()
            tagged = self._tagger.tag(words)
        for is_noun, run in groupby(tagged, lambda pair: pair[1].startswith("NN")):
            if is_noun:
                return " ".join(word for word, _ in run)
        return ""


def _has_data() -> bool:
    import nltk

    try:
        nltk.data.find(f"taggers/{DATA}/")
    except LookupError:
        return False
    return True


def _tagger() -> Any:
    """NLTK's tagger of English; its data are downloaded where they are not here."""
    try:
        import nltk
    except ImportError as error:
        raise ResourceError(
            "nouns: expected the package nltk, got none; pip install nltk"
        ) from error
    if not _has_data() and not nltk.download(DATA, quiet=True):
        raise DownloadError(
            f"nouns: expected NLTK's data {DATA} in a folder of NLTK_DATA or on the network, "
            f"found neither; on a machine with network: python -m nltk.downloader {DATA}"
        )
    return nltk.PerceptronTagger(lang="eng")
