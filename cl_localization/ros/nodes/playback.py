"""A thread that reads frames ahead and passes them on at their times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import read_ahead
from cl_localization.data.stamps import NS_PER_S

DEFAULT_PERIOD_NS = 100_000_000


class Playback:
    """Plays a sequence once or in a loop."""

    def __init__(self, sequence: Sequence, hand_over: Callable[[Frame, int], None], rate: Callable[[], float],
                 moved_to_now: bool) -> None:
        """Create a stopped playback.

        Args:
            hand_over: called in the thread with each frame and its timestamp in nanoseconds.
            rate: called before each frame, returns the playback rate; 0: as fast as frames can be read.
            moved_to_now: timestamps are the time of playing instead of the sequence's own.
        """
        self._sequence, self._hand_over, self._rate, self._moved = sequence, hand_over, rate, moved_to_now
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: bool, before: Callable[[threading.Event], None],
              after: Callable[[Exception | None], None]) -> None:
        """Play in a thread: `before` gets the stop event; `after` gets the error, or None at the end."""
        def play() -> None:
            error = None
            try:
                before(self._stop)
                while self._play_once() and loop:
                    pass
            except Exception as raised:  # passed to `after`, so that the thread does not end silently
                error = raised
            if not self._stop.is_set():
                after(error)
        self._thread = threading.Thread(target=play, name="playback", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 1.5) -> None:
        """Stop, and join unless called by the thread itself."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _play_once(self) -> bool:
        """Play to the end; return False if stopped before."""
        due_s, last_ns = 0.0, None
        for pending in read_ahead(self._sequence, range(len(self._sequence))):
            frame = pending.result()
            if last_ns is None:  # only now: reading the first frame may take long
                due_s, last_ns = time.monotonic(), frame.stamp_ns
            step_ns = frame.stamp_ns - last_ns
            rate, last_ns = self._rate(), frame.stamp_ns
            due_s = max(due_s + step_ns / NS_PER_S / rate, time.monotonic() - 1.0) if rate else time.monotonic()
            if self._stop.wait(max(0.0, due_s - time.monotonic())):
                return False
            self._hand_over(frame, time.time_ns() if self._moved else frame.stamp_ns)
        return not self._stop.wait(DEFAULT_PERIOD_NS / NS_PER_S / self._rate() if self._rate() else 0.0)
