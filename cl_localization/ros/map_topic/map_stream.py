"""The protocol of the topic `map_code`: snapshots and deltas of the map, with no requests.

The publisher is reliable and transient local with a history of `HISTORY` messages. Every change is published as a
delta, and after `SNAPSHOT_EVERY` deltas a snapshot of the same version. Since `SNAPSHOT_EVERY` < `HISTORY`, the DDS
history always contains a snapshot and all later deltas, so that a late subscriber gets the whole map from DDS, even
from an idle mapper. A follower skips versions that it already has. One that has lost a delta subscribes again and gets
the history once more.

While the map does not change, empty deltas repeat the version at growing intervals, so that followers notice a lost
last delta.

Every start of a mapper has its own id, the source. While several mappers publish, a follower stays with its source;
when only another source is left, it switches to that one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import MapDelta

HISTORY = 64
SNAPSHOT_EVERY = 48
FIRST_REMINDER_S, LAST_REMINDER_S = 2.0, 64.0


class MapStream:
    """The mapper's side: which deltas and snapshots to publish."""

    def __init__(self, map_code: MapCode, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start with a map: a snapshot comes first, also of an empty map, so that followers drop the previous one."""
        self._map_code, self._now_s = map_code, now_s
        self._version = -1
        self._since_snapshot = 0
        self._wait_s = self._remind_s = 0.0

    def changes(self) -> list[MapDelta]:
        """Return the deltas to publish now, in order; without changes none, or an empty delta as a reminder."""
        changed = self._map_code.version != self._version
        if not changed and self._now_s() < self._remind_s:
            return []
        self._wait_s = FIRST_REMINDER_S if changed else min(2 * self._wait_s, LAST_REMINDER_S)
        self._remind_s = self._now_s() + self._wait_s
        deltas = [self._map_code.delta_since(max(0, self._version))]
        self._version = deltas[0].version
        self._since_snapshot = 0 if deltas[0].base_version == 0 else self._since_snapshot + 1
        if self._since_snapshot >= SNAPSHOT_EVERY:
            deltas.append(self._map_code.delta_since(0))
            self._since_snapshot = 0
        return deltas


class Followed(Enum):
    """The effect of a message on the followed map."""

    UNCHANGED = "nothing new"
    GREW = "the map has changed in place"
    REPLACED = "the map was replaced"
    MISSED = "a delta before this one is missing"
    IGNORED = "the message is from another mapper on the same topic"


class MapFollower:
    """The follower's side: the map built from the messages.

    Attributes:
        map_code: the map; None until the first snapshot.
        out_of_sync: whether a delta is missing.
        source: the followed mapper's source; empty until the first snapshot, and after a map from a file.
        ignored: another source whose message was ignored since `ask_again`; empty for none.
    """

    def __init__(self, encoder: str, dim: int, mappers: Callable[[], int] = lambda: 1) -> None:
        """Follow maps with descriptors of length `dim` of `encoder`; `mappers` returns the number of publishers."""
        self.map_code: MapCode | None = None
        self.out_of_sync = False
        self.source = self.ignored = ""
        self._mappers = mappers
        self._encoder, self._dim = encoder, dim
        self._newest_ns = -1

    def use(self, map_code: MapCode) -> None:
        """Continue with a map loaded from a file."""
        self.map_code, self.out_of_sync, self.source = map_code, False, ""

    @property
    def wants_history(self) -> bool:
        """Whether to subscribe again for the DDS history: a delta is missing, or the followed mapper has ended."""
        return self.out_of_sync or bool(self.ignored and self._mappers() <= 1)

    def ask_again(self) -> None:
        """Note that the history is received again."""
        self.ignored = ""

    def take(self, delta: MapDelta, stamp_ns: int, source: str = "") -> Followed:
        """Apply one message, made at `stamp_ns` by `source`.

        A snapshot of the same map with an older version is either outdated (older timestamp), or the mapper has gone
        back to a saved map (newer timestamp). After a switch to another source any snapshot is applied.

        Raises:
            MapError: a map of another encoder, or an inconsistent delta.
        """
        if (delta.encoder, delta.dim) != (self._encoder, self._dim):
            raise MapError("map_code", f"must be of encoder {self._encoder} with {self._dim} dimensions",
                           f"{delta.encoder} with {delta.dim}", "start mapper and localizer with the same encoder.name")
        other = self.source not in ("", source)
        if other and self._mappers() > 1:
            self.ignored = source
            return Followed.IGNORED
        ours = self.map_code
        same = not other and ours is not None and ours.map_id == delta.map_id
        if delta.base_version == 0:
            outdated = same and (delta.version == ours.version
                                 or (delta.version < ours.version and stamp_ns <= self._newest_ns))
            return Followed.UNCHANGED if outdated else self._replace(delta, stamp_ns, source)
        if same and delta.version <= ours.version:
            return Followed.UNCHANGED
        if not same or delta.base_version > ours.version:
            self.out_of_sync = True
            return Followed.MISSED
        ours.apply(delta)
        self._synchronised(stamp_ns, source)
        return Followed.GREW

    def _replace(self, delta: MapDelta, stamp_ns: int, source: str) -> Followed:
        self.map_code = MapCode.from_snapshot(delta, MapCodeConfig())
        self._synchronised(stamp_ns, source)
        return Followed.REPLACED

    def _synchronised(self, stamp_ns: int, source: str) -> None:
        self._newest_ns = max(self._newest_ns, stamp_ns) if source == self.source else stamp_ns
        self.out_of_sync, self.source = False, source
