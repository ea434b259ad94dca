"""A bag of ROS 2 or 1 as topics and messages, read by `rosbags` from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cl_localization.data.bag_messages import header_stamp_ns
from cl_localization.data.cut_mcap import CutMcap, is_cut_mcap, whole_bytes
from cl_localization.data.files import require_file
from cl_localization.errors import DataError

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
METADATA = "metadata.yaml"


def storage_files(path: Path) -> list[Path]:
    """Return the files of a bag in a folder, in the order of their names; the path itself when it is one."""
    if not path.is_dir():
        return [path] if path.suffix in BAG_SUFFIXES and path.is_file() else []
    return sorted(file for file in path.iterdir() if not file.name.startswith(".")
                  and file.name.removesuffix(".zstd").endswith(BAG_SUFFIXES))


class BagFile:
    """A bag that may be read from several threads: each has its own reader.

    Args:
        path: folder of a rosbag2, or one of its files, or a `.bag` of ROS 1.

    Attributes:
        notes: what was amiss but could be read.

    Raises:
        DataError: no bag, damaged, or `rosbags` is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.notes = path, list[str]()
        self._paths = self._found()
        self._readers = threading.local()
        with self._errors():
            self.types = {one.topic: one.msgtype for one in self._reader().connections if one.msgcount}
        if not self.types and any(isinstance(file, CutMcap) for file in self._paths):
            raise DataError(f"bag {path}", "must hold messages", "a cut file without a whole one", "record it again")

    def _found(self) -> list[Path]:
        """Return what is to be read: the folder, or its files where metadata are missing or a file is cut."""
        files = storage_files(self.path)
        for file in files if self.path.is_dir() else [self.path]:
            require_file(file)
        cut = [file for file in files if file.suffix == ".mcap" and is_cut_mcap(file)]
        if self.path.is_dir() and not (self.path / METADATA).is_file():
            self.notes.append(f"{METADATA} is missing in {self.path}: its {len(files)} files are read as they are")
        elif not cut:
            return [self.path]
        for file in cut:
            self.notes.append(f"{file} is cut: its first {whole_bytes(file):,} of {file.stat().st_size:,} bytes are "
                              f"whole and read; `mcap recover {file.name} -o whole.mcap` makes a file that is read "
                              "faster")
        return [CutMcap(file) if file in cut else file for file in files]

    def messages(self, topics: set[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield (topic, log time in nanoseconds, serialized message) of some topics, in order of log time."""
        if not topics:
            return
        with self._errors():
            reader = self._reader()
            for connection, log_ns, data in reader.messages([one for one in reader.connections if one.topic in topics]):
                yield connection.topic, log_ns, data

    def deserialize(self, topic: str, data: bytes) -> Any:
        """Return the message object of serialized data."""
        with self._errors():
            return self._reader().deserialize(data, self.types[topic])

    def header_stamp_ns(self, data: bytes) -> int:
        """Return the stamp of a serialized message that begins with a Header."""
        return header_stamp_ns(data, ros1=not self._reader().is2)

    def first(self, topic: str) -> Any:
        """Return the first message of a topic. Raises DataError where its index promised one and there is none."""
        first = next(self.messages({topic}), None)
        if first is None:
            raise DataError(f"bag {self.path}", f"must have messages of {topic}", "none", _remedy(self._paths))
        return self.deserialize(topic, first[2])

    def read(self, topic: str, key: tuple[int, int]) -> Any:
        """Return the message of a topic with (log time, header stamp) in nanoseconds. Raises DataError for none."""
        with self._errors():
            reader = self._reader()
            connections = [one for one in reader.connections if one.topic == topic]
            for _, _, data in reader.messages(connections, start=key[0], stop=key[0] + 1):
                if self.header_stamp_ns(data) == key[1]:
                    return reader.deserialize(data, self.types[topic])
        raise DataError(f"message of {topic}", "has vanished from the bag", f"stamp {key[1]} ns",
                        "was the bag changed?")

    def _reader(self) -> Any:
        """Return this thread's reader; sqlite's connections may not change threads."""
        if not hasattr(self._readers, "reader"):
            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
            reader = AnyReader(self._paths, default_typestore=get_typestore(Stores.ROS2_KILTED))
            reader.open()
            self._readers.reader = reader
        return self._readers.reader

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn whatever a damaged bag makes `rosbags` raise into one error that names the bag."""
        try:
            yield
        except ImportError as error:
            raise DataError(f"bag {self.path}", "needs the package rosbags", error,
                            "run: pip install rosbags") from None
        except (DataError, GeneratorExit):
            raise
        except Exception as error:
            found = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise DataError(f"bag {self.path}", "cannot be read", found[:300], _remedy(self._paths)) from error


def _remedy(paths: list[Path]) -> str:
    """Return what to do about a bag that cannot be read."""
    files = [file for path in paths for file in storage_files(path)]
    cut = next((file for file in files if isinstance(file, CutMcap)), None)
    if cut is not None:
        return f"{cut.name} is cut: try `mcap recover {cut.name} -o whole.mcap`"
    if any(file.suffix == ".bag" for file in files):
        return "is it complete? try `rosbag reindex`"
    return "is it complete? try `ros2 bag reindex`"
