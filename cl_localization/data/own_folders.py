"""Folders that this package writes, known by the names in them, so that nothing else is ever replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LAYOUTS = {
    "bag": ("metadata.yaml", r"FOLDER\.(mcap|db3)"),
    "7scenes": ("stamps.txt", r"camera\.yaml|frame-\d+\.(color\.png|depth\.png|pose\.txt)"),
    "tum": ("camera.yaml", r"(rgb|depth|groundtruth)\.txt|(rgb|depth)/-?\d+\.\d+\.png"),
    "tum of a map": ("groundtruth.txt", ""),
    "transforms": ("transforms.json", r"(images|depth)/\d+\.png"),
    "colmap": ("sparse/0/cameras.txt", r"sparse/0/(images|points3D)\.txt|images/\d+\.png"),
}
"""A file that is always there, and the pattern of all others by their path in the folder; FOLDER is its name."""


def foreign_file(folder: Path) -> Path | None:
    """Return a file of a folder that keeps it from being an earlier result of ours; None if it is one, or empty."""
    for mark, pattern in LAYOUTS.values():
        if (folder / mark).is_file():
            ours = re.compile(f"{re.escape(mark)}|{pattern.replace('FOLDER', re.escape(folder.resolve().name))}")
            return next((file for file in _files(folder) if not ours.fullmatch(str(file.relative_to(folder)))), None)
    return next(_files(folder), None)


def _files(folder: Path) -> Iterator[Path]:
    """Yield everything in a folder and below that is no folder itself."""
    return (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
