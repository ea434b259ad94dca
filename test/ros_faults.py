"""Faults on purpose: a relay that spoils a topic, a clock that jumps, processes that starve or freeze others, a disk
that is full.

For a full disk: `with small_disk(tmp_path / "disk", 1_000_000) as folder:` mounts a tmpfs of that many bytes; the test
is skipped with a reason where mounting is not allowed. `fill(folder)` leaves not one byte free, `fill(folder,
keep=1000)` about that many. Node processes are killed, frozen and started again by `ros_processes.Processes`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cl_localization.data.stamps import NS_PER_S

FILL_BLOCK_BYTES = 65536


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of its own with this much room, mounted at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)],
                             capture_output=True, text=True,
                             check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, keep: int = 0) -> Path:
    """Fill a small disk with a file, but for about `keep` bytes; return the file, to be removed when there is room
    again."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(FILL_BLOCK_BYTES))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - keep))
    return path


@contextmanager
def starved_cpu(processes: int = os.cpu_count() or 1) -> Iterator[None]:
    """Processes that do nothing but compute."""
    busy = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@dataclass
class Spoil:
    """What a relay does to messages, as shares of them; change it while the relay runs.

    Attributes:
        drop: lost. duplicate: sent twice. corrupt: sent after `Relay.corrupt` has changed them.
        delay: held back until so many later ones have gone: they arrive late, in another order.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0
    delay_messages: int = 3


class Relay:
    """Hears a topic and sends it on under another name, spoiling it by the seed. Make one a topic and remap the nodes.

    With a `history`, as of a topic that is transient local, who subscribes gets the last messages again, spoiled anew.
    """

    def __init__(self, node: Any, message_type: type, heard: str, sent: str, qos: Any = 10, seed: int = 0,
                 corrupt: Callable[[Any, np.random.Generator], Any] | None = None, history: int = 0) -> None:
        """Relay `heard` to `sent` on `node`; `corrupt` returns a changed copy of a message."""
        from rclpy.event_handler import PublisherEventCallbacks

        self.spoil, self.passed, self.dropped = Spoil(), 0, 0
        self._random, self._corrupt, self._held = np.random.default_rng(seed), corrupt, []
        self._history: deque[Any] = deque(maxlen=history)
        self._lock = threading.Lock()
        events = PublisherEventCallbacks(matched=self._met) if history else None
        self._publisher = node.create_publisher(message_type, sent, qos, event_callbacks=events)
        self._subscription = node.create_subscription(message_type, heard, self._take, qos)

    def _chance(self, share: float) -> bool:
        return bool(self._random.random() < share)

    def _met(self, event: Any) -> None:
        if event.total_count_change > 0:  # one that subscribes anew goes and comes between two events
            for message in list(self._history):
                self._pass_on(message)

    def _take(self, message: Any) -> None:
        self._history.append(message)
        self._pass_on(message)

    def _pass_on(self, message: Any) -> None:
        with self._lock:
            if self._chance(self.spoil.drop):
                self.dropped += 1
            elif self._chance(self.spoil.delay):
                self._held.append((self.spoil.delay_messages, message))
            else:
                self._send(message)
            self._held = [(left - 1, held) for left, held in self._held]
            for _, held in [entry for entry in self._held if entry[0] <= 0]:
                self._send(held)
            self._held = [entry for entry in self._held if entry[0] > 0]

    def _send(self, message: Any) -> None:
        if self._corrupt is not None and self._chance(self.spoil.corrupt):
            message = self._corrupt(message, self._random)
        for _ in range(2 if self._chance(self.spoil.duplicate) else 1):
            self._publisher.publish(message)
            self.passed += 1


class SimulatedClock:
    """Publishes /clock, from the wall clock's pace or from wherever the test puts it."""

    def __init__(self, node: Any, now_ns: int) -> None:
        from rosgraph_msgs.msg import Clock

        self._message_type, self.now_ns = Clock, now_ns
        self._publisher = node.create_publisher(Clock, "/clock", 10)

    def go_to(self, now_ns: int) -> None:
        """Say that it is `now_ns`, forward or back."""
        from builtin_interfaces.msg import Time

        self.now_ns = now_ns
        self._publisher.publish(self._message_type(clock=Time(sec=now_ns // NS_PER_S, nanosec=now_ns % NS_PER_S)))
