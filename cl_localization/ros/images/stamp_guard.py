"""Timestamps that jump far ahead: one alone is a fault of the driver, two that agree are a new time."""

from __future__ import annotations

AHEAD_NS = 10_000_000_000
"""An image whose timestamp is further ahead of the last one waits for another that agrees."""


class StampGuard:
    """Decides which images' timestamps are believed; not thread-safe."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._stray_ns = 0

    def jump_ns(self, stamp_ns: int) -> int:
        """Return by how much a timestamp jumps ahead without another that confirms it; 0 for one to believe.

        It confirms the one before if it follows that no later than that followed the last believed one: images that
        come seldom do so all the time.
        """
        if stamp_ns == 0:  # none at all, which the tracker refuses
            return 0
        last_ns, ahead_ns = self._last_ns, 0 if self._last_ns is None else stamp_ns - self._last_ns
        if last_ns is not None and ahead_ns > AHEAD_NS:
            allowed_ns = max(AHEAD_NS, self._stray_ns - last_ns)
            if not 0 < stamp_ns - self._stray_ns <= allowed_ns:
                self._stray_ns = stamp_ns
                return ahead_ns
        self._last_ns, self._stray_ns = stamp_ns, 0
        return 0
