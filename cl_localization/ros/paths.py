"""Names of files as users give them to nodes."""

from __future__ import annotations

from pathlib import Path


def at_home(path: str) -> str:
    """Return a path with `~/` at its beginning as the user's home: no shell does that after `map_file:=`, nor for
    services."""
    return str(Path.home() / path[2:]) if path.startswith("~/") else path
