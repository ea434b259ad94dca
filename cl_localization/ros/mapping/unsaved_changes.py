"""What a map's file lacks, as of the last keyframe: it can be saved while the worker hangs in the next one."""

from __future__ import annotations

import threading
from pathlib import Path

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_file import load_map


class UnsavedChanges:
    """The changes of a map since the version in its file, a copy that the worker makes after each keyframe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._base_version = 0
        self._delta: MapDelta | None = None

    def begin(self, base_version: int) -> None:
        """Begin with a map whose file has a version of it; 0: it has none."""
        with self._lock:
            self._base_version, self._delta = base_version, None

    def saved(self, version: int) -> None:
        """Note that the file has a version now."""
        with self._lock:
            self._base_version = version
            if self._delta is not None and self._delta.version <= version:
                self._delta = None

    def note(self, map_code: MapCode) -> None:
        """Worker: copy what the file lacks."""
        with self._lock:
            self._delta = map_code.delta_since(self._base_version)

    def with_file(self, path: Path) -> MapDelta | None:
        """Return a snapshot of the map with these changes; None if the file has all of them.

        Raises:
            MapError: the file cannot be read, or holds another map.
        """
        with self._lock:
            delta = self._delta
        if delta is None or delta.base_version == 0:
            return delta
        map_code = load_map(path, delta.encoder, MapCodeConfig())
        if map_code.map_id not in (delta.map_id, delta.parent_id):
            raise MapError(f"map {path}", f"must be the one in work, {delta.map_id}", map_code.map_id)
        map_code.map_id, map_code.parent_id = delta.map_id, delta.parent_id
        map_code.apply(delta)
        return map_code.delta_since(0)
