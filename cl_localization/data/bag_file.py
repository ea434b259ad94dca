"""A bag as topics and messages, read by `rosbags` from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cl_localization.data.bag_messages import header_stamp_ns
from cl_localization.errors import DataError


class BagFile:
    """A bag that may be read from several threads: each has its own reader.

    Args:
        path: folder of a rosbag2, or one of its files.

    Raises:
        DataError: no bag, damaged, or `rosbags` is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = threading.local()
        with self._errors():
            self.types = {one.topic: one.msgtype for one in self._reader().connections if one.msgcount}

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

    def first(self, topic: str) -> Any:
        """Return the first message of a topic."""
        return self.deserialize(topic, next(self.messages({topic}))[2])

    def read(self, topic: str, key: tuple[int, int]) -> Any | None:
        """Return the message of a topic with (log time, header stamp) in nanoseconds; None if there is none."""
        with self._errors():
            reader = self._reader()
            connections = [one for one in reader.connections if one.topic == topic]
            for _, _, data in reader.messages(connections, start=key[0], stop=key[0] + 1):
                if header_stamp_ns(data) == key[1]:
                    return reader.deserialize(data, self.types[topic])
        return None

    def _reader(self) -> Any:
        """Return this thread's reader; sqlite's connections may not change threads."""
        if not hasattr(self._readers, "reader"):
            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
            reader = AnyReader([self.path], default_typestore=get_typestore(Stores.ROS2_KILTED))
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
            raise DataError(f"bag {self.path}", "cannot be read", found[:300],
                            "is it complete? try `ros2 bag reindex`") from error
