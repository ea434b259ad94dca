"""What a map's file lacks, copied after keyframes: it can be saved while the worker hangs in the next one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_file import load_map

QUICK_S = 0.01
"""A copy that takes less of the worker's CPU time is made after each keyframe."""

PAUSE_FACTOR = 20
"""After a slower one, the next is made after so many times what it took: all changes are copied until a save succeeds,
and without autosaves or space on the disk that is the whole map."""


class UnsavedChanges:
    """The changes of a map since the version in its file, a copy that the worker makes after keyframes.

    While copies are slow, the newest keyframes may not be in it, see `uncopied_keyframes`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin("", 0)

    def begin(self, map_id: str, base_version: int) -> None:
        """Begin with a map whose file has a version of it; 0: it has none."""
        with self._lock:
            self._map_id, self._base_version = map_id, base_version
            self._delta: MapDelta | None = None
            self._uncopied_versions: list[int] = []
            self._next_copy_s = -float("inf")

    def saved(self, map_id: str, version: int) -> None:
        """Note that the file has a version of a map now; of another than the one in work, it says nothing."""
        with self._lock:
            if map_id != self._map_id:
                return
            self._base_version, self._next_copy_s = version, -float("inf")
            self._uncopied_versions = [uncopied for uncopied in self._uncopied_versions if uncopied > version]
            if self._delta is not None and self._delta.version <= version:
                self._delta = None

    def note(self, map_code: MapCode) -> None:
        """Worker: copy what the file lacks after a new keyframe, unless the last copy was slow and is recent."""
        with self._lock:
            if time.monotonic() < self._next_copy_s:
                self._uncopied_versions.append(map_code.version)
                return
            self._delta = None  # not two copies at a time
            began_s = time.thread_time()
            self._delta = map_code.delta_since(self._base_version)
            self._uncopied_versions.clear()
            took_s = time.thread_time() - began_s
            if took_s > QUICK_S:
                self._next_copy_s = time.monotonic() + PAUSE_FACTOR * took_s

    @property
    def uncopied_keyframes(self) -> int:
        """Number of the newest keyframes that neither the file nor `with_file` has."""
        with self._lock:
            return len(self._uncopied_versions)

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
        map_code.map_id = delta.map_id
        map_code.parent_id, map_code.parent_version = delta.parent_id, delta.parent_version
        map_code.apply(delta)
        return map_code.delta_since(0)
