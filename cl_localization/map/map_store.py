"""A map's place on disk, such that at every instant a whole good map is there, whatever ends the process or fills the
disk.

`NAME.safetensors` is the map, `NAME.previous.safetensors` the one saved before it. A map is written to a hidden file
beside them, flushed, and renamed after the one in place got its second name. What is in place and is no predecessor of
what is saved, because it is damaged or another map, is set aside under a name of its own and never overwritten.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cl_localization.config import MapCodeConfig
from cl_localization.data.atomic import sync_folder
from cl_localization.errors import DamagedMapError, MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta
from cl_localization.map.map_file import load_map, read_map_info, write_snapshot

ID_CHARACTERS = 8


class MapStore:
    """The files of one map.

    Attributes:
        path, previous: the map, and the one saved before it.
    """

    def __init__(self, path: str | Path) -> None:
        """Name the files; links are followed, and the folder is made if it can be: without it, saving fails later."""
        self.path = Path(os.path.realpath(path))
        self.previous = self._beside("previous")
        self._partial = self.path.with_name(f".{self.path.name}.partial")
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def _beside(self, tag: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{tag}{self.path.suffix}")

    def load(self, encoder: str, config: MapCodeConfig) -> tuple[MapCode | None, str]:
        """Return the map, else the one before it, else None, with a warning unless all was well or there never was a
        map.

        A damaged file is set aside.

        Raises:
            MapError: a file that is whole but cannot be used: made by another encoder or version, or no map.
        """
        problems = []
        for path in (self.path, self.previous):
            if not os.path.lexists(path):
                continue
            try:
                map_code = load_map(path, encoder, config)
            except DamagedMapError as error:
                problems.append(f"{error}; kept as {_moved(path, self._free('damaged'))}")
                continue
            if path == self.path:
                return map_code, ""
            return map_code, f"{'; '.join(problems) or f'map {self.path} is missing'}; going on from {path}"
        return None, f"{'; '.join(problems)}; beginning a new map" if problems else ""

    def save(self, snapshot: MapDelta, extra: dict[str, Any] | None = None) -> int:
        """Write a snapshot of a map and return its size in bytes; see `save_map` for `extra`.

        Raises:
            MapError: it cannot be written; what was there is still there.
        """
        # a folder or device must never be set aside for a map
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise MapError(f"map {self.path}", "must be a file", "a folder or device", "name a file to save to")
        try:
            with _sole_writer(self._partial) as stream:
                size = write_snapshot(snapshot, stream, extra)
                stream.flush()
                os.fsync(stream.fileno())
                self._keep_current(snapshot)
                os.replace(self._partial, self.path)
        except OSError as error:
            raise MapError(f"map {self.path}", "must be writable", error.strerror or str(error),
                           "what was saved before is still there; check disk space and permissions or choose another "
                           "place") from error
        sync_folder(self.path.parent)
        return size

    def _keep_current(self, successor: MapDelta) -> None:
        """Give the file in place another name too, so that it outlives the one that comes into its place."""
        if not os.path.lexists(self.path):
            return
        try:
            map_id = read_map_info(self.path)["map_id"]
        except MapError:
            _also_named(self.path, self._free("damaged"))
            return
        if map_id in (successor.map_id, successor.parent_id):
            _also_named(self.path, self.previous)
        else:
            _also_named(self.path, self._beside("".join(filter(str.isalnum, str(map_id)))[:ID_CHARACTERS] or "other"))

    def _free(self, tag: str) -> Path:
        """Return a name with a number that no file has yet."""
        number = 1
        while os.path.lexists(self._beside(f"{tag}-{number}")):
            number += 1
        return self._beside(f"{tag}-{number}")


def _moved(path: Path, target: Path) -> Path:
    """Rename a file where that is allowed; return the name it has then. Anything but a file stays where it is."""
    if not path.is_file():
        return path
    try:
        os.rename(path, target)
    except OSError:
        return path
    return target


def _also_named(path: Path, target: Path) -> None:
    """Have `target` be the file `path`, which keeps its name where the file system knows hard links, and loses it
    elsewhere."""
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
        link.unlink()  # renaming between two names of one file does nothing


@contextmanager
def _sole_writer(path: Path) -> Iterator[BinaryIO]:
    """Give an empty file to write that no other process writes; it is removed when that fails. A kill leaves at most
    this one.

    Raises:
        OSError: it cannot be written, or another process does.
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
    """Open a file and lock it; again if it was renamed between the two."""
    while True:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise OSError(errno.EBUSY, "another process saves to it at this moment") from error
        except OSError:
            pass  # a file system without locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()
