"""Output files: checked before the work begins, and written atomically."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from cl_localization.errors import DataError


def require_writable(path: Path) -> Path:
    """Return `path`, once its folder is made and a file can be written there; an old file will be replaced.

    Raises:
        DataError: it is a folder, or its folder is not writable.
    """
    from cl_localization.data.atomic import check_output

    if path.is_dir():
        raise DataError(f"output {path}", "must be a file", "a folder", "name a file in it")
    check_output(path, force=True)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise DataError(f"output {path}", "cannot be written", error.strerror, "choose another folder") from error
    return path


def require_folder(folder: Path) -> Path:
    """Return `folder`, created if missing; raises DataError if it cannot be created or written to."""
    require_writable(folder / "output")
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises DataError if it cannot be written; an existing file then stays."""
    from cl_localization.data.atomic import written_file

    with written_file(path, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file atomically; NaN and infinity raise ValueError."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
