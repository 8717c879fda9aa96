"""Pictures in another tool's form, or a folder, as a ZIP."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from ssc.errors import InputError
from ssc.writing import write_whole, written
from train.export.formats import FORMATS
from train.export.items import Page, Pages

SPLIT = "train"
LEFT_OUT = "left_out.txt"


def zip_pages(pages: Iterable[Page], form: str, folder: Path) -> Path:
    """The pictures in a form, as a ZIP; it and what is in it are written in `folder`.

    What is left out is named in the ZIP's `LEFT_OUT`.

    Args:
        form: key of `FORMATS`.

    Raises:
        InputError: no such form, or there is nothing to export.
    """
    if form not in FORMATS:
        raise InputError(f"export: expected one of {', '.join(FORMATS)}, got {form!r}")
    lines = FORMATS[form](pages, folder / form, SPLIT)
    lines += pages.left_out.lines() if isinstance(pages, Pages) else []
    if not any((folder / form).rglob("*.png")):
        raise InputError("export: expected masks, got none")
    if lines:
        write_whole(folder / form / LEFT_OUT, "".join(f"{line}\n" for line in lines).encode())
    return zip_folder(folder / form, folder / f"{form}.zip")


def zip_folder(folder: Path, archive: Path) -> Path:
    """All files of a folder as a ZIP; their names begin with the folder's."""
    with written(archive) as beside, ZipFile(beside, "w", ZIP_STORED) as packed:
        for file in sorted(folder.rglob("*")):  # pictures, which are compressed already
            if file.is_file():
                packed.write(file, file.relative_to(folder.parent))
    return archive
