"""Names of files as users give them to nodes."""

from __future__ import annotations

from pathlib import Path

from cl_localization.errors import MapError


def at_home(path: str) -> str:
    """Return a path with `~/` at its beginning as the user's home: no shell does that after `map_file:=`, nor for
    services."""
    return str(Path.home() / path[2:]) if path.startswith("~/") else path


def requested(path: str) -> str:
    """Return the path of the map that a service is to load, with the user's home as in `at_home`.

    Raises:
        MapError: none was given.
    """
    if not path:
        raise MapError("path of the map", "must be given", repr(path), "set path")
    return at_home(path)
