"""Ctrl-C as a wish to stop: the first one is noted, so that what is done so far can be kept; the next interrupts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_INTERRUPTED = 130
NOTICE = b"\nfinishing with what is done so far; Ctrl-C again ends at once\n"


@contextmanager
def noted_interrupt() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C inside the context sets; the next one raises KeyboardInterrupt at once."""
    stop = threading.Event()

    def note(*_: object) -> None:
        stop.set()
        os.write(2, NOTICE)  # nothing else is safe in a handler that may have interrupted a print
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # a background job does not hear Ctrl-C
        yield stop
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
