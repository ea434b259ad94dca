"""Saves the map during mapping: the worker copies it, which takes milliseconds, and a thread writes the copy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from cl_localization.config import MapCodeConfig
from cl_localization.errors import LocalizationError, MapError, RosError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_store import MapStore
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.msg import MappingStatus
from cl_localization.ros.mapping.unsaved_changes import UnsavedChanges
from cl_localization.ros.paths import at_home
from cl_localization.ros.workers.worker import Worker
from cl_localization.srv import SaveMap

TICKS = 8
"""Number of checks per period."""

FORGETTING = 0.5
"""Weight of a save that was faster than expected, in the average of the expected duration."""

END_S = 1.0
LAST_SAVE_S = 10.0
BYTES_PER_MB = 1_000_000


class MapSaver:
    """Saves a mapper's map on request and periodically.

    Memory holds at most two copies: one that is being saved, of the whole map, and one of what map_file lacks, which is
    the whole map until a save succeeds.

    Attributes:
        problem: why the last save to map_file failed; empty if it succeeded.
        saved_id: map_id of the map in work.
        saved_version: version of it that map_file has, or with which it began.
        schedule: when to call `autosave`.
    """

    def __init__(self, map_file: str, every_keyframes: int, copy: Callable[[bool], Future],
                 report: Callable[[Exception], None], begin: Callable[[], None] = lambda: None,
                 period_s: float = 0.0, tell: Callable[[str], object] = lambda text: None) -> None:
        """Start the thread.

        Args:
            map_file: file for automatic saves, and for requests without a path; empty for none.
            every_keyframes: save after this many new keyframes; 0: off.
            copy: runs in the mapper's worker, returns a snapshot `MapDelta`; with True it refines the map first.
            report: gets errors of automatic saves.
            begin: called once in the thread, before all work.
            period_s: longest mapping time that is lost if the process is killed; 0: no periodic saves.
            tell: gets a line about each save.

        Raises:
            MapError: map_file is something else than a map.
        """
        self.schedule = SaveSchedule(period_s)
        self.problem, self.saved_version, self.saved_id = "", 0, ""
        self._store = MapStore(map_file) if map_file else None
        if self._store:
            self._store.check()
        self._every_keyframes, self._copy, self._report, self._tell = every_keyframes, copy, report, tell
        self._learned = self._learned_at_copy = self._saved_learned = self._tried_learned = 0
        self._lock, self._save_lock = threading.Lock(), threading.Lock()
        self._unsaved = UnsavedChanges()
        self._loaded: MapCode | None = None
        self._writer: Worker[None] = Worker(lambda _: self._write_own(), self._failed, "map saver", begin=begin)

    def close(self) -> bool:
        """Finish the current save; return whether it finished in time."""
        return self._writer.stop(END_S)

    @property
    def unsaved_keyframes(self) -> int:
        """Number of keyframes since the last save to map_file, or since the start."""
        return self._learned - self._saved_learned

    def fill_status(self, status: MappingStatus) -> None:
        """Fill in what a status says of the file."""
        status.saved_version, status.unsaved_keyframes = int(self.saved_version), self.unsaved_keyframes
        status.save_error = self.problem

    def load(self, encoder: str, config: MapCodeConfig) -> tuple[MapCode | None, str]:
        """Return the map to resume, or None, and what is wrong with its file; see `MapStore.load`."""
        found, problem = self._store.load(encoder, config) if self._store else (None, "")
        self._loaded = None if problem else found
        return found, problem

    def use_map(self, map_code: MapCode, problem: str = "") -> None:
        """Worker: save this map from now on, once it has changed; `problem` is shown until then."""
        with self._lock:
            self.saved_id, self.saved_version, self.problem = map_code.map_id, map_code.version, problem
            self._saved_learned = self._tried_learned = self._learned
        self._unsaved.begin(map_code.map_id, map_code.version if map_code is self._loaded else 0)
        self._loaded = None
        if problem:
            self._report(MapError("map_file", "must be intact", problem))

    def observe(self, result: MappingResult | None, map_code: MapCode) -> None:
        """Worker: count keyframes, and save after `every_keyframes`."""
        if self._store and result is not None and result.is_keyframe:
            self._unsaved.note(map_code)
        self._learned += result is not None and result.is_keyframe
        if self._every_keyframes and self._learned - self._tried_learned >= self._every_keyframes:
            self.autosave(map_code)

    def note_copy(self) -> None:
        """Worker: note that the requested copy was just made."""
        self._learned_at_copy = self._learned
        self.schedule.note_copy()

    def autosave_when_due(self, map_code: MapCode) -> None:
        """Save to map_file if it is set, the map has changed, and a save is due."""
        if self.schedule.is_due:
            self.autosave(map_code)

    def autosave(self, map_code: MapCode) -> None:
        """Save to map_file if it is set and the map has changed; errors are reported, and the next save tries again."""
        if self._store and not self._has(map_code):
            self._tried_learned = self._learned
            self.schedule.note_copy()  # not due again; the worker notes the actual time of the copy
            self._writer.offer(None)

    def _has(self, map_code: MapCode) -> bool:
        """Return whether map_file holds this version of the map."""
        with self._lock:
            return (self.saved_id, self.saved_version) == (map_code.map_id, map_code.version)

    def serve(self, request: SaveMap.Request, response: SaveMap.Response) -> Future:
        """Save the refined map to the request's path or map_file, and fill in the response; may fail with MapError."""
        return self._writer.run(lambda: self._answer(request, response))

    def _answer(self, request: SaveMap.Request, response: SaveMap.Response) -> None:
        store = MapStore(at_home(request.path)) if request.path else self._store
        if store is None:
            raise MapError("path of the map", "must be given", repr(request.path),
                           "set path, or the parameter map_file")
        response.bytes = self._write(store, refine=True)
        response.path = str(store.path)

    def save_last(self, map_code: MapCode | None) -> bool:
        """Save a changed map to map_file and wait for it; call after the worker has ended. Return whether all is saved.

        Args:
            map_code: the map; None if the worker hangs: then the map as of the last keyframe is saved.
        """
        if self._store is None or (map_code is not None and self._has(map_code)):
            return True
        self.note_copy()
        store = self._store
        try:
            if map_code is None:
                self._save_unfinished(store)
                return False
            self._writer.run(lambda: self._saved(store, map_code.delta_since(0))).result(LAST_SAVE_S)
        except (LocalizationError, TimeoutError) as error:
            self._failed(error)
            return False
        return True

    def _save_unfinished(self, store: MapStore) -> None:
        """Save the map without the image in work. Not in the writer, which may wait for a copy from the worker."""
        snapshot = self._unsaved.with_file(store.path)
        if snapshot is not None:
            self._saved(store, snapshot)
        lost = self._unsaved.uncopied_keyframes
        self._report(MapError("the image in work", "was not mapped in time and is lost",
                              remedy=f"{store.path} has all keyframes before it" + (f" but the last {lost}" if lost
                                                                                    else "")))

    def _write_own(self) -> None:
        """Writer: save to map_file a copy made now."""
        if self._store is not None:
            self._write(self._store)

    def _write(self, store: MapStore, refine: bool = False) -> int:
        """Writer: copy the map now and save it."""
        began_s = time.monotonic()
        size = self._saved(store, self._copy(refine).result())
        self.schedule.note_save(time.monotonic() - began_s)
        return size

    def _saved(self, store: MapStore, snapshot: MapDelta) -> int:
        learned = self._learned_at_copy
        try:
            with self._save_lock:
                size = store.save(snapshot)
        except MapError as error:
            if self._is_own(store):
                self.problem = str(error)
            raise
        if self._is_own(store):
            self._note_saved(snapshot, learned)
        self._tell(f"saved {store.path}: {len(snapshot.keyframe_ids)} keyframes, {len(snapshot.ids)} codes, "
                   f"{size / BYTES_PER_MB:.1f} MB")
        return size

    def _note_saved(self, snapshot: MapDelta, learned: int) -> None:
        """Note what map_file has now; the save of a map that was replaced meanwhile says nothing of the one in work."""
        with self._lock:
            self.problem = ""
            if snapshot.map_id == self.saved_id:
                self.saved_version, self._saved_learned = snapshot.version, learned
        self._unsaved.saved(snapshot.map_id, snapshot.version)

    def _is_own(self, store: MapStore) -> bool:
        return self._store is not None and store.path == self._store.path

    def _failed(self, error: Exception) -> None:
        """Report a failed automatic save."""
        if isinstance(error, RosError):
            return  # the worker has ended; `save_last` saves
        if not isinstance(error, LocalizationError):
            self.problem = f"saving failed: {error!r}"
        self._report(error)


class SaveSchedule:
    """Schedules saves so that each ends within a period after the copy for the previous save was made.

    A killed mapper loses all keyframes since the copy of the last complete save. Saves that take more than half a
    period follow each other without a pause.
    """

    def __init__(self, period_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Save every `period_s` seconds; 0: never."""
        self.period_s, self._now_s = period_s, now_s
        self._copied_s, self._expected_s = -float("inf"), 0.0

    @property
    def tick_s(self) -> float:
        """Period of calls to `is_due`, in seconds."""
        return max(self.period_s / TICKS, 0.01)

    @property
    def is_due(self) -> bool:
        """Whether to start a save now."""
        return bool(self.period_s) and self._now_s() + self._expected_s + self.tick_s >= self._copied_s + self.period_s

    def note_copy(self) -> None:
        """Note that a copy of the map to save was just made."""
        self._copied_s = self._now_s()

    def note_save(self, took_s: float) -> None:
        """Note the duration of a save, including the wait for its copy."""
        self._expected_s = max(took_s, FORGETTING * (took_s + self._expected_s))
