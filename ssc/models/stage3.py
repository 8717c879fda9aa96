"""Checkpoints of stage 3 that are kept beside the other weights: the authors', and one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssc.errors import DownloadError, OptionError, ResourceError, WeightsError
from ssc.models.parts import WEIGHTS
from ssc.models.terms import agree
from ssc.weights.checkpoints import kept_folder
from ssc.weights.downloads import check_allowed, check_free, download

AUTHORS = {
    "ssc-refcoco": "1ZDXktKvNdai-2IPqhzeu5gC9Y1oKilsW",
    "ssc-refcoco+": "1vQX2q11C2YK3OQMYFYiCIzzsrUYE5744",
    "ssc-refcocog-umd": "1YB_dDMhpTL541BobN-jKd1ie6enKNHY_",
    "ssc-refcocog-google": "1ASvev63wODZLQ4xxg7v6z4lebW2opV_G",
}
"""The published checkpoints of the paper, by what they were trained on → file of Google Drive."""
LICENCE = (
    "The authors publish these weights on Google Drive and state no licence for them; the "
    "repository that they belong to is under GPL-3.0."
)
WORDS = "bert-words"
"""The part with BERT's vocabulary, which a checkpoint carries."""
NEEDED = 3 << 30  # bytes: a checkpoint with its optimizer, and what is made of it
TRIES = 5
TIMEOUT = 20.0  # seconds without an answer


def fetch(name: str, agreed: bool) -> Path:
    """Brings a published checkpoint, converted, to where `find_checkpoint` knows it by its name.

    A download that was cut off goes on where it stopped; a checkpoint is in its place only whole.

    Args:
        name: a key of `AUTHORS`.
        agreed: whether its licence is agreed to; else it is asked for, where there is a terminal.

    Raises:
        OptionError: it is not agreed to.
        ResourceError: gdown is not installed.
        DownloadError: downloads are off, no network, no space, or another file than expected.
    """
    folder = kept_folder(name)
    if folder.is_dir():
        return folder
    check_allowed(name)
    agree(name, LICENCE, agreed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    check_free(folder.parent, NEEDED)
    from huggingface_hub.utils import WeakFileLock

    with WeakFileLock(folder.with_name(f"{name}.lock")):
        source = folder.with_name(f"{name}.pth")
        if not folder.is_dir():
            _from_drive(AUTHORS[name], source)
            try:
                add(source, name)
            except WeightsError:
                source.unlink()  # it is not the file: lest the next try takes it as whole
                raise
            source.unlink()
    return folder


def add(source: Path, name: str) -> Path:
    """Keeps a checkpoint of the authors' form, converted, under a name.

    Args:
        source: a .pth; see `ssc.correct.authors.from_authors`.
        name: for `--correct`.

    Raises:
        OptionError: another one has the name.
        InputError: not such a file.
        DownloadError: BERT's vocabulary is not here and cannot be fetched.
    """
    import os
    import shutil

    from ssc.correct.authors import from_authors

    folder = kept_folder(name)
    if folder.exists():
        raise OptionError(
            f"{name}: expected another name, as {folder} is there; rename the file, or remove that"
        )
    download(WEIGHTS[WORDS])
    beside = folder.with_name(f".{name}.incomplete")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        from_authors(source, beside, _tokenizer(WEIGHTS[WORDS][0].path))
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _from_drive(number: str, target: Path) -> None:
    """Downloads a file of Google Drive, beyond its question about large files."""
    try:
        import gdown
        from gdown.exceptions import DownloadError as Failed
        from gdown.exceptions import FileURLRetrievalError as Refused
    except ImportError as error:
        raise ResourceError(
            "Google Drive: expected gdown to fetch the file, found none; run pip install gdown, "
            "then this again"
        ) from error
    options: dict[str, Any] = {"resume": True, "use_cookies": False, "quiet": True}
    try:
        gdown.download(id=number, output=str(target), timeout=TIMEOUT, retries=TRIES, **options)
    except (Failed, Refused, OSError) as error:  # requests' errors are of OSError
        reason = " ".join(str(error).split())[:200]
        raise DownloadError(
            f"https://drive.google.com/uc?id={number}: expected the file, got: {reason}; run this "
            "again, it goes on where it stopped. Or open that address in a browser, save the file, "
            "and run python -m ssc models --add FILE.pth"
        ) from error


def _tokenizer(path: Path) -> Any:
    """BERT's, lower case, from the words of its vocabulary, one a line."""
    from transformers import BertTokenizer

    words: Sequence[str] = path.read_text(encoding="utf-8").splitlines()
    return BertTokenizer(vocab={word: number for number, word in enumerate(words)})
