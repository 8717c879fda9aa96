"""Where a checkpoint is: a folder, kept beside the other weights, or a repository on the Hub."""

from __future__ import annotations

import re
from pathlib import Path

from ssc.errors import DownloadError, OptionError
from ssc.weights.downloads import downloads_are_off


def kept_folder(name: str = "") -> Path:
    """Where a checkpoint of that name is kept, or all of them are; it need not be there.

    Raises:
        OptionError: no name of a file.
    """
    from huggingface_hub import constants

    if name and not re.fullmatch(r"\w[\w.+-]*", name):
        raise OptionError(f"expected a name of letters, digits, _ . + and -, got {name!r}")
    return Path(constants.HF_HUB_CACHE) / "ssc" / "stage3" / name


def kept() -> list[str]:
    """Names of the checkpoints that are kept: the authors' first, as they were made for."""
    names = sorted(path.parent.name for path in kept_folder().glob("[!.]*/config.json"))
    return sorted(names, key=lambda name: not name.startswith("ssc-"))


def find_checkpoint(name: str) -> Path:
    """The folder of a checkpoint, given by its path, by the name that it is kept under, or by its
    id on the Hub, which is downloaded; where downloads are off, it has to be in the Hub's cache
    already.

    Raises:
        OptionError: the name is of no folder, and cannot be an id.
        DownloadError: the Hub does not give it.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name in kept():
        return kept_folder(name)
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise OptionError(f"{name}: expected the folder of a checkpoint or its id on the Hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.json", "*.safetensors", "*.txt"]  # weights and words; nothing that is run
    off = downloads_are_off()
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=off))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        if off:
            reason = "downloads are switched off on this machine (SSC_NO_DOWNLOADS is set)"
        raise DownloadError(
            f"{name}: expected the folder of a checkpoint or its id on the Hub; there is no such "
            f"folder, and {'' if off else 'the Hub says: '}{reason}"
        ) from error
