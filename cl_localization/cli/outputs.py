"""Output files: found unwritable before the work begins, and written whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from cl_localization.errors import DataError


def require_writable(path: Path, force: bool = True) -> Path:
    """Return `path` if a file can be made there, by making one; the folder above it is made if it is missing.

    Args:
        force: whether a file that is there already may be replaced.

    Raises:
        DataError: it is a folder, is there without `force`, or nothing can be written beside it.
    """
    from cl_localization.data.atomic import check_output

    if path.is_dir():
        raise DataError(f"output {path}", "must be a file", "a folder", "name a file in it")
    check_output(path, force)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror, "choose another folder") from error
    return path


def require_folder(folder: Path) -> Path:
    """Return `folder`, made with its parents if it is missing.

    Raises:
        DataError: it cannot be made or nothing can be written in it.
    """
    require_writable(folder / "output")
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises DataError if it cannot be written; what was there is untouched."""
    from cl_localization.data.atomic import written_file

    with written_file(path, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON as `write_text` does. NaN and infinity, which JSON lacks, raise ValueError."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
