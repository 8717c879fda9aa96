"""What the workbench gives away: a store with its reviews, in another tool's form, as a ZIP."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from ssc.errors import InputError
from train.export.formats import FORMATS
from train.export.items import pages_of
from train.review.opened import Opened

SPLIT = "train"


def zip_export(opened: Opened, form: str, alone: bool, folder: Path) -> Path:
    """The ZIP, written in `folder`.

    Args:
        form: key of `FORMATS`.
        alone: what people decided alone, without the rest of S2.

    Raises:
        InputError: no such form, or there is nothing to export.
    """
    if form not in FORMATS:
        raise InputError(f"export: expected one of {', '.join(FORMATS)}, got {form!r}")
    FORMATS[form](pages_of(opened, alone), folder / form, SPLIT)
    files = [file for file in sorted((folder / form).rglob("*")) if file.is_file()]
    if not any(file.suffix == ".png" for file in files):
        raise InputError("export: nothing is decided yet")
    archive = folder / f"{form}.zip"
    with ZipFile(archive, "w", ZIP_STORED) as packed:  # PNGs are compressed already
        for file in files:
            packed.write(file, file.relative_to(folder))
    return archive
