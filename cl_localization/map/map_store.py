"""Crash-safe storage of a map: at every instant there is a complete map file, even after a kill or on a full disk.

`NAME.safetensors` is the map, `NAME.previous.safetensors` the one saved before it. A map is written to a hidden file
beside them and flushed; the current file is linked to its second name, then the hidden file is renamed. A current file
that is damaged, or belongs to another map or to versions of the parent that the map does not have, is kept under a name
of its own and never overwritten. A previous one is not overwritten as long as the map has warnings that it has not: it
may be the last that is right.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cl_localization.config import MapCodeConfig
from cl_localization.data.atomic import sync_folder
from cl_localization.errors import DamagedMapError, MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_file import load_map, read_map_info, require_map_file, write_snapshot

ID_CHARACTERS = 8


class MapStore:
    """The files of one map.

    Attributes:
        path, previous: the map, and the one saved before it, or the last without the warnings of those since.
    """

    def __init__(self, path: str | Path) -> None:
        """Resolve the path, and create its folder if possible; if not, saving fails later."""
        self.path = Path(os.path.realpath(path))
        self.previous = self._beside("previous")
        self._partial = self.path.with_name(f".{self.path.name}.partial")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def _beside(self, tag: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{tag}{self.path.suffix}")

    def load(self, encoder: str, config: MapCodeConfig) -> tuple[MapCode | None, str]:
        """Return the map, else the previous one, else None; and a warning, empty if there was no problem.

        A damaged file is renamed.

        Raises:
            MapError: a complete file that cannot be used: made with another encoder or version, or no map.
        """
        problems = []
        for path in (self.path, self.previous):
            if not os.path.lexists(path):
                continue
            try:
                map_code = load_map(path, encoder, config)
            except DamagedMapError as error:
                problems.append(f"{error}; kept as {_moved(path, self._unused('damaged'))}")
                continue
            if path == self.path:
                return map_code, ""
            return map_code, f"{'; '.join(problems) or f'map {self.path} is missing'}; resuming from {path}"
        return None, f"{'; '.join(problems)}; starting a new map" if problems else ""

    def check(self) -> None:
        """Raise MapError for what is in place of the map or the previous one and was never a map."""
        for path in (self.path, self.previous):
            if os.path.lexists(path):
                require_map_file(path)

    def save(self, snapshot: MapDelta) -> int:
        """Write a snapshot of a map and return its size in bytes.

        Raises:
            MapError: it cannot be written, or would replace what is no map; existing files are unchanged.
        """
        self.check()
        try:
            with _sole_writer(self._partial) as stream:
                size = write_snapshot(snapshot, stream)
                stream.flush()
                os.fsync(stream.fileno())
                self._keep_current(snapshot)
                os.replace(self._partial, self.path)
        except OSError as error:
            raise MapError(f"map {self.path}", "must be writable", error.strerror or str(error),
                           "the last saved map is unchanged; check disk space and permissions or choose another path"
                           ) from error
        sync_folder(self.path.parent)
        return size

    def _keep_current(self, successor: MapDelta) -> None:
        """Link the current file to a second name, so that it is not overwritten."""
        if not os.path.lexists(self.path):
            return
        try:
            current = read_map_info(self.path)
        except MapError:
            _link(self.path, self._unused("damaged"))
            return
        if not _went_into(current, successor):
            other = self._beside("".join(filter(str.isalnum, str(current["map_id"])))[:ID_CHARACTERS] or "other")
            _link(self.path, other)
            with suppress(FileNotFoundError):
                os.replace(self.previous, other.with_stem(f"{other.stem}.previous"))
        elif not self._is_previous_better(current, successor):
            _link(self.path, self.previous)

    def _is_previous_better(self, current: dict[str, Any], successor: MapDelta) -> bool:
        """Return whether the previous file lacks warnings that the current one has, or its successor of the same
        session: what the successor is warned of may be wrong in the current file already, but not known yet."""
        try:
            kept = _warnings(read_map_info(self.previous).get("health"))
        except MapError:
            return False
        is_one_session = current["map_id"] == successor.map_id
        found = _warnings(current.get("health")) | (_warnings(successor.health) if is_one_session else set())
        return not found <= kept

    def _unused(self, tag: str) -> Path:
        """Return an unused file name with a tag and number."""
        number = 1
        while os.path.lexists(self._beside(f"{tag}-{number}")):
            number += 1
        return self._beside(f"{tag}-{number}")


def _went_into(current: dict[str, Any], successor: MapDelta) -> bool:
    """Return whether a map has all that a file has: it is the same, or was forked from this version or a later one."""
    if current["map_id"] == successor.map_id:
        return True
    version = current["version"]
    return (current["map_id"] == successor.parent_id and isinstance(version, int)
            and version <= successor.parent_version)


def _warnings(health: Any) -> set[str]:
    """Return the warnings in the health of a map without their numbers, which differ from save to save."""
    warnings = health.get("warnings") if isinstance(health, dict) else None
    return {re.sub(r"\d[\d.e+-]*", "#", str(one)) for one in warnings} if isinstance(warnings, (list, tuple)) else set()


def _moved(path: Path, target: Path) -> Path:
    """Rename a file if possible and return its name; anything but a file is not renamed."""
    if not path.is_file():
        return path
    try:
        os.rename(path, target)
    except OSError:
        return path
    return target


def _link(path: Path, target: Path) -> None:
    """Hard-link `path` to `target`; on file systems without hard links, rename it."""
    link = target.with_name(f".{target.name}.link")
    with suppress(FileNotFoundError):
        link.unlink()
    try:
        os.link(path, link)
    except OSError:
        os.replace(path, target)
        return
    os.replace(link, target)
    with suppress(FileNotFoundError):
        link.unlink()  # os.replace does nothing if both are links to the same file


@contextmanager
def _sole_writer(path: Path) -> Iterator[BinaryIO]:
    """Yield an empty file locked for this process; it is removed on errors, and remains after a kill.

    Raises:
        OSError: it cannot be written, or another process is writing it.
    """
    stream = _locked(path)
    try:
        stream.truncate(0)
        yield stream
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        with suppress(OSError):
            stream.close()


def _locked(path: Path) -> BinaryIO:
    """Open and lock a file; repeated if it was renamed in between."""
    while True:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise OSError(errno.EBUSY, "another process is saving to it") from error
        except OSError:
            pass  # a file system without locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()
