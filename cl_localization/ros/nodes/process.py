"""A process of nodes: it begins, spins and ends cleanly on SIGINT, SIGTERM or a node's own wish, at whatever instant
they come."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NoReturn

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from cl_localization.errors import LocalizationError
from cl_localization.ros.nodes.managed_node import ManagedNode

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECOND_SIGNAL_EXIT_CODE = 130


class Ending:
    """Whether the process is to end. A signal says so once; a second one ends it on the spot, whatever hangs.

    rclpy's own handlers shut the context down under nodes that are being made or publish from threads; here the context
    lives until the nodes are closed. Python runs signal handlers between bytecodes of the main thread, which may wait
    in C: so the signal's number is read from a pipe by a thread instead.
    """

    def __init__(self) -> None:
        """Take over the signals; call from the main thread."""
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
        """Return whether the process is to end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Have the process end; from any thread."""
        with self._lock:
            self._asked.set()
            self._wake()

    def wake_with(self, wake: Callable[[], object]) -> None:
        """Call `wake` when the end is asked for, at once if it has been."""
        with self._lock:
            self._wake = wake
            if self:
                wake()

    def close(self) -> None:
        """Give the signals back."""
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
    """Run nodes in one process until it is to end, and return the exit code: 1 when one could not start."""
    with ExitStack() as stack:
        ending = Ending()
        stack.callback(ending.close)
        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
            stack.callback(rclpy.try_shutdown)
            executor = SingleThreadedExecutor()
            ending.wake_with(lambda: executor.create_task(_nothing))
            nodes = [_made(make, executor, ending, stack) for make in makers]
            started = all(bool(ending) or node.bring_up() for node in nodes)
            while started and not ending:
                executor.spin_once()
        except LocalizationError as error:
            rclpy.logging.get_logger("cl_localization").fatal(str(error))
            return 1
        return 0 if started else 1


def leave(exit_code: int) -> NoReturn:
    """End the process now that all is closed.

    Taking the interpreter and its libraries apart takes seconds on a busy machine, and waits for threads that were
    given up.
    """
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
    """A task whose only effect is that the executor stops waiting."""
