"""Runs nodes in a process that shuts down cleanly on SIGINT, SIGTERM or a node's request, at any instant."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NoReturn

import rclpy
import rclpy.logging
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from cl_localization.errors import LocalizationError
from cl_localization.ros.nodes.managed_node import ManagedNode

LOGGER = "cl_localization"

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECOND_SIGNAL_EXIT_CODE = 130


class Ending:
    """Whether the process shall end. The first signal requests it; a second one exits immediately.

    rclpy's own handlers shut the context down while nodes are being created or publish from threads; here the context
    lives until the nodes are closed. Python runs signal handlers in the main thread, which may block in C code, so a
    thread reads the signals from a pipe instead.
    """

    def __init__(self) -> None:
        """Replace the signal handlers; call from the main thread."""
        self._asked = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._previous = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        self._previous_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()

    def __bool__(self) -> bool:
        """Return whether the process shall end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Request the end of the process; thread-safe."""
        with self._lock:
            self._asked.set()
            self._wake()

    def wake_with(self, wake: Callable[[], object]) -> None:
        """Call `wake` when the end is requested, at once if it already is."""
        with self._lock:
            self._wake = wake
            if self:
                wake()

    def close(self) -> None:
        """Restore the signal handlers."""
        self.wake_with(lambda: None)
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def _listen(self) -> None:
        while number := os.read(self._read, 1):
            if number[0] in SIGNALS:
                if self:
                    os._exit(SECOND_SIGNAL_EXIT_CODE)
                self.ask()


def run_nodes(makers: Sequence[Callable[[], ManagedNode]], args: list[str] | None = None) -> int:
    """Run nodes in one process until its end is requested; return the exit code: 1 if a node could not start or has
    lost something."""
    nodes: list[ManagedNode] = []
    with ExitStack() as stack:
        ending = Ending()
        stack.callback(ending.close)
        try:
            stack.callback(forward_logs())
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            executor = SingleThreadedExecutor()
            ending.wake_with(lambda: executor.create_task(_nothing))
            nodes += [_made(make, executor, ending, stack) for make in makers]
            started = all(bool(ending) or node.bring_up() for node in nodes)
            while started and not ending:
                executor.spin_once()
        except LocalizationError as error:
            rclpy.logging.get_logger("cl_localization").fatal(str(error))
            return 1
    return max(0 if started else 1, *(node.exit_code for node in nodes))


def leave(exit_code: int) -> NoReturn:
    """Exit without the interpreter's own shutdown, which takes seconds and waits for threads that hang."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _made(make: Callable[[], ManagedNode], executor: SingleThreadedExecutor, ending: Ending,
          stack: ExitStack) -> ManagedNode:
    node = make()
    stack.callback(node.destroy_node)
    stack.callback(node.close)
    node.end_process = ending.ask
    executor.add_node(node)
    return node


def _nothing() -> None:
    """An empty task that wakes the executor."""


class RosLogHandler(logging.Handler):
    """Hands log records to ROS, with their severity."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; each severity has a line of its own here, as ROS wants it."""
        logger = rclpy.logging.get_logger(LOGGER)
        if record.levelno >= logging.ERROR:
            logger.error(record.getMessage())
        elif record.levelno >= logging.WARNING:
            logger.warning(record.getMessage())
        else:
            logger.info(record.getMessage())


def forward_logs() -> Callable[[], None]:
    """Hand what the core logs, debugging aside, to ROS; return how to end that."""
    core, handler = logging.getLogger(LOGGER), RosLogHandler(logging.INFO)
    before = core.level
    core.addHandler(handler)
    core.setLevel(logging.INFO)

    def end() -> None:
        core.removeHandler(handler)
        core.setLevel(before)
    return end
